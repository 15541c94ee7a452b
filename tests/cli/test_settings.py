"""Precedence: option > environment > pyproject.toml > default; nothing unknown is ignored (R49)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from timetracer_otel.cli import settings
from timetracer_otel.errors import UsageError
from timetracer_otel.replay.ignoring import Wishes


def write_table(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[project]\nname = 'x'\n[tool.timetracer-otel]\n{text}\n")


def test_a_store_comes_from_the_option_then_the_environment_then_the_project(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.store(None).root == Path("cassettes")
    write_table(folder, 'store = "of-the-project"')
    assert settings.store(None).root == Path("of-the-project")
    monkeypatch.setenv("TIMETRACER_STORE", "of-the-environment")
    assert settings.store(None).root == Path("of-the-environment")
    assert settings.store("of-the-option").root == Path("of-the-option")


def test_a_timeout_comes_from_the_option_then_the_project(folder: Path) -> None:
    assert settings.timeout_s(None) == 60
    write_table(folder, 'timeout = "5m"')
    assert settings.timeout_s(None) == 300
    assert settings.timeout_s("500ms") == 0.5


def test_what_is_not_compared_comes_from_the_options_and_from_the_project(folder: Path) -> None:
    assert settings.wishes(None, has_chunks=False) == Wishes()
    write_table(folder, 'ignore = ["headers.x-build"]\nchunks = true')
    assert settings.wishes(["body.$.took"], has_chunks=False) == Wishes(("body.$.took", "headers.x-build"), True)
    with pytest.raises(UsageError, match="--ignore"):
        settings.wishes([" "], has_chunks=False)


def test_secrets_come_from_the_project_and_those_of_the_options_before_them(folder: Path) -> None:
    assert settings.secrets(None) == {}
    write_table(folder, 'secrets = { authorization = "replaying:token()", session = "of-the-project" }')
    assert settings.secrets(["session=a=b "]) == {"authorization": "replaying:token()", "session": "a=b "}
    for wrong in ("session", "=x", " =x", "session="):
        with pytest.raises(UsageError, match="--secret") as caught:
            settings.secrets([wrong])
        assert "=x" not in str(caught.value)


def test_a_project_without_a_table_says_nothing(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("# timetracer-otel is a dependency\n[tool.other]\nstore = 1\n")
    assert settings.project() == settings.Project()


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('stroe = "x"', ("'stroe'", "app, store, timeout")),
        ("store = 1", ("store = 1", "not a text")),
        ('app = " "', ("app", "not a text")),
        ('ignore = "headers.x-build"', ("ignore", "not a list of paths")),
        ('ignore = [""]', ("ignore", "not a list of paths")),
        ("chunks = 1", ("chunks = 1", "not true or false")),
        ('secrets = "x"', ("secrets", "not a table of texts")),
        ("secrets = { token = 1 }", ("secrets", "not a table of texts")),
        ("store = [", ("no TOML",)),
    ],
)
def test_what_the_table_must_not_hold_is_refused_by_name(folder: Path, table: str, named: tuple[str, ...]) -> None:
    """R49, for what comes from pyproject.toml."""
    write_table(folder, table)
    with pytest.raises(UsageError) as refusal:
        settings.store(None)
    assert [word for word in (*named, "pyproject.toml") if word not in str(refusal.value)] == []


def test_a_table_that_is_no_table_is_refused(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool]\ntimetracer-otel = "x"\n')
    with pytest.raises(UsageError, match="not a table"):
        settings.project()


def test_a_timeout_of_the_project_names_the_project(folder: Path) -> None:
    write_table(folder, 'timeout = "60"')
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        settings.timeout_s(None)


def test_r49_a_project_file_of_another_kind_is_refused(folder: Path) -> None:
    (folder / "pyproject.toml").write_bytes(b"\xff[tool.timetracer-otel]")
    with pytest.raises(UsageError, match="it is not UTF-8"):
        settings.project()
    (folder / "pyproject.toml").write_text("tool = 1  # timetracer-otel")
    with pytest.raises(UsageError, match="it is not a table"):
        settings.project()
    (folder / "pyproject.toml").unlink()
    os.mkfifo(folder / "pyproject.toml")
    with pytest.raises(UsageError, match="it is no file"):
        settings.project()
