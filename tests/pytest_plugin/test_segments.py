"""Which segment of a cassette a mark names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.replay.recordings import ROOT, cassette, segment
from timetracer_otel.errors import TimetracerError
from timetracer_otel.pytest_plugin.marks import Mark
from timetracer_otel.pytest_plugin.replaying import opened
from timetracer_otel.store import save_bundle

OTHER = "a" * 16


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    two = cassette(segment(), replace(segment(), id=OTHER))
    return save_bundle(two, tmp_path / "incident.cassette.json")


@pytest.mark.parametrize("name", ["7f3a/aaaa", "aaaa", OTHER, f"7F3A/{OTHER}"])
def test_r31_a_mark_names_one_of_several_segments_as_the_command_line_does(bundle: Path, name: str) -> None:
    assert opened(Mark("test_it", bundle, name, is_named=True))[1].id == OTHER
    assert opened(Mark("test_it", bundle, "52fd"))[1].id == ROOT


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "2 segments"),
        ("7f3a/bbbb", "which has the segments 7f3a0000/52fd"),
        ("zz", "incident.cassette.json/zz: no such cassette"),
        ("9999/aaaa", "test_it: segment='9999/aaaa' is of another trace than 7f3a0000"),
    ],
)
def test_r49_a_segment_that_is_not_there_is_one_line(bundle: Path, name: str | None, words: str) -> None:
    with pytest.raises(TimetracerError) as refused:
        opened(Mark("test_it", bundle, name, is_named=True))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
