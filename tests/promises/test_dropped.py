"""R40: the answer of a call was not kept. Its replay stops there, says why, and decides nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.promises.conftest import Recorded
from tests.promises.running import replay
from timetracer_otel.store import dump_bundle

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("reason", ["in_flight", "unredactable", "store_max"])
def test_r40_replay_of_a_call_whose_payload_was_dropped_names_reason_and_size(
    recorded: Recorded, tmp_path: Path, reason: str
) -> None:
    cassette, segment = recorded.cassettes["/balance"]
    (call,) = [each for each in segment.exchanges if each.request.get("statement", "").startswith("SELECT balance")]  # type: ignore[union-attr]  # it is text
    cut = replace(call, result={}, dropped={"reason": reason, "size": 81_920_000})
    exchanges = tuple(cut if each is call else each for each in segment.exchanges)
    bundle = tmp_path / "cut.cassette.json"
    bundle.write_bytes(dump_bundle(replace(cassette, segments=(replace(segment, exchanges=exchanges),))))
    found = replay(bundle, tmp_path)
    assert (found.status, found.verdict) == (3, "inconclusive")
    said = f"exchange {call.id} was recorded without its payload (81920000 bytes): {reason}"
    assert f"inconclusive: {said}" in found.report["uncontrolled"]
    assert [miss["request"]["text"] for miss in found.report["misses"]] == [
        "SELECT balance FROM accounts WHERE name = $1"
    ]
    assert said in found.output
