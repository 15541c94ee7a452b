"""What `push` and `jaeger` do with answers that the real Jaeger (tests/promises/test_jaeger.py) does not give."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.cassette import samples
from tests.exporters.otlp.receiver import Reply, receiver
from timetracer_otel.cassette import Cassette, merge
from timetracer_otel.errors import BackendError, DamagedCassette, UsageError
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.exporters.otlp.endpoint import endpoint
from timetracer_otel.exporters.otlp.jaeger import Wanted, checked_trace_id, fetch, search
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
    with receiver(lambda path, body: Reply(413 if len(body) > 3_000 else 200)) as backend:
        pushed = push(CASSETTE, backend.url, QUICK)
    assert pushed.requests > 1
    assert decode(read(backend.data, "it"), "it")[CASSETTE.trace_id].cassette() == CASSETTE


def test_a_span_that_is_too_large_by_itself_is_named_with_its_size() -> None:
    message = refusal(lambda path, body: Reply(413, b"too large"))
    assert "it answered 413 (too large) to a request of 1 spans and " in message
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


def test_an_answer_of_a_search_may_be_anything() -> None:
    wanted = Wanted("shop", {}, 60, 20)
    for body in (b"[]", b'{"data": 5}', b'{"data": [{"spans": [5, {"tags": 7}]}, 3]}', b"nothing"):
        with receiver(always(Reply(200, body))) as backend:
            try:
                found = search(backend.url, wanted, QUICK)
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
