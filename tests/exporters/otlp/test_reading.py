"""Any bytes give traces or one exception; a stranger's spans name no file and take no more memory than is allowed."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.cassette import samples
from tests.exporters.otlp.test_bridge import each_span, sent
from timetracer_otel.cassette import Cassette, compress, merge
from timetracer_otel.errors import CassetteError, DamagedCassette
from timetracer_otel.exporters.otlp import names, otlp_json, reading
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.exporters.otlp.reading import read

CASSETTE: Cassette = merge(samples.TRACE_ID, [samples.ROOT_PART], [samples.ENVIRONMENT_PART])


@pytest.mark.parametrize("packed", [bytes, gzip.compress, compress], ids=["plain", "gzip", "zstd"])
def test_every_form_of_a_file_gives_the_same(packed: type[bytes]) -> None:
    data = sent(CASSETTE)
    line, binary = otlp_json.dumps(data), data.SerializeToString()
    framed = b"".join(len(each).to_bytes(4, "big") + each for each in (binary, binary))
    forms = [line, line + b"\n" + line + b"\n", b'{"result":' + line + b"}", binary, framed, json.dumps([1]).encode()]
    for form in forms[:-1]:
        assert decode(read(packed(form), "file"), "file")[CASSETTE.trace_id].cassette() == CASSETTE
    with pytest.raises(DamagedCassette):
        read(packed(forms[-1]), "file")


def test_json_is_that_of_the_specification() -> None:
    (resource,) = [json.loads(otlp_json.dumps(sent(CASSETTE)))["resourceSpans"][0]]
    span = resource["scopeSpans"][0]["spans"][0]
    assert (span["traceId"], span["spanId"]) == (samples.TRACE_ID, samples.ROOT_ID)
    assert (span["kind"], span["startTimeUnixNano"]) == (1, str(samples.START_NS))
    assert {"key": names.SCHEMA, "value": {"intValue": "1"}} in span["attributes"]


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@settings(max_examples=60)
def test_any_bytes_give_traces_or_a_damaged_file(data: bytes) -> None:
    try:
        decode(read(data, "file"), "file")
    except CassetteError:
        pass


@pytest.mark.parametrize("place", ['{"resourceSpans": [{%s: 1}]}', "{%s: []}"])
def test_r31_a_name_with_half_of_a_surrogate_pair_is_a_damaged_file(place: str) -> None:
    with pytest.raises(DamagedCassette):
        read((place % r'"\ud800"').encode(), "file")


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"\1" * 8])
def test_r31_a_span_that_is_of_no_trace_is_a_damaged_file(trace_id: bytes) -> None:
    data = sent(CASSETTE)
    next(iter(each_span(data))).trace_id = trace_id
    with pytest.raises(DamagedCassette, match="no trace id of 16 bytes"):
        decode(data, "file")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1_000_000)
    with pytest.raises(DamagedCassette, match="larger than any cassette"):
        read(gzip.compress(b"\0" * 1_000_001), "file")


def _with(name: str, value: str) -> TracesData:
    data = sent(CASSETTE)
    for span in each_span(data):
        for attribute in span.attributes:
            if attribute.key == name:
                attribute.value.string_value = value
            elif attribute.key == name + names.SHA256:
                attribute.key = "gone"
    return data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (names.RESULT, '{"$blob":{"sha256":"%s","offset":0,"size":9}}' % ("a" * 64)),
        (names.RESULT, '{"$payload":{"sha256":"%s","size":9}}' % ("a" * 64)),
        (names.HEAD, '{"part":{"timetracer":1,"segment":"../../etc"},"spans":0,"exchanges":0}'),
        (names.HEAD, '{"part":{"timetracer":99},"spans":0,"exchanges":0}'),
        (names.EXCHANGE, '{"id":5}'),
        (names.RESIDUE, '{"start_ns":"now"}'),
    ],
    ids=["blob", "payload", "head", "newer", "exchange", "residue"],
)
def test_a_strangers_records_are_read_strictly(name: str, value: str) -> None:
    with pytest.raises(CassetteError):
        decode(_with(name, value), "file")


def test_what_is_cut_is_named_and_never_decoded_in_part() -> None:
    data = sent(CASSETTE)
    for span in each_span(data):
        for attribute in span.attributes:
            if attribute.key == names.RESULT:
                attribute.value.string_value = attribute.value.string_value[:-1]
    pulled = decode(data, "file")[CASSETTE.trace_id]
    assert len(pulled.problems) == 3
    assert pulled.problems[0].startswith("exchange 9f9f9f9f-1 on span ")
    assert pulled.problems[0].endswith("timetracer.result was cut: 70 of 71 bytes came back")
    (segment,) = pulled.cassette().segments
    assert not segment.complete
    assert [(each.result, each.dropped) for each in segment.exchanges] == [({}, {"reason": "cut", "size": 71})] * 2
    assert segment.dropped == {"limit": 1, "cut": 2}


def test_spans_that_did_not_come_back_are_counted() -> None:
    data = sent(CASSETTE)
    del data.resource_spans[0].scope_spans[0].spans[1]
    assert decode(data, "file")[CASSETTE.trace_id].problems == (
        "segment 7f3a91c2/a1a1a1a1: 1 of 2 spans did not come back",
    )
