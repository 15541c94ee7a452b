from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from timetracer_otel.cassette.model import Process
from timetracer_otel.replay import places

HERE = socket.gethostname()


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the user stands."""
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    (folder / "lib").mkdir(parents=True)
    return folder


def recorded(cwd: Path | str, *sys_path: Path | str, host: str = HERE) -> Process:
    return Process("a" * 32, host=host, cwd=str(cwd), sys_path=tuple(map(str, sys_path)))


def test_an_own_recording_runs_where_it_ran(current: Path, theirs: Path) -> None:
    place = places.of_entry(recorded(theirs, theirs / "lib"), True, {})
    assert place == places.Place(str(theirs), (str(theirs / "lib"),))


@pytest.mark.parametrize(
    ("is_own", "host", "why"),
    [
        (False, HERE, "it is not a trace of your store"),
        (True, "prod-7", "it was recorded on another machine"),
        (True, "", "it was recorded on another machine"),
    ],
)
def test_any_other_runs_in_the_current_folder_and_one_line_says_so(
    current: Path, theirs: Path, is_own: bool, host: str, why: str
) -> None:
    place = places.of_entry(recorded(theirs, theirs / "lib", host=host), is_own, {"PYTHONPATH": "/own"})
    assert (place.folder, place.paths, place.code) == (str(current), (), (str(current), "/own"))
    asked = f"the folder {str(theirs)!r} ({why}) and modules in {str(theirs / 'lib')!r} ({why})"
    assert place.ignored.startswith(f"the recording asks for {asked}; {current} is used instead; ")
    assert "\n" not in place.ignored


def test_a_bundle_in_the_folder_of_its_app_has_its_modules_there_and_no_others(current: Path, theirs: Path) -> None:
    (current / "src").mkdir()
    place = places.of_entry(recorded(current, current / "src", theirs), False, {})
    assert (place.folder, place.paths) == (str(current), (str(current / "src"),))
    assert str(theirs) in place.ignored


def test_a_link_out_of_the_current_folder_does_not_count(current: Path, theirs: Path) -> None:
    (current / "link").symlink_to(theirs)
    assert places.of_entry(recorded(current, current / "link"), False, {}).paths == ()


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize(
    ("cwd", "why"),
    [
        ("theirs", "it is not absolute"),
        ("../theirs", "it is not absolute"),
        ("/no/such/folder", "no such folder here"),
        ("//server/share", "no such folder here"),
        ("/tmp\0", "no such folder here"),
        ("/tmp\ud800", "no such folder here"),
        ("/" + "x" * 100_000, "no such folder here"),
    ],
)
def test_a_recorded_folder_must_be_absolute_and_here(
    current: Path, theirs: Path, is_own: bool, cwd: str, why: str
) -> None:
    place = places.of_entry(recorded(cwd), is_own, {})
    assert place.folder == str(current)
    assert f"({why})" in place.ignored
    assert place.ignored.isprintable()
    assert len(place.ignored) < 1000


def test_a_recording_without_a_folder_asks_for_nothing(current: Path) -> None:
    assert places.of_entry(recorded(""), False, {}).ignored == ""


def test_where_others_may_write_nothing_is_taken_from(current: Path, theirs: Path) -> None:
    theirs.chmod(0o777)
    place = places.of_entry(recorded(theirs, theirs), True, {})
    assert (place.folder, place.paths) == (str(current), ())
    assert place.ignored.count("another user may write there") == 2


def test_an_app_that_the_user_names_runs_in_the_current_folder_and_nothing_is_said(current: Path, theirs: Path) -> None:
    place = places.of_entry(recorded(theirs), False, {}, is_named=True)
    assert (place.folder, place.ignored) == (str(current), "")


def test_a_program_runs_in_the_current_folder(current: Path, theirs: Path) -> None:
    own, other = (places.of_program(recorded(theirs, theirs / "lib"), is_own) for is_own in (True, False))
    assert (own.folder, own.paths, own.ignored) == (str(current), (str(theirs / "lib"),), "")
    assert (other.folder, other.paths) == (str(current), ())
    assert "modules in" in other.ignored


def test_what_is_known_to_this_python_is_not_missed(current: Path) -> None:
    installed = [path for path in sys.path if os.path.isdir(path)]
    assert places.of_program(recorded(current, *installed, current), False).ignored == ""


@pytest.mark.parametrize(
    ("files", "is_code"),
    [
        (["shop/web.py"], True),
        (["shop/web.py", "../elsewhere/web.py"], False),
        (["../current-too/web.py"], False),
        ([os.__file__], False),
        ([pytest.__file__], False),
        ([], False),
    ],
)
def test_code_of_a_folder_lies_in_it_and_is_not_installed(current: Path, files: Sequence[str], is_code: bool) -> None:
    assert places.is_code_of([str(current), "/"], [os.path.join(current, file) for file in files]) is is_code
