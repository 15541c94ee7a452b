from __future__ import annotations

import asyncio
import datetime
import importlib.metadata
import importlib.util
import logging
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.replay.recordings import END_NS, START_NS
from timetracer_otel.replay import clock as clocks
from timetracer_otel.replay.clock import RealClock, RecordedClock, why_real
from timetracer_otel.replay.instants import window
from timetracer_otel.replay.reads import READS_MAX, Reads

MS = 1_000_000


@pytest.fixture
def clock() -> Iterator[RecordedClock]:
    clock = RecordedClock(START_NS - 60_000 * MS, START_NS, END_NS, END_NS)
    yield clock
    clock.stop()


def test_start_up_sees_the_time_at_which_the_recorded_process_began(clock: RecordedClock) -> None:
    assert 0 <= time.time_ns() - (START_NS - 60_000 * MS) < 5_000 * MS


def test_the_entry_begins_at_its_recorded_time_and_the_clock_ticks(clock: RecordedClock) -> None:
    clock.start_entry()
    first = time.time_ns()
    assert 0 <= first - START_NS < 1_000 * MS
    time.sleep(0.01)
    assert time.time_ns() - first >= 9 * MS
    assert datetime.datetime.now(datetime.timezone.utc).year == 2026


def test_an_answer_moves_the_clock_on_to_its_recorded_end_and_never_back(clock: RecordedClock) -> None:
    clock.start_entry()
    clock.advance(START_NS + 300 * MS, END_NS)
    assert 300 * MS <= time.time_ns() - START_NS < 1_300 * MS
    before = time.time_ns()
    clock.advance(START_NS + 10 * MS, END_NS)
    assert time.time_ns() >= before


