"""hypothesis strategies for everything that a cassette holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from hypothesis import strategies as st

from timetracer_otel.cassette import (
    Acquire,
    Blob,
    Cassette,
    Connection,
    Entry,
    Environment,
    EnvironmentPart,
    Exchange,
    Generated,
    Part,
    Payload,
    Process,
    Segment,
    Signature,
    Span,
    SpanEvent,
    SpanLink,
    Value,
)

T = TypeVar("T")

any_text = st.text(st.characters(), max_size=8) | st.text("$ab\ud800\udc00\x00", max_size=4)
int64 = st.integers(-(2**63), 2**63 - 1)
trace_ids = st.integers(1, 2**128 - 1).map("{:032x}".format)
span_ids = st.integers(1, 2**64 - 1).map("{:016x}".format)


def scalars() -> st.SearchStrategy[Value]:
    integers = st.integers(-(2**70), 2**70)
    floats = st.floats() | st.sampled_from([-0.0, 0.0, 1.0, 5e-324])
    return st.none() | st.booleans() | integers | floats | any_text | st.binary(max_size=8)


def _containers(children: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.lists(children, max_size=4) | st.dictionaries(any_text, children, max_size=4)


blobs = st.builds(
    Blob, st.integers(0, 2**256 - 1).map("{:064x}".format), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)
)
value_or_blob: st.SearchStrategy[Value] = st.recursive(scalars() | blobs, _containers, max_leaves=12)
any_value: st.SearchStrategy[Value] = st.recursive(scalars(), _containers, max_leaves=12)
payloads: st.SearchStrategy[Payload] = st.dictionaries(any_text, any_value, max_size=3)


def _tuples(items: st.SearchStrategy[T], most: int = 2) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most).map(tuple)


text_maps: st.SearchStrategy[Mapping[str, str]] = st.dictionaries(any_text, any_text, max_size=2)
counts: st.SearchStrategy[Mapping[str, int]] = st.dictionaries(any_text, st.integers(0, 9), max_size=2)

processes = st.builds(
    Process,
    id=trace_ids,
    parent=st.none() | trace_ids,
    host=any_text,
    pid=int64,
    started_ns=int64,
    argv=_tuples(any_text),
    cwd=any_text,
    sys_path=_tuples(any_text),
    hash_seed=any_text,
    python=any_text,
    packages=text_maps,
    variables=text_maps,
)
spans = st.builds(
    Span,
    span_id=span_ids,
    name=any_text,
    kind=st.sampled_from(["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]),
    start_ns=int64,
    end_ns=int64,
    parent_id=st.none() | span_ids,
    remote_parent=st.booleans(),
    trace_state=any_text,
    scope=any_text,
    scope_version=any_text,
    status=st.sampled_from(["UNSET", "OK", "ERROR"]),
    status_description=any_text,
    attributes=payloads,
    events=_tuples(st.builds(SpanEvent, any_text, int64, payloads, st.integers(0, 9))),
    links=_tuples(st.builds(SpanLink, trace_ids, span_ids, payloads, any_text, st.integers(0, 9))),
    scope_schema_url=any_text,
    scope_attributes=payloads,
    dropped=counts,
)
exchanges = st.builds(
    Exchange,
    id=any_text,
    type=any_text,
    signature=st.builds(Signature, any_text, any_text, any_text),
    request=payloads,
    result=payloads,
    rev=st.integers(0, 3),
    span_id=st.none() | span_ids,
    complete=st.booleans(),
    target=st.none() | any_text,
    connection=st.none() | int64,
    transaction=st.none() | int64,
    at_ns=int64,
    duration_ns=int64,
    dropped=st.none() | payloads,
    redacted=_tuples(any_text),
)
entries = st.builds(Entry, any_text, any_text, any_text, st.none() | any_text)
connections = st.builds(Connection, int64, any_text, any_text, payloads)
generated = st.builds(Generated, any_text, any_text, int64, any_text)
acquires = st.builds(
    Acquire,
    driver=any_text,
    pool=any_text,
    at_ns=int64,
    wait_ns=int64,
    size=int64,
    max_size=int64,
    idle=int64,
    waiting=int64,
    span_id=st.none() | span_ids,
    connection=st.none() | int64,
    error=st.none() | any_text,
    message=any_text,
)

parts = st.builds(
    Part,
    trace_id=trace_ids,
    segment=span_ids,
    process=processes,
    part=st.integers(0, 9),
    complete=st.booleans(),
    spans=_tuples(spans),
    exchanges=_tuples(exchanges),
    entry=st.none() | entries,
    parent_segment=st.none() | span_ids,
    resource=payloads,
    resource_schema_url=any_text,
    connections=_tuples(connections),
    generated=_tuples(generated),
    pools=_tuples(acquires),
    dropped=counts,
)
environment_parts = st.builds(
    EnvironmentPart,
    process=processes,
    part=st.integers(0, 9),
    exchanges=_tuples(exchanges),
    connections=_tuples(connections),
    dropped=counts,
)


@st.composite
def cassettes(draw: st.DrawFn) -> Cassette:
    """One process has one identity in a whole cassette, as `merge` makes it."""
    known = draw(st.lists(processes, min_size=1, max_size=2, unique_by=lambda process: process.id))
    trace_id = draw(trace_ids)
    segments = st.builds(
        Segment,
        trace_id=st.just(trace_id),
        id=span_ids,
        process=st.sampled_from(known),
        complete=st.booleans(),
        spans=_tuples(spans),
        exchanges=_tuples(exchanges),
        entry=st.none() | entries,
        parent_segment=st.none() | span_ids,
        resource=payloads,
        resource_schema_url=any_text,
        connections=_tuples(connections),
        generated=_tuples(generated),
        pools=_tuples(acquires),
        dropped=counts,
        parts=_tuples(st.integers(0, 9)),
    )
    of_processes = [
        draw(st.builds(Environment, st.just(process), _tuples(exchanges), _tuples(connections), counts))
        for process in known
    ]
    return Cassette(trace_id, draw(_tuples(segments)), {item.process.id: item for item in of_processes})
