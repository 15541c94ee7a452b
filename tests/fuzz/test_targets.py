from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from tests.demonstration import ROOT
from tests.fuzz.mutations import inputs
from tests.fuzz.targets import TARGETS


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_r31_a_stranger_s_bytes_give_a_value_or_the_documented_error(name: str, rounds: Callable[[int], int]) -> None:
    target = TARGETS[name]

    @settings(max_examples=rounds(1000), suppress_health_check=list(HealthCheck), database=None)
    @given(inputs(target.seeds()))
    def try_one(data: bytes) -> None:
        target.run(data)

    try_one()


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_what_a_target_reads(name: str) -> None:
    for seed in TARGETS[name].seeds():
        TARGETS[name].run(seed)


def test_the_script_finds_what_is_planted_and_says_the_input() -> None:
    """The control of all of these: a target that is wrong about some inputs."""
    command = [sys.executable, "-c", PLANTED, "redis", "--seconds", "90", "--engine", "hypothesis"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "AssertionError: planted" in done.stdout
    assert re.search(r"data=b'.*!", done.stdout)


PLANTED = """
from dataclasses import replace
from tests.fuzz import __main__, targets
def wrong(data):
    assert b"!" not in data, "planted"
targets.TARGETS["redis"] = replace(targets.TARGETS["redis"], run=wrong)
raise SystemExit(__main__.main())
"""
