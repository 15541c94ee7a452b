"""What the environment asks for and what is not installed, told from entry points."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint

import pytest

from timetracer_otel import startup
from timetracer_otel.startup import (
    exporter_names,
    has_configurator,
    is_disabled,
    is_distro_unknown,
    is_named,
    misplaced,
    missing_exporters,
    no_configurator,
)

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
@pytest.mark.parametrize(
    ("value", "problem", "advice"),
    [
        ("TIMETRACER", "names TIMETRACER, which is not installed", "did you mean timetracer?"),
        ("console,nobody", "names nobody, which is not installed", "take nobody out of it"),
        ("nobody", "names nobody, which is not installed", "set OTEL_TRACES_EXPORTER to none"),
        ("timetracer,", "has a comma without a name", "take the comma out of it"),
        ("timetracer,None", "names None beside others", "take None out of it"),
        (
            "zipkin",
            "names zipkin, which is not installed",
            "set OTEL_TRACES_EXPORTER to none or pip install opentelemetry-exporter-zipkin",
        ),
    ],
)
def test_whatever_the_sdk_would_stumble_over_is_told_with_its_remedy(value: str, problem: str, advice: str) -> None:
    (missing,) = missing_exporters({"OTEL_TRACES_EXPORTER": value, **NONE})
    assert (str(missing), missing.advice) == (f"OTEL_TRACES_EXPORTER {problem}", advice)


@pytest.mark.usefixtures("installed")
def test_a_configuration_file_is_read_instead_of_the_variables() -> None:
    assert missing_exporters({"OTEL_TRACES_EXPORTER": "nobody", "OTEL_CONFIG_FILE": "otel.yaml"}) == []


def test_variables_that_nobody_reads_are_told() -> None:
    read = {f"OTEL_{signal}_EXPORTER": "timetracer" for signal in ("TRACES", "METRICS", "LOGS")}
    others = {"OTEL_SERVICE_NAME": "timetracer", "OTEL_EXPORTER_OTLP_HEADERS": "a=timetracer"}
    assert misplaced({**read, **others}) == []
    assert misplaced({"OTEL_TRACE_EXPORTER": "otlp,timetracer", "OTEL_EXPORTER": "timetracer"}) == [
        "OTEL_EXPORTER",
        "OTEL_TRACE_EXPORTER",
    ]


def test_why_nobody_has_set_up_a_provider(installed: list[tuple[str, str, str]]) -> None:
    assert no_configurator({})[0] == "the OpenTelemetry configurator has set no tracer provider"
    assert no_configurator({"OTEL_PYTHON_CONFIGURATOR": "another"}) == (
        "OTEL_PYTHON_CONFIGURATOR names another, which is not installed",
        "unset it, or use configurator",
    )
    installed.remove(CONFIGURATOR)
    problem, advice = no_configurator({"OTEL_PYTHON_CONFIGURATOR": "another"})
    assert problem.startswith("no OpenTelemetry configurator is installed")
    assert advice == "pip install opentelemetry-distro"


@pytest.mark.usefixtures("installed")
def test_a_distro_that_is_not_installed_is_known() -> None:
    assert is_distro_unknown({"OTEL_PYTHON_DISTRO": "vendor"})
    assert not is_distro_unknown({"OTEL_PYTHON_DISTRO": "distro"})
    assert not is_distro_unknown({})
    assert missing_exporters({"OTEL_TRACES_EXPORTER": "timetracer", "OTEL_PYTHON_DISTRO": "vendor"}) == []


@pytest.mark.usefixtures("installed")
def test_otlp_means_what_the_protocol_says() -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", **NONE}
    assert [missing.exporter for missing in missing_exporters(environ)] == ["otlp_proto_http"]


def test_without_a_configurator_nobody_looks_for_exporters(installed: list[tuple[str, str, str]]) -> None:
    assert not has_configurator({"OTEL_PYTHON_CONFIGURATOR": "another"})
    installed.remove(CONFIGURATOR)
    assert not has_configurator({})
    assert missing_exporters({"OTEL_TRACES_EXPORTER": "nobody"}) == []
