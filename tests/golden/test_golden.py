"""Cassettes of four drivers and every format version replay with the drivers that are installed.

Each file was written once, by the releases that it names, and is never regenerated: it stands for what people keep.
A new format, or a driver, brings files of its own: record `tests.golden.programs` and bundle the trace.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.golden.programs import PROGRAMS
from tests.launching import OFF
from tests.promises.running import run, with_report
from timetracer_otel.cassette.model import FORMAT
from timetracer_otel.store import Store

FOLDER = Path(__file__).parent
CASSETTES = sorted(FOLDER.glob("*.cassette.json"))
PRINTED = json.loads((FOLDER / "printed.json").read_text())


def driver_of(cassette: Path) -> str:
    return cassette.name.partition("-")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


def test_golden_cassettes_replay_with_the_newest_drivers_without_a_single_miss(folder: Path) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", OFF: ""}

    def again(cassette: Path) -> tuple[str, int, object, object]:
        program = ("--", "python", "-m", "tests.golden.programs", driver_of(cassette))
        found = with_report(["timetracer-otel", "exec", str(cassette)], folder, variables, program)
        lines = [line for line in found.output.splitlines() if line.startswith("[")]
        return cassette.name, found.status, lines, (found.report["misses"], found.report["unused"])

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(again, CASSETTES))
    assert found == [(each.name, 0, [PRINTED[driver_of(each)]], ([], [])) for each in CASSETTES]


def test_each_format_has_a_cassette_of_each_driver() -> None:
    assert {each.name for each in CASSETTES} >= {
        f"{driver}-{number}.cassette.json" for driver in PROGRAMS for number in range(1, FORMAT + 1)
    }


def test_golden_cassettes_are_small_and_name_what_wrote_them() -> None:
    for path in CASSETTES:
        cassette, _ = Store(FOLDER).open_cassette(str(path))
        (segment,) = cassette.segments
        assert path.stat().st_size < 64 * 1024
        assert segment.process.packages["timetracer-otel"]
        assert segment.process.host == "golden"


def test_nothing_of_a_golden_cassette_is_a_secret() -> None:
    done = run(["timetracer-otel", "audit", *map(str, CASSETTES)])
    assert done.returncode == 0, done.stdout
