from __future__ import annotations

import sys
from pathlib import Path

import pytest

from timetracer_otel.errors import ReplayError
from timetracer_otel.replay.child import load_app

CODE = """
import functools, os, re, tempfile
from tempfile import mkdtemp
class Apps:
    @staticmethod
    def make(): return "made"
def make(): return "made"
def drop(): raise AssertionError("called")
app = functools.partial(make)
match = re.compile("x").match
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's code."""
    (tmp_path / "users_shop").mkdir()
    (tmp_path / "users_shop" / "__init__.py").write_text("")
    (tmp_path / "users_shop" / "web.py").write_text(CODE)
    (tmp_path / "users_space").mkdir()
    (tmp_path / "users_space" / "web.py").write_text("app = 1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("users_")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


@pytest.mark.parametrize("app", ["users_shop.web:app", "users_space.web:app", "users_shop.web:Apps.make"])
def test_a_recorded_app_of_the_user_s_code_is_found(folder: Path, app: str) -> None:
    load_app(app, "7f3a", [str(folder)])


@pytest.mark.parametrize("app", ["users_shop.web:make()", "users_shop.web:Apps.make()"])
def test_a_recorded_factory_of_the_user_s_code_is_called(folder: Path, app: str) -> None:
    assert load_app(app, "7f3a", [str(folder)]) == "made"


@pytest.mark.parametrize(
    "app",
    [
        "tempfile:mkdtemp()",
        "json:dumps",
        "os:abort()",
        "builtins:exec",
        "__main__:main()",
        "antigravity:fly",
        "pytest:main()",
        "timetracer_otel.cli:main()",
        "users_shop.web:mkdtemp()",
        "users_shop.web:tempfile.mkdtemp()",
        "users_shop.web:os.abort",
        "users_shop.web:app()",
        "users_shop.web:match()",
        "users_shop.web:make.__globals__.clear()",
    ],
)
def test_what_is_not_the_user_s_code_is_neither_imported_nor_called(folder: Path, app: str) -> None:
    with pytest.raises(ReplayError, match=r"entry\.app: the recording names") as raised:
        load_app(app, "7f3a", [str(folder)])
    assert "\n" not in str(raised.value)
    assert "antigravity" not in sys.modules


def test_code_of_a_stranger_is_not_imported_even_where_python_finds_it(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(ReplayError, match="users_shop is no code of"):
        load_app("users_shop.web:app", "7f3a", [str(own)])
    assert "users_shop" not in sys.modules


def test_an_app_that_the_user_names_may_lie_anywhere(folder: Path) -> None:
    assert callable(load_app("users_shop.web:tempfile.mkdtemp", "7f3a"))


def test_a_recorded_app_that_is_nowhere_says_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(ReplayError, match="no module 'users_gone' in"):
        load_app("users_gone:app", "7f3a", [str(folder)])
