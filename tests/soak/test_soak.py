"""R40 and R26, in short: what `scripts/soak` checks in half an hour, without what depends on the machine's speed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.servers.postgres import PostgresServer
from tests.soak.checks import checks
from tests.soak.session import soak

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, and it forks"),
]

ROUNDS: Final = 2
SIZE: Final = 40
STORE_MAX: Final = "150KiB"
"""Full within the first round, and too small for a document."""


def test_r40_a_service_under_load_with_a_full_store_exports_the_same_spans_and_counts_each_drop(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    outcome = soak(postgres, tmp_path, STORE_MAX, lambda number: number >= ROUNDS, SIZE)
    assert [check for check in checks(outcome) if not check.holds] == []
    assert outcome.account.counted["store_max"] > 0
    assert 0 < len(outcome.account.requests) < len(outcome.recorded.made)
