"""The tap's place: just inside contrib's `OpenTelemetryMiddleware`, inside Starlette's own and inside FastAPI's own.

Seams: opentelemetry-instrumentation-asgi >= 0.51b0 (`OpenTelemetryMiddleware.app`), which Starlette's and FastAPI's
instrumentors build; starlette >= 1.10 (`starlette.middleware.opentelemetry.OpenTelemetryMiddleware.app`); FastAPI's
`fastapi.telemetry._asgi.NativeTelemetry.__call__(app=)`, as in 0.165, which traces where no instrumentor does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, Final

from wrapt import register_post_import_hook

from timetracer_otel.capture.guard import guarded
from timetracer_otel.config import Settings
from timetracer_otel.drivers.asgi import lending, tap
from timetracer_otel.drivers.missing import MissingNames

CONTRIB: Final = "opentelemetry.instrumentation.asgi"
STARLETTE: Final = "starlette.middleware.opentelemetry"
MIDDLEWARE: Final = "OpenTelemetryMiddleware"
FASTAPI: Final = "fastapi.telemetry._asgi"
NATIVE: Final = "NativeTelemetry"

Init = Callable[..., None]
Call = Callable[..., Any]


class AsgiRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, Init]] = []
        self._native: tuple[Any, Call] | None = None

    def install(self) -> None:
        """Raises MissingNames if there is no OpenTelemetry middleware to listen in."""
        if self._originals:
            return
        middlewares = [found for found in map(_middleware, (CONTRIB, STARLETTE)) if found is not None]
        if not middlewares:
            lost = "HTTP requests are not recorded"
            raise MissingNames("asgi", _version(), (f"{CONTRIB}.{MIDDLEWARE}", f"{STARLETTE}.{MIDDLEWARE}"), lost)
        settings = Settings.from_environment()
        tap.payload_max_bytes, lending.budget.max_bytes = settings.payload_max_bytes, settings.in_flight_max_bytes
        for middleware in middlewares:
            self._originals.append((middleware, middleware.__init__))
            middleware.__init__ = _listening(middleware.__init__)
        register_post_import_hook(self._fastapi_came, FASTAPI)  # at once if it is here; an app without it never pays

    @guarded(lending.TAP)
    def _fastapi_came(self, module: ModuleType) -> None:
        native: Any = getattr(module, NATIVE, None)
        if native is not None and self._originals and self._native is None:
            self._native = native, native.__call__
            native.__call__ = _listening_in_call(native.__call__)

    def uninstall(self) -> None:
        """Middlewares built meanwhile keep their ear, which hears nothing while no tape is active."""
        for middleware, original in self._originals:
            middleware.__init__ = original
        self._originals.clear()
        if self._native is not None:
            native, call = self._native
            native.__call__ = call
        self._native = None


def _middleware(module: str) -> Any:
    """The class, None where the module or the class is absent. Any: its __init__ is about to be replaced."""
    try:
        return getattr(import_module(module), MIDDLEWARE, None)
    except ImportError:
        return None


def _version() -> str:
    try:
        return version("opentelemetry-instrumentation-asgi")
    except PackageNotFoundError:
        return "(not installed)"


def _listening(original: Init) -> Init:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        _put_ear_in(self)

    return __init__


def _listening_in_call(original: Call) -> Call:
    @functools.wraps(original)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **(_with_ear(self, kwargs) or kwargs))

    return __call__


@guarded(lending.TAP)
def _with_ear(native: object, arguments: dict[str, Any]) -> dict[str, Any]:
    """FastAPI leaves the tracing to contrib's middleware where there is one: the ear is in that."""
    if "app" not in arguments or arguments.get("legacy_otel"):
        return arguments
    return {**arguments, "app": tap.CaptureMiddleware(arguments["app"], native)}


@guarded(lending.TAP)
def _put_ear_in(middleware: Any) -> None:
    # After its own __init__, which decides from the app's shape how to call it (ASGI 2 or 3).
    middleware.app = tap.CaptureMiddleware(middleware.app, middleware)


RECORDING: Final = AsgiRecording()
