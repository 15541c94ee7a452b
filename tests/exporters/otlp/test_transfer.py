"""What `push` and `jaeger` do with answers that the real Jaeger (tests/promises/test_jaeger.py) does not give."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from dataclasses import astuple
from datetime import datetime

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.cassette import samples
from tests.exporters.otlp.receiver import Reply, receiver
from timetracer_otel.cassette import Cassette, merge
from timetracer_otel.errors import BackendError, DamagedCassette, UsageError
from timetracer_otel.exporters.otlp.candidates import Wanted, search
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.exporters.otlp.endpoint import endpoint
from timetracer_otel.exporters.otlp.jaeger import checked_trace_id, fetch
from timetracer_otel.exporters.otlp.push import push
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.exporters.otlp.transfer import Connection, checked_url

CASSETTE: Cassette = merge(samples.TRACE_ID, [samples.ROOT_PART], [samples.ENVIRONMENT_PART])
QUICK = Connection(timeout_s=5)


def always(reply: Reply) -> Callable[[str, bytes], Reply]:
    return lambda path, body: reply


def refusal(answer: Callable[[str, bytes], Reply]) -> str:
    with receiver(answer) as backend, pytest.raises(BackendError) as raised:
        push(CASSETTE, backend.url, QUICK, sleep=lambda seconds: None)
    message = str(raised.value)
    assert "\n" not in message
    return message.replace(backend.url, "URL")


def test_a_busy_backend_is_asked_again_after_the_time_that_it_asks_for() -> None:
    waits: list[float] = []
    replies = [Reply(503, headers={"retry-after": "7"}), Reply(429), Reply()]
    with receiver(lambda path, body: replies.pop(0)) as backend:
        pushed = push(CASSETTE, backend.url, QUICK, sleep=waits.append)
    assert (backend.paths, waits) == (["/v1/traces"] * 3, [7.0, 1.0])
    assert (pushed.requests, pushed.spans) == (1, 6)
    assert decode(read(backend.data, "it"), "it")[CASSETTE.trace_id].cassette() == CASSETTE


def test_a_backend_that_stays_busy_is_given_up() -> None:
    message = refusal(lambda path, body: Reply(503, b'{"message": "overloaded"}'))
    assert message.startswith("URL/v1/traces: it answered 503 (overloaded) to a request of 6 spans and ")


def test_what_is_too_large_is_sent_in_smaller_requests() -> None:
    heard: list[tuple[int, int]] = []
    with receiver(lambda path, body: Reply(413 if len(body) > 3_000 else 200)) as backend:
        pushed = push(CASSETTE, backend.url, QUICK, on_sent=lambda done, all_of_them: heard.append((done, all_of_them)))
    assert pushed.requests > 1
    assert [done for done, _ in heard] == list(range(1, pushed.requests + 1))
    assert heard[-1] == (pushed.requests, pushed.requests)
    assert decode(read(backend.data, "it"), "it")[CASSETTE.trace_id].cassette() == CASSETTE


COLLECTORS_WORDS = b"\x08\x03\x12\x1chttp: request body too large"
"""`google.rpc.Status`, as the real one answers: see `tests/promises/test_jaeger.py`."""


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(413, b"too large"), "413 (too large)"),
        (Reply(400, COLLECTORS_WORDS, "application/x-protobuf"), "400 (http: request body too large)"),
    ],
    ids=["413", "collector"],
)
def test_a_span_that_is_too_large_by_itself_is_named_with_its_size(reply: Reply, words: str) -> None:
    message = refusal(lambda path, body: reply)
    assert f"it answered {words} to a request of 1 spans and " in message
    assert "; the largest is 'span a1' (a1a1a1a1a1a1a1a1) with " in message
    assert message.endswith(
        "raise the receiver's limit (max_request_body_size), or keep payloads outside with --payloads"
    )


def test_what_a_backend_rejects_in_part_is_a_refusal() -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans, answer.partial_success.error_message = 2, "no\nroom"
    reply = Reply(200, answer.SerializeToString(), "application/x-protobuf")
    assert "it rejected 2 spans (no room) of a request of 6 spans" in refusal(lambda path, body: reply)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, b"<!DOCTYPE html><html>", "text/html"), "it answered with a web page"),
        (Reply(401, b"who are you"), "set OTEL_EXPORTER_OTLP_HEADERS"),
        (Reply(302, b"", headers={"location": "http://127.0.0.1:1/"}), "it answered 302 (without a word)"),
    ],
    ids=["page", "unauthorised", "redirect"],
)
def test_an_answer_of_somebody_else_is_said(reply: Reply, words: str) -> None:
    assert words in refusal(lambda path, body: reply)


# ---- pull ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404, b'{"error":{"httpCode":404,"message":"trace not found"}}'), f"no trace {samples.TRACE_ID} (trace"),
        (Reply(404, b"<html>nothing</html>", "text/html"), "it answered 404 with a web page"),
        (Reply(200, b"<html>hello</html>", "text/html"), "it answered 200 with a web page; --from is the address"),
        (Reply(500, b"\x00\xff" * 2_000), "it answered 500 ("),
    ],
    ids=["404", "404-page", "page", "500"],
)
def test_a_pull_says_why_there_is_no_trace(reply: Reply, words: str) -> None:
    with receiver(lambda path, body: reply) as backend, pytest.raises(BackendError) as raised:
        fetch(backend.url, samples.TRACE_ID, QUICK)
    assert words in str(raised.value)
    assert backend.paths == [f"/api/v3/traces/{samples.TRACE_ID}?raw_traces=true"]


@pytest.mark.parametrize("body", [b"{}}", b"[1", b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}'])
def test_an_answer_that_is_no_otlp_is_damaged(body: bytes) -> None:
    with receiver(lambda path, _: Reply(200, body)) as backend, pytest.raises(DamagedCassette):
        fetch(backend.url, samples.TRACE_ID, QUICK)


def test_a_backend_that_is_down_is_one_line() -> None:
    with pytest.raises(BackendError) as raised:
        fetch("http://127.0.0.1:1", samples.TRACE_ID, QUICK)
    url = f"http://127.0.0.1:1/api/v3/traces/{samples.TRACE_ID}"
    assert str(raised.value) == f"{url}: Connection refused; is it running, and is the address right?"


SUMMARIES = json.dumps(
    {
        "summaries": [
            {
                "traceId": "12",
                "rootOperationName": "GET /orders",
                "minStartTimeUnixNano": "1764000000000001500",
                "maxEndTimeUnixNano": "1764000000002001500",
                "spanCount": 7,
                "errorSpanCount": 2,
            },
            {"traceId": "13", "minStartTimeUnixNano": "1764000000000009000", "spanCount": 1},
            5,
        ]
    }
).encode()
WANTED = Wanted("shop", {"a": "b"}, 60, 20)


def test_a_jaeger_that_has_summaries_is_asked_for_them_by_tags() -> None:
    with receiver(always(Reply(200, SUMMARIES))) as backend:
        found = search(backend.url, WANTED, QUICK)
        (asked,) = backend.paths
    assert [astuple(one) for one in found] == [
        ("13".zfill(32), 1_764_000_000_000_009, 0, "", "", 1),
        ("12".zfill(32), 1_764_000_000_000_001, 2_000, "GET /orders", "2 in error", 7),
    ]
    path, _, query = asked.partition("?")
    parameters = dict(urllib.parse.parse_qsl(query))
    assert path == "/api/v3/trace-summaries"
    assert json.loads(parameters.pop("query.attributes")) == {"timetracer.recorded": "true", "a": "b"}
    since, until = (parameters.pop(f"query.start_time_{bound}") for bound in ("min", "max"))
    assert 59 < (datetime.fromisoformat(until[:-1]) - datetime.fromisoformat(since[:-1])).total_seconds() < 61
    assert parameters == {"query.service_name": "shop", "query.num_traces": "20"}


@pytest.mark.parametrize(
    "old", [Reply(200, b"<!DOCTYPE html>", "text/html"), Reply(404, b"404 page not found")], ids=["page", "404"]
)
def test_an_older_jaeger_is_asked_for_traces(old: Reply) -> None:
    replies = [old, Reply(200, b'{"data": [{"traceID": "12", "spans": []}]}')]
    with receiver(lambda path, body: replies.pop(0)) as backend:
        assert [one.trace_id for one in search(backend.url, WANTED, QUICK)] == ["12".zfill(32)]
    assert [path.partition("?")[0] for path in backend.paths] == ["/api/v3/trace-summaries", "/api/traces"]


@pytest.mark.parametrize("is_old", [True, False])
def test_an_answer_of_a_search_may_be_anything(is_old: bool) -> None:
    bodies = [b"[]", b'{"data": 5}', b'{"data": [{"spans": [5, {"tags": 7}]}, 3]}', b"nothing", b'{"summaries": {}}']
    for body in (*bodies, b'{"summaries": [{"minStartTimeUnixNano": -1, "spanCount": "1"}, []]}'):
        old = {"/api/v3/trace-summaries": Reply(404)} if is_old else {}
        with receiver(lambda path, _: old.get(path.partition("?")[0], Reply(200, body))) as backend:  # noqa: B023
            try:
                found = search(backend.url, WANTED, QUICK)
            except BackendError:
                continue
            assert [one.spans for one in found] in ([], [1])


# ---- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "localhost:4318", "ftp://x", "http://", "http://a:99999", "http://u:p@h:4318"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        checked_url(text, "--to")


def test_a_backend_knows_no_beginnings_of_ids() -> None:
    assert checked_trace_id(samples.TRACE_ID.upper()) == samples.TRACE_ID
    for text in ("7f3a", "0" * 32, "../../etc"):
        with pytest.raises(UsageError):
            checked_trace_id(text)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp"}, "https://c/otlp/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:9/own"}, "http://c:9/own"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4318/v1/traces"),
    ],
    ids=["default", "grpc-port", "base", "own", "distro"],
)
def test_the_endpoint_is_that_of_opentelemetrys_own_exporter(environ: dict[str, str], url: str) -> None:
    assert endpoint(environ).url == url


def test_headers_and_compression_are_those_of_the_environment() -> None:
    names = {"HEADERS": "authorization=Bearer%20x", "COMPRESSION": "gzip", "TIMEOUT": "3"}
    found = endpoint({f"OTEL_EXPORTER_OTLP_{name}": value for name, value in names.items()})
    assert (found.connection.headers, found.is_packed) == ({"authorization": "Bearer x"}, True)
    assert found.connection.timeout_s == 3
    with pytest.raises(UsageError):
        endpoint({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"})
