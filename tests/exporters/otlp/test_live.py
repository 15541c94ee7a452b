"""`timetracer_otlp` in this process: what was recorded arrives, and a backend that is away costs the app nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.exporters.otlp.receiver import Receiver, Reply, receiver
from timetracer_otel.capture import guard, table
from timetracer_otel.cassette import Cassette
from timetracer_otel.exporters import TimetracerSpanExporter, active
from timetracer_otel.exporters.live import TimetracerOtlpExporter
from timetracer_otel.exporters.otlp import sender, transfer
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.store import Store


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    active.stop()


def provider(*exporters: TimetracerSpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    for exporter in exporters:
        made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def ask(made: TracerProvider, secret: str = "") -> None:
    """One request of a function."""
    with made.get_tracer("tests").start_as_current_span("report", attributes={"note": secret}):
        tape = table.tape()
        assert tape is not None
        captured = tape.open("fake", {"n": 2**60, "password": secret})
        assert captured is not None
        tape.close(captured, {"rows": "é" * 60_000}, 120_000)
    assert made.force_flush()


def arrived(backend: Receiver) -> Cassette:
    (pulled,) = decode(read(backend.data, "backend"), "backend").values()
    assert pulled.problems == ()
    return pulled.cassette()


def test_a_trace_arrives_with_its_payloads_and_no_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
        ask(provider(TimetracerOtlpExporter()), "kT4-secret-of-this-trace")
        (segment,) = arrived(backend).segments
    assert segment.complete
    (exchange,) = segment.exchanges
    assert (exchange.request["n"], exchange.result) == (2**60, {"rows": "é" * 60_000})
    assert list(tmp_path.iterdir()) == []
    assert b"kT4-secret-of-this-trace" not in backend.data
    assert b"[redacted:password#" in backend.data


def test_beside_the_exporter_of_files_both_have_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
        ask(provider(TimetracerOtlpExporter(), TimetracerSpanExporter(tmp_path / "cassettes")))
        sent = arrived(backend)
    stored, _ = Store(tmp_path / "cassettes").open_cassette(sent.trace_id)
    assert stored.segments == sent.segments


def test_a_backend_that_is_away_or_refuses_is_counted_and_the_app_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "DELAYS_S", (0.0,))
    with receiver(lambda path, body: Reply(400, b"no")) as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
        ask(provider(TimetracerOtlpExporter()))
    assert guard.counts()["otlp"] == 1
    active.stop()
    ask(provider(TimetracerOtlpExporter()))  # nobody listens there now
    assert guard.counts()["otlp"] == 2


def test_what_is_over_the_limit_of_the_queue_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "QUEUED_MAX_BYTES", 1000)
    with receiver() as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
        ask(provider(TimetracerOtlpExporter()))
    assert (backend.bodies, guard.counts()["otlp"]) == ([], 1)


def test_who_waited_in_vain_for_a_backend_waits_again_only_for_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that ends flushes several times."""
    answers = threading.Event()
    with receiver(lambda path, body: Reply(200 if answers.wait(30) else 500)) as backend:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
        made = provider(TimetracerOtlpExporter())
        with made.get_tracer("tests").start_as_current_span("report"):
            pass
        recording = active.active()
        assert recording is not None
        assert recording.writer.flush(0.01) is False
        assert recording.writer.flush(3600) is False
        answers.set()
        while not recording.writer.flush(1):
            time.sleep(0.01)
    assert len(backend.bodies) == 1


def test_a_bad_endpoint_is_one_line_and_nothing_is_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")
    TimetracerOtlpExporter()
    assert active.active() is None
    assert "nothing is sent: OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' is no URL" in caplog.text
