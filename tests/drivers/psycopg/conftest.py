from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.psycopg.taping import taps
from tests.drivers.taping import ListTape


@pytest.fixture
def tape() -> Iterator[ListTape]:
    """The taps are in, strict, and write here."""
    with taps() as tape:
        yield tape
