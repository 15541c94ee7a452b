"""What the environment asks OpenTelemetry for, and what of it is not installed. The SDK is not imported for it.

An exporter that cannot be found ends OpenTelemetry's set-up before any of our code runs in the application: so the
launcher asks here, and `doctor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.util._importlib_metadata import entry_points

EXPORTER: Final = "timetracer"
OTLP_EXPORTER: Final = "timetracer_otlp"
TRACES: Final = "OTEL_TRACES_EXPORTER"
DISABLED: Final = "OTEL_SDK_DISABLED"
SIGNALS: Final = ("traces", "metrics", "logs")
NONE: Final = "none"
CONFIGURATOR: Final = "OTEL_PYTHON_CONFIGURATOR"
DISTRO: Final = "OTEL_PYTHON_DISTRO"
CONFIG_FILE: Final = "OTEL_CONFIG_FILE"
SWITCHED_OFF: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"

_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_OTLP: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_PACKAGES: Final = {
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
    "otlp_proto_http": "opentelemetry-exporter-otlp-proto-http",
    "prometheus": "opentelemetry-exporter-prometheus",
    "zipkin": "opentelemetry-exporter-zipkin",
    EXPORTER: "timetracer-otel",
    OTLP_EXPORTER: "timetracer-otel",
}
_COMMON_DISTRO: Final = "opentelemetry.distro:"
"""opentelemetry-distro: where a variable is unset it asks for otlp over gRPC, for every signal, installed or not."""


@dataclass(frozen=True, slots=True)
class Missing:
    """An exporter that is asked for and not installed."""

    variable: str
    exporter: str
    is_default: bool
    """Nobody has asked for it but the distro."""
    nearest: str | None = None
    """An installed one whose name is close."""

    is_alone: bool = True
    """The variable names no other."""

    @property
    def advice(self) -> str:
        if self.nearest is not None:
            return f"did you mean {self.nearest}?"
        package = _PACKAGES.get(self.exporter)
        remedy = f"set {self.variable} to {NONE}" if self.is_alone else f"take {self._shown} out of it"
        return f"{remedy} or pip install {package}" if package else remedy

    @property
    def _shown(self) -> str:
        return self.exporter or "the comma"

    def __str__(self) -> str:
        if self.is_default:
            return (
                f"{self.variable} is unset, and the default of opentelemetry-distro ({self.exporter}) is not installed"
            )
        if not self.exporter:
            return f"{self.variable} has a comma without a name"
        if self.exporter.lower() == NONE:
            return f"{self.variable} names {self.exporter} beside others"
        return f"{self.variable} names {self.exporter}, which is not installed"


def exporter_names(environ: Mapping[str, str], signal: str = "traces") -> list[str]:
    """As the variable has them; none for an unset one and for `none`."""
    names = [name.strip() for name in environ.get(variable(signal), "").split(",") if name.strip()]
    return [] if [name.lower() for name in names] == [NONE] else names


def is_named(environ: Mapping[str, str]) -> bool:
    """True if the environment asks for an exporter of ours."""
    return bool(named(environ))


def named(environ: Mapping[str, str]) -> list[str]:
    """Exporters of ours that the environment asks for."""
    return [name for name in exporter_names(environ) if name in (EXPORTER, OTLP_EXPORTER)]


def is_disabled(environ: Mapping[str, str]) -> bool:
    """True if the whole SDK is switched off."""
    return environ.get(DISABLED, "").strip().lower() == "true"


def variable(signal: str) -> str:
    return f"OTEL_{signal.upper()}_EXPORTER"


def has_configurator(environ: Mapping[str, str]) -> bool:
    """False if nobody in this environment reads the OTEL_ variables: then the launcher sets up nothing."""
    wanted = environ.get(CONFIGURATOR)
    return any(wanted is None or name == wanted for name in _names("opentelemetry_configurator"))


def no_configurator(environ: Mapping[str, str]) -> tuple[str, str]:
    """Why nobody has set up a tracer provider, and what to do about it."""
    wanted, installed = environ.get(CONFIGURATOR), _names("opentelemetry_configurator")
    if not installed:
        problem = "no OpenTelemetry configurator is installed, which would read the OTEL_ variables"
        return problem, "pip install opentelemetry-distro"
    if wanted is not None and wanted not in installed:
        return f"{CONFIGURATOR} names {wanted}, which is not installed", f"unset it, or use {', '.join(installed)}"
    return "the OpenTelemetry configurator has set no tracer provider", "use that of opentelemetry-distro"


def is_distro_unknown(environ: Mapping[str, str]) -> bool:
    """True if the variable names a distro that is not installed: OpenTelemetry goes on without one, and is silent."""
    wanted = environ.get(DISTRO)
    return wanted is not None and wanted not in _names("opentelemetry_distro")


def distro(environ: Mapping[str, str]) -> str | None:
    """`module:class` of the distro that the launcher will load; None if there is none."""
    wanted = environ.get(DISTRO)
    found = [one for one in entry_points(group="opentelemetry_distro") if wanted is None or one.name == wanted]
    return found[0].value if found else None


def _names(group: str) -> list[str]:
    return sorted({one.name for one in entry_points(group=group)})


def missing_exporters(environ: Mapping[str, str]) -> list[Missing]:
    """Any one of them keeps the whole SDK from starting; empty where no configurator asks for exporters at all, or
    where it reads a file instead."""
    if not has_configurator(environ) or environ.get(CONFIG_FILE):
        return []
    has_defaults = (distro(environ) or "").startswith(_COMMON_DISTRO)
    return [missing for signal in SIGNALS for missing in _missing_of(signal, environ, has_defaults)]


def _missing_of(signal: str, environ: Mapping[str, str], has_defaults: bool) -> list[Missing]:
    is_default = has_defaults and not environ.get(variable(signal))
    names = ["otlp"] if is_default else _as_the_sdk_splits(environ.get(variable(signal), ""))
    available = _names(f"opentelemetry_{signal}_exporter")
    wanted = [_resolved(name, signal, environ) for name in names]
    return [
        Missing(variable(signal), name, is_default, nearest(name, available), len(names) == 1)
        for name in wanted
        if name not in available
    ]


def _as_the_sdk_splits(value: str) -> list[str]:
    if not value or value.strip().lower() == NONE:
        return []
    return [name.strip() for name in value.split(",")]


def _resolved(name: str, signal: str, environ: Mapping[str, str]) -> str:
    if name != "otlp":
        return name
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or environ.get(_PROTOCOL) or "grpc"
    return _OTLP.get(protocol.strip(), name)


def nearest(name: str, available: Sequence[str]) -> str | None:
    """The one of `available` that was probably meant."""
    if name in _PACKAGES:  # a known name is not misspelt
        return None
    from difflib import get_close_matches

    return next(iter(get_close_matches(name.lower(), available, n=1, cutoff=0.7)), None)


def misplaced(environ: Mapping[str, str]) -> list[str]:
    """Variables that name our exporter and that nobody reads, such as OTEL_TRACE_EXPORTER."""
    names = [name for name in environ if name.startswith("OTEL_") and "EXPORTER" in name]
    known = [variable(signal) for signal in SIGNALS]
    return sorted(name for name in names if name not in known and EXPORTER in environ[name].split(","))
