"""Which mode wins, and what is refused (R49)."""

from __future__ import annotations

import pytest

from timetracer_otel.errors import UsageError
from timetracer_otel.pytest_plugin.modes import mode


@pytest.mark.parametrize(
    ("option", "ini", "environ", "wins"),
    [
        (None, "", {}, "replay"),
        (None, "missing", {}, "missing"),
        (None, "missing", {"TIMETRACER_MODE": "off"}, "off"),
        ("record", "missing", {"TIMETRACER_MODE": "off"}, "record"),
        ("record", "", {"CI": "false"}, "record"),
        ("missing", "", {"CI": "true"}, "replay"),
        ("off", "", {"CI": "1"}, "off"),
        ("record", "", {"TIMETRACER_JOURNAL": "/of/exec"}, "off"),
    ],
)
def test_r49_the_option_comes_before_the_environment_before_the_ini(
    option: str | None, ini: str, environ: dict[str, str], wins: str
) -> None:
    assert mode(option, ini, environ) == wins


@pytest.mark.parametrize(
    ("option", "ini", "environ", "message"),
    [
        ("nevr", "", {}, "--timetracer: 'nevr' is not one of replay, missing, record, off"),
        (None, "al", {}, "timetracer_mode: 'al' is not one of"),
        (None, "", {"TIMETRACER_MODE": "on"}, "TIMETRACER_MODE: 'on' is not one of"),
        (None, "record", {"CI": "true"}, "timetracer_mode: nothing is recorded where CI is set"),
    ],
)
def test_r49_a_typo_or_a_contradiction_names_the_value_and_its_source(
    option: str | None, ini: str, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        mode(option, ini, environ)
    assert str(caught.value).startswith(message)