@pytest.fixture
def stand_still(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the monotonic clock of the served one shows: the test makes it go on."""
    passed = [10**12]
    monkeypatch.setattr(clocks, "time", SimpleNamespace(monotonic_ns=lambda: passed[0]))
    return passed


@pytest.mark.parametrize(
    ("passed_ms", "served_ms"),
    [(0, 0), (19, 19), (20, 20), (36, 21), (52, 22), (1_020, 82.5), (1_021, 83.5), (5_020, 4_082.5)],
)
def test_the_clock_waits_at_the_moment_at_which_the_recorded_app_asked_but_for_a_second_at_most(
    passed_ms: int, served_ms: float, stand_still: list[int]
) -> None:
    """It goes slowly then, so that between two readings is never no time."""
    clock = RecordedClock(0, START_NS, END_NS, START_NS + 20 * MS)
    try:
        clock.start_entry()
        stand_still[0] += passed_ms * MS
        assert (time.time_ns() - START_NS) / MS == served_ms
    finally:
        clock.stop()


def test_each_answer_ends_the_waiting_and_the_clock_never_goes_back(stand_still: list[int]) -> None:
    clock = RecordedClock(0, START_NS, END_NS, START_NS + 20 * MS)
    try:
        clock.start_entry()
        stand_still[0] += 500 * MS  # the first statement of a cold process
        clock.advance(START_NS + 60 * MS, START_NS + 70 * MS)
        assert time.time_ns() == START_NS + 60 * MS
        stand_still[0] += 5 * MS
        assert time.time_ns() == START_NS + 65 * MS
        stand_still[0] += 100 * MS
        late = time.time_ns()
        assert START_NS + 70 * MS < late < START_NS + 80 * MS
        clock.advance(START_NS + 71 * MS, START_NS + 72 * MS)  # recorded before that
        assert time.time_ns() == late
    finally:
        clock.stop()


def test_no_start_up_is_so_slow_that_it_sees_the_entry_begin(stand_still: list[int]) -> None:
    clock = RecordedClock(START_NS - 2_000 * MS, START_NS, END_NS, END_NS)
    try:
        stand_still[0] += 1_500 * MS
        assert time.time_ns() == START_NS - 500 * MS
        clock.advance(START_NS - 100 * MS, END_NS)
        stand_still[0] += 60 * MS
        assert time.time_ns() == START_NS - 40 * MS
        stand_still[0] += 600 * MS
        assert START_NS <= time.time_ns() < START_NS + 40 * MS
        clock.start_entry()
        assert time.time_ns() == START_NS
    finally:
        clock.stop()


def test_while_somebody_debugs_the_clock_stands(stand_still: list[int]) -> None:
    clock = RecordedClock(0, START_NS, END_NS, END_NS)
    try:
        clock.start_entry()
        stand_still[0] += 7 * MS
        stand_still[0] += 60_000 * MS
        clock.set_back(60_000 * MS)
        assert time.time_ns() == START_NS + 7 * MS
    finally:
        clock.stop()


def test_the_local_time_zone_stays_the_machines_own() -> None:
    zone = time.tzname
    clock = RecordedClock(0, START_NS, END_NS, END_NS)
    try:
        assert time.tzname == zone
    finally:
        clock.stop()


def test_timeouts_and_monotonic_clocks_stay_real(clock: RecordedClock) -> None:
    async def jump() -> str:
        async def work() -> str:
            clock.advance(START_NS + 3_600_000 * MS, START_NS + 3_600_000 * MS)
            await asyncio.sleep(0.01)
            return "done"

        return await asyncio.wait_for(work(), 60)

    began = time.monotonic()
    assert asyncio.run(jump()) == "done"
    assert time.monotonic() - began < 60


def test_the_window_is_that_of_the_recording_and_grows_while_replay_is_slower(clock: RecordedClock) -> None:
    clock.start_entry()
    assert clock.window() == window(START_NS, END_NS)
    clock.advance(END_NS + 60_000 * MS, END_NS)
    assert clock.window()[1] > END_NS + 60_000 * MS


def test_what_the_application_reads_is_remembered_and_what_its_tools_read_is_not(clock: RecordedClock) -> None:
    def is_known(moment: float) -> bool:
        return clock.reading_of(int(moment * 1_000_000) * 1_000 + 7_200_000 * MS, 1_000) != ""

    reads = (time.time(), datetime.datetime.now().timestamp(), time.time_ns() / 1e9)
    logged = logging.makeLogRecord({}).created
    assert all(map(is_known, reads))
    assert not is_known(logged)
    assert not is_known(reads[0] + 0.3)


def test_only_the_latest_readings_are_remembered() -> None:
    reads = Reads()
    for n in range(READS_MAX + 1):
        reads.note(START_NS + n * 100_000, sys._getframe())
    assert not reads.explain(START_NS, 1_000)
    assert reads.explain(START_NS + 100_000, 1_000)
    assert reads.explain(START_NS + READS_MAX * 100_000, 1_000)


@pytest.mark.parametrize("beside_ns", [-1_000, -100, 0, 100, 1_000])
def test_a_reading_at_the_turn_of_a_second_is_found(beside_ns: int) -> None:
    reads = Reads()
    reads.note(START_NS + beside_ns, sys._getframe())
    assert reads.explain(START_NS + 7_000_000_000, 1_000)
    assert not reads.explain(START_NS + 7_000_100_000, 1_000)


def test_uuid1_has_the_recorded_time(clock: RecordedClock) -> None:
    clock.start_entry()
    gregorian_ns = (uuid.uuid1().time - 0x01B21DD213814000) * 100
    assert abs(gregorian_ns - START_NS) < 1_000 * MS


def test_without_time_machine_instants_of_today_are_those_of_this_replay() -> None:
    clock = RealClock()
    clock.start_entry()
    clock.advance(START_NS, END_NS)
    first, last = clock.window()
    assert first <= time.time_ns() <= last


def test_time_machine_is_there_in_the_tests() -> None:
    assert why_real() is None


def test_a_time_machine_that_sets_monotonic_clocks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.19.0")
    assert why_real() == (
        "clock: time-machine 2.19.0 sets monotonic clocks too, by which event loops and we count "
        "(pip install 'timetracer-otel[replay]')"
    )


def test_without_time_machine_the_clock_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert why_real() == "clock: time-machine is not installed (pip install 'timetracer-otel[replay]')"


def test_an_entry_loads_time_machine_without_pytest_which_can_be_imported_afterwards() -> None:
    code = """
import sys
from timetracer_otel.replay import clock
clock.load_without_pytest()
print("time_machine" in sys.modules, "_pytest" in sys.modules, "pytest" in sys.modules)
import pytest
print(pytest.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["True False False", "pytest"]
