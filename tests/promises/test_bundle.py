"""A cassette replays from itself: carried elsewhere as one file, twice, and unchanged by that."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.promises.conftest import Recorded, database
from tests.promises.running import recording, replay, run, send, service
from timetracer_otel.store import Store

pytestmark = pytest.mark.postgres


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_bundles_replay_the_same_elsewhere_once_the_store_is_deleted(recorded: Recorded, tmp_path: Path) -> None:
    store, elsewhere = shutil.copytree(recorded.store, tmp_path / "cassettes"), tmp_path / "far" / "away"
    elsewhere.mkdir(parents=True)
    for cassette, _ in recorded.cassettes.values():
        done = run(["timetracer-otel", "bundle", cassette.trace_id, "--store", str(store), "-o", str(elsewhere)])
        assert done.returncode == 0, done.stderr
    shutil.rmtree(store)
    assert len(list(elsewhere.iterdir())) == len(recorded.cassettes)
    bundles = sorted(elsewhere.iterdir())[::4]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda bundle: replay(bundle, tmp_path, TIMETRACER_STORE=str(elsewhere)), bundles))
    assert [(each.status, each.verdict, each.findings) for each in found] == [(0, "same", [])] * len(bundles)


@pytest.mark.parametrize("path", ["/payments", "/fail"])
def test_a_second_replay_says_the_same_and_no_file_of_the_store_changes(
    path: str, recorded: Recorded, tmp_path: Path
) -> None:
    before = content(recorded.store)
    first, second = (replay(recorded.trace(path), tmp_path) for _ in range(2))
    assert first.report == second.report
    assert (first.status, first.verdict) == (0, "same")
    assert content(recorded.store) == before


def test_where_the_laptop_records_too_the_replayed_store_stays_as_it_is(recorded: Recorded, tmp_path: Path) -> None:
    before = content(recorded.store)
    own = tmp_path / "own"
    found = replay(recorded.trace("/poll"), tmp_path, OTEL_TRACES_EXPORTER="timetracer", TIMETRACER_STORE=str(own))
    assert (found.status, found.verdict) == (0, "same"), found.output
    assert content(recorded.store) == before


def test_r29_two_requests_of_one_trace_are_one_cassette_and_replay_by_name(tmp_path: Path) -> None:
    """As when a service calls itself, or a web process and a worker share a trace."""
    store, parent = tmp_path / "cassettes", {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with (
        database() as dsn,
        service(tmp_path / "log", **recording(store, DATABASE_URL=dsn)) as url,
    ):
        assert [send(url, path, headers=parent).status for path in ("/poll", "/balance")] == [200, 200]
    done = run(["timetracer-otel", "bundle", "abab", "--store", str(store), "-o", str(tmp_path)])
    bundle = done.stdout.strip()
    cassette, _ = Store(store).open_cassette(bundle)
    assert [segment.entry.name for segment in cassette.segments if segment.entry] == ["GET /poll", "GET /balance"]
    for segment in cassette.segments:
        assert replay(f"{bundle}/{segment.id[:6]}", tmp_path).verdict == "same"
    unnamed = run(["timetracer-otel", "replay", bundle])
    assert (unnamed.returncode, unnamed.stdout) == (2, "")
    assert [segment.name for segment in cassette.segments if segment.name not in unnamed.stderr] == []
