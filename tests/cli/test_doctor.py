"""`doctor`: what it prints and how it ends. What it finds is tested with `diagnosis`."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli
from timetracer_otel.cli import doctor
from timetracer_otel.set_up import Finding

FINE = Finding("recording", "ok", "yes\x1b[31m")
NOTED = Finding("threads", "note", "not recorded")
BROKEN = Finding("exporter", "problem", "not named")


@pytest.mark.parametrize(("findings", "status"), [([FINE], 0), ([FINE, NOTED], 0), ([FINE, BROKEN], 1)])
def test_a_problem_ends_with_one(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, findings: list[Finding], status: int
) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda environ: findings)
    done = cli("doctor")
    assert done.status == status
    assert len(done.out.splitlines()) == len(findings)
    assert "\x1b" not in done.out
    assert ("PROBLEM" in done.out) == bool(status)


def test_json_has_the_same_findings(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda environ: [BROKEN])
    assert json.loads(cli("doctor", "--json").out) == [{"topic": "exporter", "level": "problem", "text": "not named"}]


def test_it_says_how_to_record_where_nobody_asked_for_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """R23: what is missing is said in one line, with what to do."""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    done = cli("doctor")
    assert done.status == 1
    assert any("OTEL_TRACES_EXPORTER=timetracer opentelemetry-instrument" in line for line in done.out.splitlines())
