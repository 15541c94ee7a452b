from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from starlette import applications
from starlette.middleware import Middleware
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware as StarletteMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.drivers.asgi.parts import MemoryTape, Message, Telemetry, call
from timetracer_otel.drivers.asgi import record
from timetracer_otel.drivers.asgi.tap import CaptureMiddleware
from timetracer_otel.drivers.missing import MissingNames


async def endpoint(request: Request) -> Response:
    return PlainTextResponse("hello")


@pytest.fixture
def starlette(telemetry: Telemetry) -> Iterator[StarletteInstrumentor]:
    instrumentor = StarletteInstrumentor()
    instrumentor.instrument(tracer_provider=telemetry.provider)
    yield instrumentor
    instrumentor.uninstrument()


@pytest.fixture
def fastapi(telemetry: Telemetry) -> Iterator[FastAPIInstrumentor]:
    instrumentor = FastAPIInstrumentor()
    instrumentor.instrument(tracer_provider=telemetry.provider)
    yield instrumentor
    instrumentor.uninstrument()


def starlette_app(**options: Any) -> Any:
    return applications.Starlette(routes=[Route("/", endpoint)], **options)


def fastapi_app() -> Any:
    import fastapi

    app = fastapi.FastAPI()
    app.add_api_route("/", endpoint)
    return app


def test_starlettes_instrumentor_is_listened_to(tape: MemoryTape, starlette: StarletteInstrumentor) -> None:
    assert call(starlette_app()).body == b"hello"
    assert tape.result["status"] == 200
    assert tape.owners[0].name == "GET /"


def test_fastapis_instrumentor_is_listened_to(tape: MemoryTape, fastapi: FastAPIInstrumentor) -> None:
    assert call(fastapi_app()).body == b"hello"
    assert tape.result["status"] == 200


@pytest.fixture
def native(telemetry: Telemetry) -> Any:
    """An app that FastAPI traces by itself, without contrib's instrumentor."""
    app = FastAPI(telemetry={"tracer_provider": telemetry.provider})
    app.add_api_route("/", endpoint)
    return app


def test_fastapis_own_tracing_is_listened_to(tape: MemoryTape, native: Any) -> None:
    assert call(native).body == b"hello"
    assert tape.result["status"] == 200
    assert tape.owners[0].instrumentation_scope.name == "fastapi"  # type: ignore[union-attr]


def test_fastapis_own_tracing_with_its_instrumentor_makes_one_entry(
    tape: MemoryTape, native: Any, telemetry: Telemetry
) -> None:
    FastAPIInstrumentor.instrument_app(native, tracer_provider=telemetry.provider)
    assert call(native).body == b"hello"
    assert len(tape.captured) == 1


def test_a_request_that_fastapi_does_not_trace_is_not_heard(tape: MemoryTape, telemetry: Telemetry) -> None:
    app = FastAPI(telemetry={"tracer_provider": telemetry.provider, "exclude": lambda scope: scope["path"] == "/"})
    app.add_api_route("/", endpoint)
    assert call(app).body == b"hello"
    assert tape.captured == []


def test_uninstall_gives_fastapi_its_own_call_back() -> None:
    from fastapi.telemetry._asgi import NativeTelemetry

    original = NativeTelemetry.__call__
    recording = record.AsgiRecording()
    recording.install()
    assert NativeTelemetry.__call__ is not original
    recording.uninstall()
    assert NativeTelemetry.__call__ is original


def test_both_instrumentors_together_make_one_entry(
    tape: MemoryTape, starlette: StarletteInstrumentor, fastapi: FastAPIInstrumentor
) -> None:
    call(fastapi_app())
    call(starlette_app())
    assert len(tape.captured) == 2


def test_an_app_instrumented_by_hand_is_listened_to(tape: MemoryTape, telemetry: Telemetry) -> None:
    app = FastAPI()
    app.add_api_route("/", endpoint)
    FastAPIInstrumentor.instrument_app(app, tracer_provider=telemetry.provider)
    assert call(app).body == b"hello"
    assert tape.result["status"] == 200


def test_starlettes_own_middleware_is_listened_to(tape: MemoryTape, telemetry: Telemetry) -> None:
    own = Middleware(StarletteMiddleware, tracer_provider=telemetry.provider)
    assert call(starlette_app(middleware=[own])).body == b"hello"
    assert tape.result["status"] == 200
    assert tape.owners[0].instrumentation_scope.name == "starlette"  # type: ignore[union-attr]


def test_starlettes_own_middleware_inside_of_contribs_makes_one_entry(
    tape: MemoryTape, telemetry: Telemetry, starlette: StarletteInstrumentor
) -> None:
    own = Middleware(StarletteMiddleware, tracer_provider=telemetry.provider)
    call(starlette_app(middleware=[own]))
    assert len(tape.captured) == 1
    assert tape.owners[0].parent is None


def test_starlettes_own_middleware_outside_of_contribs_makes_one_entry(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def bare(scope: Message, receive: Any, send: Any) -> None:
        await PlainTextResponse("hello")(scope, receive, send)

    inner = OpenTelemetryMiddleware(bare, tracer_provider=telemetry.provider)
    call(StarletteMiddleware(inner, tracer_provider=telemetry.provider))
    assert len(tape.captured) == 1
    assert tape.owners[0].parent is None


def test_an_asgi_2_app_is_called_as_one(tape: MemoryTape, telemetry: Telemetry) -> None:
    class Old:
        def __init__(self, scope: Message) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await PlainTextResponse("hello")(self.scope, receive, send)

    assert call(OpenTelemetryMiddleware(Old, tracer_provider=telemetry.provider)).body == b"hello"
    assert tape.result["status"] == 200


def test_install_twice_listens_once(tape: MemoryTape, telemetry: Telemetry) -> None:
    record.RECORDING.install()
    app = OpenTelemetryMiddleware(starlette_app(), tracer_provider=telemetry.provider)
    assert isinstance(app.app, CaptureMiddleware)
    assert not isinstance(app.app.app, CaptureMiddleware)


def test_uninstall_puts_back_what_was_there() -> None:
    originals = OpenTelemetryMiddleware.__init__, StarletteMiddleware.__init__
    recording = record.AsgiRecording()
    recording.install()
    assert OpenTelemetryMiddleware.__init__ is not originals[0]
    recording.uninstall()
    assert (OpenTelemetryMiddleware.__init__, StarletteMiddleware.__init__) == originals


def test_the_signature_of_the_middleware_stays_readable(tape: MemoryTape) -> None:
    import inspect

    assert "excluded_urls" in inspect.signature(OpenTelemetryMiddleware).parameters


def test_without_a_middleware_the_missing_names_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MIDDLEWARE", "NoSuchMiddleware")
    with pytest.raises(MissingNames, match="NoSuchMiddleware: HTTP requests are not recorded"):
        record.AsgiRecording().install()


def test_without_starlettes_own_middleware_contribs_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "STARLETTE", "starlette.middleware.no_such_module")
    recording = record.AsgiRecording()
    recording.install()
    assert [middleware for middleware, _ in recording._originals] == [OpenTelemetryMiddleware]
    recording.uninstall()


def test_the_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMETRACER_PAYLOAD_MAX", "1KiB")
    monkeypatch.setattr("timetracer_otel.drivers.asgi.tap.payload_max_bytes", 0)
    recording = record.AsgiRecording()
    recording.install()
    recording.uninstall()
    from timetracer_otel.drivers.asgi import tap

    assert tap.payload_max_bytes == 1024
