"""What the environment asks for and what is not installed, told from entry points."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest

from timetracer_otel import startup
from timetracer_otel.startup import exporter_names, has_configurator, is_disabled, is_named, missing_exporters

COMMON = ("opentelemetry_distro", "distro", "opentelemetry.distro:OpenTelemetryDistro")
CONFIGURATOR = ("opentelemetry_configurator", "configurator", "opentelemetry.distro:OpenTelemetryConfigurator")
OURS = ("opentelemetry_traces_exporter", "timetracer", "timetracer_otel.exporters:TimetracerSpanExporter")
CONSOLES = [(f"opentelemetry_{signal}_exporter", "console", "sdk:Console") for signal in startup.SIGNALS]
NONE = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """(group, name, value) of what is installed; the test may change the list."""
    found = [COMMON, CONFIGURATOR, OURS, *CONSOLES]

    def entry_points(group: str) -> Sequence[EntryPoint]:
        return [EntryPoint(name, value, of) for of, name, value in found if of == group]

    monkeypatch.setattr(startup, "entry_points", entry_points)
    return found


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("", []),
        ("none", []),
        (" None ", []),
        ("timetracer", ["timetracer"]),
        ("otlp, timetracer", ["otlp", "timetracer"]),
    ],
)
def test_names_are_read_as_the_sdk_reads_them(value: str, names: list[str]) -> None:
    environ = {"OTEL_TRACES_EXPORTER": value}
    assert exporter_names(environ) == names
    assert is_named(environ) is ("timetracer" in names)


def test_the_sdk_is_off_only_when_it_says_so() -> None:
    assert is_disabled({"OTEL_SDK_DISABLED": " True "})
    assert not is_disabled({"OTEL_SDK_DISABLED": "1"})
    assert not is_disabled({})


@pytest.mark.usefixtures("installed")
def test_nothing_is_missing_where_all_is_installed() -> None:
    assert missing_exporters({"OTEL_TRACES_EXPORTER": "timetracer,console", **NONE}) == []


@pytest.mark.usefixtures("installed")
def test_the_defaults_of_the_common_distro_are_missing_like_any_other() -> None:
    metrics, logs = missing_exporters({"OTEL_TRACES_EXPORTER": "timetracer"})
    assert (metrics.variable, metrics.exporter, metrics.is_default) == (
        "OTEL_METRICS_EXPORTER",
        "otlp_proto_grpc",
        True,
    )
    assert logs.variable == "OTEL_LOGS_EXPORTER"
    assert metrics.advice == ("set OTEL_METRICS_EXPORTER to none or pip install opentelemetry-exporter-otlp-proto-grpc")


def test_another_distro_has_no_such_defaults(installed: list[tuple[str, str, str]]) -> None:
    installed[0] = ("opentelemetry_distro", "vendor", "vendor:Distro")
    assert missing_exporters({"OTEL_TRACES_EXPORTER": "timetracer"}) == []


@pytest.mark.usefixtures("installed")
def test_a_misspelt_name_is_told_with_the_nearest() -> None:
    (missing,) = missing_exporters({"OTEL_TRACES_EXPORTER": "timetraser", **NONE})
    assert str(missing) == "OTEL_TRACES_EXPORTER names timetraser, which is not installed"
    assert missing.advice == "did you mean timetracer?"


@pytest.mark.usefixtures("installed")
def test_otlp_means_what_the_protocol_says() -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", **NONE}
    assert [missing.exporter for missing in missing_exporters(environ)] == ["otlp_proto_http"]


def test_without_a_configurator_nobody_looks_for_exporters(installed: list[tuple[str, str, str]]) -> None:
    assert not has_configurator({"OTEL_PYTHON_CONFIGURATOR": "another"})
    installed.remove(CONFIGURATOR)
    assert not has_configurator({})
    assert missing_exporters({"OTEL_TRACES_EXPORTER": "nobody"}) == []
