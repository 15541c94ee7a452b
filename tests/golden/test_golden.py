"""Cassettes of each driver and every format version replay with the drivers that are installed.

Each file was written once, by the releases that it names, and is never regenerated: it stands for what people keep.
A new format, or a driver, brings files of its own: record `tests.golden.programs` and bundle the trace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.demonstration import ROOT
from tests.golden.programs import APPS, PROGRAMS
from tests.launching import instrumented
from tests.promises.running import replay, run, with_report
from timetracer_otel.cassette.model import FORMAT
from timetracer_otel.drivers.registry import DRIVERS
from timetracer_otel.store import Store

FOLDER = Path(__file__).parent
CASSETTES = sorted(FOLDER.glob("*.cassette.json"))
BY_OLDEST = "-oldest.cassette.json"
OLD = {"asgi", "botocore", "celery", "http", "pymongo", "redis"}
OLDEST = (
    *("boto3==1.34.0", "botocore==1.34.0", "s3transfer==0.9.0", "urllib3==2.0.7", "celery==5.4.0", "kombu==5.3.7"),
    *("httpx==0.27.0", "requests==2.31.0", "starlette==0.40.0", "redis==4.6.0"),
    "pymongo==4.9" if sys.version_info < (3, 14) else "pymongo==4.17.0",  # that has a wheel
)
USES = {"asgi": ("starlette",), "http": ("httpx", "requests")}
"""Instrumentors, where they are not called as the driver is."""
PRINTED = {name: [line] for name, line in json.loads((FOLDER / "printed.json").read_text()).items()}


def driver_of(cassette: Path) -> str:
    return cassette.name.partition("-")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


def again(cassette: Path, folder: Path, path: str) -> tuple[str, int, object, object]:
    """What came of its replay, with the drivers that are found on this PYTHONPATH before the installed ones."""
    driver = driver_of(cassette)
    loaded = instrumented(*USES.get(driver, (driver,)))
    variables = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONPATH": path, **loaded}
    if app := APPS.get(driver):
        found = replay(cassette, folder, "--app", app, **variables)
    else:
        program = ("--", "python", "-m", "tests.golden.programs", driver)
        found = with_report(["timetracer-otel", "exec", str(cassette)], folder, variables, program)
    lines = [line for line in found.output.splitlines() if line.startswith("[")]
    return cassette.name, found.status, lines, (found.verdict, found.report["misses"], found.report["unused"])


def assert_same(cassettes: Sequence[Path], folder: Path, path: str = str(ROOT)) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(partial(again, folder=folder, path=path), cassettes))
    same: tuple[str, list[object], list[object]] = ("same", [], [])
    assert found == [(each.name, 0, PRINTED.get(driver_of(each), []), same) for each in cassettes]


def test_golden_cassettes_replay_with_the_newest_drivers_without_a_single_miss(folder: Path) -> None:
    """Also those that the oldest have recorded."""
    assert_same(CASSETTES, folder)


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with the oldest drivers that are supported. Skips or fails where they cannot be installed."""
    target = tmp_path_factory.mktemp("oldest")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--target", str(target)]
    done = subprocess.run([*command, *OLDEST], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return os.pathsep.join([str(target), str(ROOT)])
    if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
        pytest.fail(done.stderr)
    pytest.skip(f"the oldest drivers cannot be installed: {done.stderr.strip()[-200:]}")


def test_what_the_newest_drivers_have_recorded_replays_with_the_oldest(folder: Path, oldest: str) -> None:
    """Those of PostgreSQL have tests of their own, in their folders."""
    newest = [each for each in CASSETTES if driver_of(each) in OLD and not each.name.endswith(BY_OLDEST)]
    assert len(newest) == len(OLD) * FORMAT
    assert_same(newest, folder, oldest)


def test_each_format_has_a_cassette_of_each_driver() -> None:
    assert {*PROGRAMS, *APPS} == set(DRIVERS)
    assert {each.name for each in CASSETTES} >= {
        f"{driver}-{number}.cassette.json" for driver in DRIVERS for number in range(1, FORMAT + 1)
    }
    assert {driver_of(each) for each in CASSETTES if each.name.endswith(BY_OLDEST)} == OLD


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
