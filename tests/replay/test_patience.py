from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.replay.recordings import asked, by, exchange, session
from timetracer_otel.replay.patience import CAP_S, Patience

LONG_S = 3600.0
PROGRAM = f"""
from timetracer_otel.replay.patience import Patience
patience = Patience()
patience.install()
from time import sleep
import asyncio, time
patience.end()
sleep({LONG_S})
assert asyncio.run(asyncio.sleep({LONG_S}, "slept")) == "slept"
"""


@pytest.fixture
def patience() -> Iterator[Patience]:
    made = Patience()
    made.install()
    yield made
    made.uninstall()


def test_r33_after_a_miss_an_app_that_retries_with_back_off_does_not_wait() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)


def test_before_a_miss_sleeps_are_as_long_as_the_app_says(patience: Patience) -> None:
    began = time.monotonic()
    time.sleep(CAP_S * 2)
    asyncio.run(asyncio.sleep(CAP_S * 2))
    assert time.monotonic() - began >= CAP_S * 4


def test_a_negative_sleep_stays_the_apps_own_error(patience: Patience) -> None:
    patience.end()
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)


def test_timeouts_of_the_event_loop_stay_real_after_a_miss(patience: Patience) -> None:
    async def wait() -> None:
        await asyncio.wait_for(asyncio.Event().wait(), timeout=CAP_S * 2)

    patience.end()
    began = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(wait())
    assert time.monotonic() - began >= CAP_S * 2


def test_uninstalling_gives_back_what_was_there() -> None:
    sleep, made = time.sleep, Patience()
    made.install()
    assert time.sleep is not sleep
    made.uninstall()
    assert time.sleep is sleep


def test_a_request_that_is_made_again_after_its_miss_follows_from_it() -> None:
    source, journal = session(exchange(1))
    question = asked(parameters=["43"])
    for _ in range(3):
        assert source.take(question, by()) is None
        source.miss(question, by())
    assert [miss["consequent"] for miss in journal.of("miss")] == [False, True, True]
