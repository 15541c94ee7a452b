"""What a part says: everything redacted, what cannot be encoded dropped alone and named."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from tests.exporters.conftest import Recording
from tests.exporters.fake import Codec
from timetracer_otel.capture import guard
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette import Entry, decompress
from timetracer_otel.config import Settings
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.exporters import active, encode
from timetracer_otel.redaction import Redactor


def exchange(recording: Recording, request: object, result: object = None, size: int = 10) -> None:
    recorder = recording.active.recorder
    captured = recorder.open("fake", request)
    assert captured is not None
    recorder.close(captured, result, size)


def test_an_exchange_belongs_to_its_span_and_keeps_its_times(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("root"), recording.tracer.start_as_current_span("child") as child:
        exchange(recording, {"n": 1}, {"rows": [b"\xff", None, 1.5]})
    (segment,) = recording.cassette().segments
    (found,) = segment.exchanges
    assert found.span_id == f"{child.get_span_context().span_id:016x}"
    assert found.id == f"{segment.process.id[:8]}-1"
    assert found.complete
    assert found.signature.lib == "fake"
    assert found.result == {"rows": [b"\xff", None, 1.5]}
    assert segment.root is not None
    assert 0 <= found.at_ns <= segment.root.end_ns - segment.root.start_ns
    assert found.duration_ns >= 0


def test_an_exchange_that_cannot_be_encoded_is_dropped_alone_and_stays_visible(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    with recording.tracer.start_as_current_span("root"):
        exchange(recording, {"n": 1})
        exchange(recording, "unencodable", size=77)
        exchange(recording, {"n": object()})
        exchange(recording, {"n": 2})
    (segment,) = recording.cassette().segments
    first, second, third, last = segment.exchanges
    assert (first.request, last.request) == ({"n": 1}, {"n": 2})
    assert second.dropped == {"reason": "encode", "size": 77}
    assert third.dropped == {"reason": "encode", "size": 10}
    assert second.span_id == first.span_id
    assert segment.dropped == {"encode": 2}
    assert guard.failures["encode"] == 2


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("payload_max_bytes", "limit"), ("in_flight_max_bytes", "in_flight"), ("trace_max_bytes", "trace")],
)
def test_over_a_limit_the_payload_goes_and_the_exchange_says_so(
    limit: str, reason: str, record: Callable[[Settings], Recording], tmp_path: Path
) -> None:
    limits: dict[str, Any] = {limit: 10_000}
    recording = record(Settings(store=str(tmp_path / "store"), **limits))
    with recording.tracer.start_as_current_span("root"):
        exchange(recording, {"n": 1}, {"rows": 1}, size=6_000)
        exchange(recording, {"n": 2}, {"rows": 2}, size=10_001)
    (segment,) = recording.cassette().segments
    kept, dropped = segment.exchanges
    assert kept.result == {"rows": 1}
    assert dropped.dropped == {"reason": reason, "size": 10_001}
    assert dropped.request == {"n": 2}
    assert dropped.result == {}
    assert segment.dropped == {reason: 1}


def test_a_request_over_the_limit_goes_too(record: Callable[[Settings], Recording], tmp_path: Path) -> None:
    recording = record(Settings(store=str(tmp_path / "store"), payload_max_bytes=1000))
    with recording.tracer.start_as_current_span("root"):
        exchange(recording, {"n": "x" * 2000}, {"rows": 2}, size=2010)
    (found,) = recording.cassette().segments[0].exchanges
    assert found.request == {}
    assert found.signature.url == "shop"


def test_r27_span_limits_do_not_cut_payloads(
    monkeypatch: pytest.MonkeyPatch, record: Callable[[Settings], Recording], tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "200")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "16")
    recording = record(Settings(store=str(tmp_path / "store")))
    with recording.tracer.start_as_current_span("root") as root:
        root.set_attribute("control", "x" * 1000)
        for number in range(300):
            exchange(recording, {"n": number}, {"rows": "x" * 50_000}, size=50_000)
    (segment,) = recording.cassette().segments
    assert segment.root is not None
    assert segment.root.attributes == {"control": "x" * 200}
    assert [found.request["n"] for found in segment.exchanges] == list(range(300))
    assert all(found.result == {"rows": "x" * 50_000} and found.dropped is None for found in segment.exchanges)


def test_r28_what_is_not_sampled_or_suppressed_captures_nothing(recording: Recording) -> None:
    from opentelemetry.instrumentation.utils import suppress_instrumentation
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    recorder = recording.active.recorder
    recorder.entry_began()
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    active.attach(unsampled)
    with unsampled.get_tracer("app").start_as_current_span("root"):
        assert recorder.open("fake", {"n": 1}) is None
    with recording.tracer.start_as_current_span("root"):
        with suppress_instrumentation():
            assert recorder.open("fake", {"n": 2}) is None
        exchange(recording, {"n": 3})
    (found,) = recording.cassette().segments[0].exchanges
    assert found.request == {"n": 3}


def test_secrets_are_masked_at_every_place_of_a_part(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "hunter2-of-the-test"
    monkeypatch.setattr(sys, "argv", ["app.py", "--password", secret])
    provider = TracerProvider(resource=Resource({"api_key": secret, "service.name": "shop"}), shutdown_on_exit=False)
    active.attach(provider)
    with provider.get_tracer("app").start_as_current_span(f"GET /?token={secret}") as root:
        root.set_attribute("password", secret)
        root.set_attribute("secret", [secret])
        root.set_attribute("http.url", f"https://app:{secret}@host/")
        root.add_event("login", {"passwd": secret})
        root.set_status(trace.StatusCode.ERROR, f"password='{secret}'")
        exchange(recording, {"password": secret})
        recording.active.recorder.connected(1, "fake", f"postgresql://app:{secret}@db/shop", {"password": secret})
    (segment,) = recording.cassette().segments
    assert segment.resource["service.name"] == "shop"
    assert segment.exchanges[0].redacted == ("request.password",)
    for path in (tmp_path / "store").rglob("*.zst"):
        assert secret.encode() not in decompress(path.read_bytes())


def test_what_an_entry_gives_on_is_known_by_what_it_was_told_and_what_it_asks_by_what_it_was_sent(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It began before all that it asks, and ended after it."""

    class Masking(Codec):
        def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
            (request, asked), (result, told) = (
                redactor.value(each, name) for each, name in ((encoded.request, "request"), (encoded.result, "result"))
            )
            return replace(encoded, request=request, result=result), (*asked, *told)  # type: ignore[arg-type]  # dicts

    entry = registry.Driver(module="tests.exporters", instrumentors=(), library="", entry="http.server")
    monkeypatch.setitem(registry.DRIVERS, "entry", entry)
    monkeypatch.setattr(registry, "codec", lambda name: Masking())
    sent, told, made = (f"{name}-{os.urandom(12).hex()}" for name in ("sent", "told", "made"))
    tape = recording.active.recorder
    with recording.tracer.start_as_current_span("root"):
        outer = tape.open("entry", {"cookie": sent}, is_entry=True)
        assert outer is not None
        exchange(recording, {"q": [sent, made]}, {"access_token": told})
        exchange(recording, {"q": f"/{told}/"}, {})
        tape.close(outer, {"body": told, "set-cookie": made}, 10)
    entry_exchange, first, second = recording.cassette().segments[0].exchanges
    assert entry_exchange.request["cookie"] == first.request["q"][0]  # type: ignore[index]  # a list
    assert entry_exchange.result["set-cookie"] == first.request["q"][1]  # type: ignore[index]  # a list
    assert entry_exchange.result["body"] == first.result["access_token"]
    assert second.request["q"] == f"/{entry_exchange.result['body']}/"
    assert "result.body" in entry_exchange.redacted
    kept = b"".join(decompress(path.read_bytes()) for path in tmp_path.rglob("*.zst"))
    assert kept
    assert [secret for secret in (sent, told, made) if secret.encode() in kept] == []


