"""Where OTLP goes and how, by the variables of OpenTelemetry's own exporter.

Source: OpenTelemetry specification 1.50, "OpenTelemetry Protocol Exporter".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from timetracer_otel.errors import UsageError
from timetracer_otel.exporters.otlp.transfer import Connection, checked_url

DEFAULT_URL: Final = "http://localhost:4318"
DEFAULT_TIMEOUT_S: Final = 10.0
PATH: Final = "/v1/traces"
_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    connection: Connection
    is_packed: bool = False
    """Requests are sent as gzip."""


def endpoint(environ: Mapping[str, str]) -> Endpoint:
    """Raises UsageError for a value that cannot be used.

    The protocol is HTTP whatever OTEL_EXPORTER_OTLP_PROTOCOL says: opentelemetry-distro sets it to grpc for everybody.
    """
    compression = _value(environ, "COMPRESSION") or "none"
    if compression not in ("gzip", "none"):
        raise UsageError(_named(environ, "COMPRESSION"), f"{compression!r} is neither gzip nor none", "correct it")
    return Endpoint(_url(environ), connection_of(environ), compression == "gzip")


def connection_of(environ: Mapping[str, str]) -> Connection:
    """Headers, time limit and certificates. Raises UsageError."""
    from opentelemetry.util.re import parse_env_headers

    headers = parse_env_headers(_value(environ, "HEADERS"), liberal=True)
    return Connection(headers, _timeout_s(environ), _value(environ, "CERTIFICATE") or None)


def _url(environ: Mapping[str, str]) -> str:
    own = environ.get(f"{_PREFIX}TRACES_ENDPOINT", "").strip()
    if own:
        url = checked_url(own, f"{_PREFIX}TRACES_ENDPOINT")
        return _for_http(url) if urlsplit(url).path else _for_http(url) + PATH
    base = environ.get(f"{_PREFIX}ENDPOINT", "").strip() or DEFAULT_URL
    return _for_http(checked_url(base, f"{_PREFIX}ENDPOINT")) + PATH


def _for_http(url: str) -> str:
    """The port for HTTP where that for gRPC is named, as a plain `otlp` beside us may need it."""
    parts = urlsplit(url)
    if parts.port != _GRPC_PORT:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{_HTTP_PORT}"))


def _timeout_s(environ: Mapping[str, str]) -> float:
    text = _value(environ, "TIMEOUT")
    if not text:
        return DEFAULT_TIMEOUT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise UsageError(_named(environ, "TIMEOUT"), f"{text[:40]!r} is no number of seconds", "write one such as 10")
    return seconds


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(_named(environ, name), "").strip()


def _named(environ: Mapping[str, str], name: str) -> str:
    """The variable that counts: that for traces goes before that for all signals."""
    own = f"{_PREFIX}TRACES_{name}"
    return own if environ.get(own, "").strip() else _PREFIX + name
