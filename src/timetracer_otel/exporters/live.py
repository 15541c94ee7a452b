"""The exporter that OTEL_TRACES_EXPORTER=timetracer_otlp names: recorded spans with their payloads, as OTLP."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final

from opentelemetry import trace

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.errors import UsageError
from timetracer_otel.exporters import active
from timetracer_otel.exporters.exporter import TimetracerSpanExporter, follow_instrumentors
from timetracer_otel.exporters.outlets import Outlet

NEEDS: Final = {"opentelemetry.proto": "opentelemetry-proto"}
"""What the extra `jaeger` installs."""


class TimetracerOtlpExporter(TimetracerSpanExporter):
    """Begins recording as `timetracer` does, and sends what was recorded to the endpoint of OpenTelemetry's own OTLP
    exporter (OTEL_EXPORTER_OTLP_ENDPOINT, ...HEADERS, ...TIMEOUT, ...COMPRESSION, ...CERTIFICATE), by HTTP.

    Nothing is written to disk unless `timetracer` is named as well. What cannot be sent is lost, counted and one line
    in the log.
    """

    def __init__(self, **unknown: object) -> None:
        super().__init__(None, **unknown)

    @guarded("exporter")
    def _begin(self, store: str | os.PathLike[str] | None) -> None:
        settings = active.settings_of_app()
        if settings is None or settings.mode != "record":
            return
        found = outlet()
        if found is not None:
            active.start(settings, found)
            active.attach(trace.get_tracer_provider())
            follow_instrumentors()


def outlet() -> Outlet | None:
    """None if nothing can be sent: that is one line in the log, and the app goes on."""
    missing = [package for module, package in NEEDS.items() if find_spec(module) is None]
    if missing:
        guard.warn(f"nothing is sent: {', '.join(missing)} not installed; pip install 'timetracer-otel[jaeger]'")
        return None
    from timetracer_otel.exporters.otlp.endpoint import endpoint
    from timetracer_otel.exporters.otlp.live import LiveOutlet

    try:
        return LiveOutlet(endpoint(os.environ))
    except UsageError as error:
        guard.warn(f"nothing is sent: {error}")
        return None