def test_the_environment_is_what_came_before_the_first_entry(recording: Recording) -> None:
    recorder = recording.active.recorder
    exchange(recording, {"n": "start-up"})
    recorder.connected(1, "fake", "postgresql://db/shop", {"server_version": 150018})
    with recording.tracer.start_as_current_span("pool", kind=trace.SpanKind.CLIENT):
        exchange(recording, {"n": "pool"})
    with recording.tracer.start_as_current_span("GET /", kind=trace.SpanKind.SERVER):
        exchange(recording, {"n": "entry"})
    with recording.tracer.start_as_current_span("poller", kind=trace.SpanKind.CLIENT):
        exchange(recording, {"n": "later"})
    recording.tracer.start_span("GET /2", kind=trace.SpanKind.SERVER).end()
    first, second = recording.cassettes()
    (environment,) = first.environment_of(first.segments[0])
    assert [found.request["n"] for found in environment.exchanges] == ["start-up", "pool"]
    assert [connection.target for connection in environment.connections] == ["postgresql://db/shop"]
    assert [found.request["n"] for found in first.segments[0].exchanges] == ["entry"]
    assert second.segments[0].dropped == {"not_entry": 1}


def test_an_answer_after_the_part_is_a_further_revision(recording: Recording) -> None:
    recorder = recording.active.recorder
    with recording.tracer.start_as_current_span("root"):
        captured = recorder.open("fake", {"n": 1})
    assert captured is not None
    (before,) = recording.cassette().segments[0].exchanges
    assert not before.complete
    recorder.close(captured, {"rows": 1}, 10)
    (after,) = recording.cassette().segments[0].exchanges
    assert after.complete
    assert (after.id, after.rev, after.result) == (before.id, 1, {"rows": 1})


