from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.cassette.samples import PROCESS, ROOT_ID, ROOT_PART, START_NS, TRACE_ID, part, query, span
from timetracer_otel.cassette import Part, dump_part
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.config import MIB
from timetracer_otel.store import Store, listing

NEWER_ID = "11" * 16
NEWER = replace(ROOT_PART, trace_id=NEWER_ID, spans=(span(ROOT_ID, START_NS + 1),))


def write(store: Store, *parts: Part) -> list[Path]:
    return [Path(store.write_part(p.trace_id, p.segment, p.process.id, p.part, dump_part(p))) for p in parts]


def test_the_json_of_a_listing_is_what_the_design_says(tmp_path: Path) -> None:
    write(Store(tmp_path), ROOT_PART, part(1, exchanges=(query(3),)))
    (trace,) = Store(tmp_path).list_traces().traces
    assert trace.as_json() == {
        "trace_id": TRACE_ID,
        "path": str(tmp_path / TRACE_ID),
        "service": "shop",
        "started_at": "2025-11-24T16:00:00Z",
        "duration_ms": 5.001,
        "complete": True,
        "segments": [
            {
                "segment": ROOT_ID,
                "entry": {"type": "http.server", "name": "GET /orders/{id}", "outcome": "500 KeyError: 'total'"},
                "process": PROCESS.id,
                "exchanges": 3,
                "complete": True,
            }
        ],
    }


def test_the_newest_trace_stands_first_and_one_without_a_start_last(tmp_path: Path) -> None:
    unstarted = replace(part(0, exchanges=(query(1),)), trace_id="ff" * 16)
    write(Store(tmp_path), ROOT_PART, NEWER, unstarted)
    traces = Store(tmp_path).list_traces().traces
    assert [trace.trace_id for trace in traces] == [NEWER_ID, TRACE_ID, "ff" * 16]
    assert (traces[2].started_at, traces[2].duration_ms, traces[2].complete) == (None, None, False)


def test_a_store_that_is_not_there_or_holds_something_else_is_empty(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").list_traces().traces == ()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / TRACE_ID).mkdir()
    assert Store(tmp_path).list_traces().traces == ()


def test_a_damaged_file_hides_neither_the_other_traces_nor_itself(tmp_path: Path) -> None:
    store = Store(tmp_path)
    whole, other = write(store, ROOT_PART, NEWER)
    whole.write_bytes(whole.read_bytes()[:30])
    listing = store.list_traces()
    assert [trace.trace_id for trace in listing.traces] == [NEWER_ID]
    (problem,) = listing.problems
    assert problem.startswith(f"{whole}: not a readable cassette: ")
    assert other.exists()


def test_a_trace_with_one_damaged_part_is_listed_as_incomplete(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _, late = write(store, ROOT_PART, part(1, exchanges=(query(3),)))
    late.write_bytes(b"")
    listing = store.list_traces()
    assert [(trace.trace_id, trace.complete) for trace in listing.traces] == [(TRACE_ID, False)]
    assert len(listing.problems) == 1


def test_a_part_in_the_folder_of_another_trace_is_a_problem(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (written,) = write(store, ROOT_PART)
    written.parent.rename(tmp_path / NEWER_ID)
    listing = store.list_traces()
    assert listing.traces == ()
    assert f"it is a part of trace {TRACE_ID}" in listing.problems[0]


def test_r31_all_parts_of_a_trace_share_what_memory_they_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    write(store, ROOT_PART, *(part(number) for number in range(1, 200)), NEWER)
    monkeypatch.setattr(listing, "Allowance", lambda: Allowance(MIB // 4))
    found = store.list_traces()
    assert [trace.trace_id for trace in found.traces] == [NEWER_ID, TRACE_ID]
    assert not found.traces[1].complete
    assert 0 < len(found.problems) < 200
    assert "of memory" in found.problems[0]


@pytest.mark.parametrize("start_ns", [-(2**63), 2**63 - 1])
def test_times_at_the_ends_of_time_are_listed(tmp_path: Path, start_ns: int) -> None:
    store = Store(tmp_path)
    write(store, replace(ROOT_PART, spans=(replace(span(ROOT_ID), start_ns=start_ns, end_ns=start_ns),)))
    (trace,) = store.list_traces().traces
    assert orjson.loads(orjson.dumps(trace.as_json()))["started_at"] == trace.started_at


def test_a_thousand_traces_are_listed_in_seconds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, *(replace(ROOT_PART, trace_id=f"{number:032x}") for number in range(1, 1001)))
    began_s = time.process_time()
    assert len(store.list_traces().traces) == 1000
    assert time.process_time() - began_s < 5, "a tenth of it is usual"
