from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cassette.samples import CHILD_ID, PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, span
from timetracer_otel.cassette import Part, Process, merge, partly_sampled

ELSEWHERE = "ee" * 8
LABELLED = frozenset({(ROOT_ID, PROCESS.id)})


def labelled(*parts: Part) -> frozenset[tuple[str, str]]:
    return partly_sampled(merge(TRACE_ID, parts))


def with_spans(root_parent: str | None, child_parent: str, remote: bool = False) -> Part:
    root = replace(span(ROOT_ID), parent_id=root_parent, remote_parent=remote)
    return replace(ROOT_PART, spans=(root, replace(span(CHILD_ID), parent_id=child_parent)))


def test_a_parent_that_is_nowhere_in_the_trace_was_not_sampled() -> None:
    assert labelled(with_spans(None, ROOT_ID)) == frozenset()
    assert labelled(with_spans(ELSEWHERE, ROOT_ID)) == LABELLED
    assert labelled(with_spans(None, ELSEWHERE)) == LABELLED


def test_a_parent_in_another_process_says_nothing() -> None:
    assert labelled(with_spans(ELSEWHERE, ROOT_ID, remote=True)) == frozenset()


def test_a_parent_in_another_segment_is_there() -> None:
    other = Part(TRACE_ID, ELSEWHERE, PROCESS, 0, complete=True, spans=(span(ELSEWHERE),))
    assert labelled(with_spans(ELSEWHERE, ROOT_ID), other) == frozenset()
    assert labelled(with_spans(ELSEWHERE, ROOT_ID), replace(other, spans=())) == frozenset()  # killed before its end


def test_after_a_fork_the_parent_is_in_the_process_before() -> None:
    child = replace(with_spans(ELSEWHERE, ROOT_ID), parent_segment="a2" * 8, process=Process("9e" * 16))
    assert labelled(child) == frozenset()


def test_what_may_still_be_open_is_not_missing() -> None:
    assert labelled(replace(with_spans(None, ELSEWHERE), complete=False)) == frozenset()
    assert labelled(part(0, spans=(replace(span(CHILD_ID), parent_id=ELSEWHERE),))) == frozenset()


@pytest.mark.parametrize("reason", ["spans", "orphan"])
def test_what_was_dropped_is_not_taken_for_not_sampled(reason: str) -> None:
    assert labelled(replace(with_spans(None, ELSEWHERE), dropped={reason: 1})) == frozenset()
