"""OTEL_CONFIG_FILE, read as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from timetracer_otel import config_file
from timetracer_otel.config_file import names_us, problems

pytest.importorskip("opentelemetry.configuration", reason="this OpenTelemetry reads no configuration file")

GOOD = """
tracer_provider:
  processors:
    - batch:
        exporter:
          timetracer:
            store: cassettes
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "otel.yaml").write_text(GOOD)
    return {"OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml")}


def test_a_good_file_has_no_problems(environ: dict[str, str]) -> None:
    assert names_us(environ)
    assert list(problems(environ)) == []


def test_without_a_file_there_is_nothing_to_say() -> None:
    assert not names_us({})
    assert list(problems({"OTEL_TRACES_EXPORTER": "timetracer"})) == []


@pytest.mark.parametrize(
    ("text", "misspelt"),
    [
        ("exporter: {timetracerr: {}}", "timetracerr"),
        ("exporter:\n  Time_Tracer:\n", "Time_Tracer"),
        ("exporter: {timetrace : }", "timetrace"),
    ],
)
def test_a_name_that_is_nearly_ours_is_told(text: str, misspelt: str, environ: dict[str, str]) -> None:
    Path(environ["OTEL_CONFIG_FILE"]).write_text(text)
    ((problem, advice),) = problems(environ)
    assert f"names {misspelt}, which is not an exporter" in problem
    assert advice == "did you mean timetracer?"
    assert not names_us(environ)


@pytest.mark.parametrize("text", ["tracer_provider:\n  processors: []", "tracers: 1\ntracer: 2", "timetracer", ""])
def test_a_file_that_does_not_ask_for_us_has_no_problems(text: str, environ: dict[str, str]) -> None:
    Path(environ["OTEL_CONFIG_FILE"]).write_text(text)
    assert list(problems(environ)) == []
    assert not names_us(environ)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told_to_whoever_asks_for_us(
    content: bytes | None, environ: dict[str, str]
) -> None:
    path = Path(environ["OTEL_CONFIG_FILE"])
    path.unlink() if content is None else path.write_bytes(content)
    assert list(problems(environ)) == []
    ((problem, advice),) = problems({**environ, "OTEL_TRACES_EXPORTER": "timetracer"})
    assert problem.startswith(f"OTEL_CONFIG_FILE names {path}: ")
    assert advice == "correct or unset it"


def test_a_package_that_is_missing_is_told(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "find_spec", lambda _: None)
    ((problem, advice),) = problems(environ)
    assert problem == "OTEL_CONFIG_FILE needs a package that is not installed"
    assert advice == "pip install opentelemetry-configuration"


def test_an_sdk_that_does_not_know_the_variable_is_told(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.sdk import environment_variables

    monkeypatch.delattr(environment_variables, "OTEL_CONFIG_FILE")
    ((problem, advice),) = problems(environ)
    assert problem == "this opentelemetry-sdk does not read OTEL_CONFIG_FILE"
    assert "OTEL_TRACES_EXPORTER=timetracer" in advice
