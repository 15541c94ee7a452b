"""A cassette goes to OTLP and comes back equal, through protobuf and through JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from tests.cassette import samples, strategies
from tests.exporters.otlp.worst import worst
from timetracer_otel.cassette import (
    Cassette,
    Exchange,
    Signature,
    as_json,
    merge,
)
from timetracer_otel.exporters.otlp import names, otlp_json
from timetracer_otel.exporters.otlp.attributes import BACKENDS_OWN, read_attributes
from timetracer_otel.exporters.otlp.bridge import spans_of
from timetracer_otel.exporters.otlp.decoding import Pulled, decode
from timetracer_otel.exporters.otlp.packing import packages
from timetracer_otel.exporters.otlp.reading import read


def sent(cassette: Cassette) -> TracesData:
    """As a receiver has it after all requests."""
    data = TracesData()
    for package in packages(spans_of(cassette)):
        data.MergeFrom(package.message())
    return data


def back(data: TracesData, cassette: Cassette) -> Pulled:
    return decode(data, "backend")[cassette.trace_id]


def same(one: Cassette, other: Cassette) -> bool:
    """As documents, since a NaN is not equal to itself; attributes have no order."""
    return bool(in_order(as_json(one)) == in_order(as_json(other)))


def in_order(json: Any) -> Any:
    if isinstance(json, dict):
        pairs = {key: in_order(value) for key, value in json.items()}
        return {**pairs, "$map": sorted(pairs["$map"], key=repr)} if "$map" in pairs else pairs
    return [in_order(each) for each in json] if isinstance(json, list) else json


@st.composite
def cassettes(draw: st.DrawFn) -> Cassette:
    """As `merge` makes them of what was recorded: one process has one identity, a part one number."""
    trace_id, process = draw(strategies.trace_ids), draw(strategies.processes)
    parts = draw(st.lists(strategies.parts, min_size=1, max_size=3, unique_by=lambda part: part.part))
    segment = draw(strategies.span_ids)
    mine = [
        replace(part, trace_id=trace_id, process=process, segment=segment if draw(st.booleans()) else part.segment)
        for part in parts
    ]
    environments = draw(st.lists(strategies.environment_parts, max_size=1))
    return merge(trace_id, mine, [replace(each, process=process) for each in environments])


@given(cassettes())
@settings(max_examples=60)
def test_any_cassette_comes_back_equal_through_protobuf_and_json(cassette: Cassette) -> None:
    data = sent(cassette)
    for returned in (TracesData.FromString(data.SerializeToString()), read(otlp_json.dumps(data), "file")):
        pulled = back(returned, cassette)
        assert pulled.problems == ()
        assert same(pulled.cassette(), cassette)


# ---- the worst case --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worst_case() -> Cassette:
    return worst()


def test_the_worst_case_comes_back_equal_in_requests_below_3_mib(worst_case: Cassette) -> None:
    messages = [package.message().SerializeToString() for package in packages(spans_of(worst_case))]
    assert max(map(len, messages)) < names.REQUEST_MAX_BYTES
    assert sum(map(len, messages)) > 6_000_000
    pulled = back(read(b"".join(messages), "backend"), worst_case)
    assert pulled.problems == ()
    assert same(pulled.cassette(), worst_case)


def test_no_value_is_longer_than_every_backend_takes(worst_case: Cassette) -> None:
    longest = 0
    for one in spans_of(worst_case):
        assert len({each.key for each in one.span.attributes}) == len(one.span.attributes)
        longest = max(longest, *(each.value.ByteSize() for each in one.span.attributes))
    assert longest < 65_000


# ---- what a backend does ---------------------------------------------------------------------------------------------


def each_span(data: TracesData) -> Iterator[SpanMessage]:
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def test_what_badger_loses_is_folded_back_in_from_the_residue() -> None:
    """As Jaeger's translation to its first model does: microseconds, lists as text, no events' and links' attributes,
    no flags, and attributes of its own."""
    cassette = worst(spans_number=70, rows_number=2_500)
    data = sent(cassette)
    for span in each_span(data):
        _as_badger(span)
    pulled = back(data, cassette)
    assert pulled.problems == ()
    assert same(pulled.cassette(), cassette)


def _as_badger(span: SpanMessage) -> None:
    span.start_time_unix_nano -= span.start_time_unix_nano % 1000
    span.end_time_unix_nano -= span.end_time_unix_nano % 1000
    span.flags, span.status.code = 0, Status.STATUS_CODE_UNSET
    for each in (*span.events, *span.links):
        del each.attributes[:]
    for attribute in span.attributes:
        if attribute.value.WhichOneof("value") in ("array_value", "kvlist_value"):
            attribute.value.string_value = repr(read_attributes([attribute]))
    for name in sorted(BACKENDS_OWN):
        added = span.attributes.add()
        added.key, added.value.string_value = name, "added by the backend"


def test_a_span_that_came_twice_is_one_span_and_others_are_not_ours() -> None:
    cassette = merge(samples.TRACE_ID, [samples.ROOT_PART], [samples.ENVIRONMENT_PART])
    data = sent(cassette)
    data.MergeFrom(sent(cassette))
    plain = data.resource_spans[0].scope_spans[0].spans
    for span_id, name in ((bytes.fromhex(samples.ROOT_ID), "by the plain exporter"), (b"\x07" * 8, "of others")):
        added = plain.add()
        added.trace_id, added.span_id, added.name = bytes.fromhex(samples.TRACE_ID), span_id, name
    pulled = back(data, cassette)
    assert same(pulled.cassette(), cassette)
    assert (pulled.problems, pulled.others) == ((), 1)


def test_an_exchange_without_a_span_is_shown_as_one() -> None:
    spans = spans_of(merge(samples.TRACE_ID, [samples.ROOT_PART]))
    made = [one.span for one in spans if read_attributes(one.span.attributes).get(names.KIND) == names.EXCHANGE_SPAN]
    assert [span.name for span in made] == ["psycopg SELECT shop.orders"] * 2
    assert {span.parent_span_id.hex() for span in made} == {samples.CHILD_ID}


def test_what_a_request_asked_for_stands_on_the_span_of_the_request() -> None:
    client = replace(samples.span(samples.CHILD_ID), kind="CLIENT")
    part = replace(samples.ROOT_PART, spans=(client, samples.span(samples.ROOT_ID)), exchanges=(samples.query(1),))
    (one,) = [
        each.span for each in spans_of(merge(part.trace_id, [part])) if each.span.kind == each.span.SPAN_KIND_CLIENT
    ]
    attributes = read_attributes(one.attributes)
    text = str(attributes[names.REQUEST])
    assert text.startswith('{"op":"query","statement":"select total')
    assert attributes[names.REQUEST + names.SIZE] == len(text.encode())
    assert sum(name.startswith(names.PREFIX) for name in attributes) <= 12


def test_integers_in_payloads_are_exact_in_a_browser() -> None:
    exchange = Exchange("9f9f9f9f-1", "x", Signature("fake", "", ""), {"n": 2**53 + 1, "m": -5}, {})
    part = replace(samples.ROOT_PART, exchanges=(exchange,))
    found = [read_attributes(one.span.attributes) for one in spans_of(merge(part.trace_id, [part]))]
    assert '{"n":{"$int":"0x20000000000001"},"m":-5}' in [each.get(names.REQUEST) for each in found]