def test_an_exception_after_the_answer_is_in_the_outcome_though_the_part_was_written_before_it(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Heard(Codec):
        def encode(self, captured: Captured) -> Encoded:
            return replace(super().encode(captured), type="http.server")

    entry = registry.Driver(module="tests.exporters", instrumentors=(), library="", entry="http.server")
    monkeypatch.setitem(registry.DRIVERS, "entry", entry)
    monkeypatch.setattr(registry, "codec", lambda name: Heard())
    recorder = recording.active.recorder
    with recording.tracer.start_as_current_span("POST", kind=trace.SpanKind.SERVER) as root:
        captured = recorder.open("entry", {"path": "/orders"}, is_entry=True)
        assert captured is not None
        root.update_name("POST /orders")
        recorder.close(captured, {"status": 500}, 10)
    (segment,) = recording.cassette().segments
    assert segment.entry == Entry("http.server", "POST /orders", "500")
    error = {"type": "shop.Declined", "message": "no card"}
    recorder.close(captured, {"status": 500, "exception": error}, 10)
    (segment,) = recording.cassette().segments
    assert segment.entry == Entry("http.server", "POST /orders", "500 Declined: no card")


def test_only_ids_that_somebody_saw_are_kept(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("root"):
        used, _unused, raw = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        exchange(recording, {"id": str(used), "raw": b"\xff" + raw.bytes})
    (segment,) = recording.cassette().segments
    assert [found.value for found in segment.generated] == [used.hex, raw.hex]
    assert [found.index for found in segment.generated] == [0, 2]


def test_secrets_are_remembered_for_a_bounded_number_of_traces_whatever_threads_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "TRACES_MAX", 4)
    encoder = encode.Encoder(Settings(store=str(tmp_path)))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(encoder._redactor_of, [number % 50 for number in range(4000)]))
    assert len(found) == 4000
    assert len(encoder._of_traces) <= 4 + 8
    assert encoder._redactor_of(99) is encoder._redactor_of(99)
