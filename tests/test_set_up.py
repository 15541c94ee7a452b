"""What `doctor` says of OpenTelemetry's own set-up and of the frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from timetracer_otel import instrumentation
from timetracer_otel import set_up as findings
from timetracer_otel.set_up import Finding, frameworks, set_up

GOOD = {"OTEL_TRACES_EXPORTER": "timetracer", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
OFF = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def texts(environ: Mapping[str, str], level: str) -> list[str]:
    return [finding.text for finding in set_up(environ) if finding.level == level]


def test_a_good_environment_has_nothing_to_be_done() -> None:
    assert {finding.level for finding in set_up(GOOD)} == {"ok"}


@pytest.mark.parametrize(
    ("variables", "level", "text"),
    [
        ({"OTEL_PYTHON_CONFIGURATOR": "foo"}, "note", "OTEL_PYTHON_CONFIGURATOR names foo, which is not installed"),
        ({"OTEL_PYTHON_DISTRO": "foo"}, "note", "OTEL_PYTHON_DISTRO names foo, which is not installed"),
        ({"OTEL_SDK_DISABLED": "true"}, "problem", "OTEL_SDK_DISABLED=true"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_TRACE_EXPORTER": "timetracer"}, "problem", "is not read"),
        ({"OTEL_TRACES_EXPORTER": "timetracer,foo"}, "problem", "names foo, which is not installed"),
    ],
)
def test_what_is_wrong_is_named(variables: dict[str, str], level: str, text: str) -> None:
    (found,) = texts({**GOOD, **variables}, level)
    assert text in found


def test_a_configuration_file_counts_in_place_of_the_variables(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.configuration", reason="this OpenTelemetry reads no configuration file")
    (tmp_path / "otel.yaml").write_text("exporter: {timetracer: {}}")
    environ = {"OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml")}
    assert texts(environ, "problem") == []
    assert f"{tmp_path / 'otel.yaml'} names timetracer" in texts(environ, "ok")
    (tmp_path / "otel.yaml").write_text("exporter: {timetracerr: {}}")
    misspelt, unnamed = texts(environ, "problem")
    assert "did you mean timetracer?" in misspelt
    assert "does not name timetracer" in unnamed


# ---- frameworks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """By framework: whether its instrumentor is there too. FastAPI does not trace by itself here."""
    found: dict[str, bool] = {}
    classes = {"starlette": "StarletteInstrumentor", "fastapi": "FastAPIInstrumentor"}

    def entry_points(group: str) -> list[EntryPoint]:
        there = [name for name, is_instrumented in found.items() if is_instrumented]
        return [EntryPoint(name, f"opentelemetry.instrumentation.{name}:{classes[name]}", group) for name in there]

    monkeypatch.setattr(instrumentation, "entry_points", entry_points)
    monkeypatch.setattr(findings, "installed_version", lambda name: "1.0" if name in found else None)
    monkeypatch.setattr(findings, "traces_by_itself", lambda _: False)
    return found


def test_without_a_framework_there_is_nothing_to_say(installed: dict[str, bool]) -> None:
    assert list(frameworks({})) == []


@pytest.mark.parametrize("names", ["starlette", "x, starlette ,y", "*"])
def test_a_framework_that_is_switched_off_is_a_problem(names: str, installed: dict[str, bool]) -> None:
    installed["starlette"] = True
    assert list(frameworks({})) == [Finding("starlette", "ok", "starlette 1.0 is traced")]
    assert list(frameworks({OFF: names})) == [
        Finding(
            "starlette",
            "problem",
            f"starlette 1.0: its requests are not recorded, since {OFF} switches it off; take it out",
        )
    ]


def test_a_framework_without_its_instrumentor_is_a_problem(installed: dict[str, bool]) -> None:
    installed.update(starlette=False, fastapi=False)
    assert list(frameworks({})) == [
        Finding(
            name,
            "problem",
            f"{name} 1.0: its requests are not recorded, since its instrumentor is missing; "
            f"pip install 'timetracer-otel[{name}]'",
        )
        for name in ("fastapi", "starlette")
    ]


def test_beside_one_that_is_traced_it_is_only_noted(installed: dict[str, bool]) -> None:
    installed.update(starlette=False, fastapi=True)
    assert [(finding.topic, finding.level) for finding in frameworks({})] == [("fastapi", "ok"), ("starlette", "note")]


def test_a_fastapi_that_traces_by_itself_needs_no_instrumentor(
    installed: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed["fastapi"] = False
    monkeypatch.setattr(findings, "traces_by_itself", lambda _: True)
    assert [finding.level for finding in frameworks({OFF: "*"})] == ["ok"]
