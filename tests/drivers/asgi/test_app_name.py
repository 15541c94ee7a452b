from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from timetracer_otel.drivers.asgi import app_name

MODULES = {"shop.web": ModuleType("shop.web"), "shop": ModuleType("shop")}


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["uvicorn", "shop.web:app", "--port", "8000"], "shop.web:app"),
        (["uvicorn", "--host", "127.0.0.1", "--factory", "shop.web:create"], "shop.web:create()"),
        (["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-b", "127.0.0.1:8000", "shop.web:app"], "shop.web:app"),
        (["gunicorn", "shop.web:create()"], "shop.web:create()"),
        (["hypercorn", "asgi:shop.web:app.api"], "shop.web:app.api"),
        (["python", "127.0.0.1:8000"], None),
        (["uvicorn", "other.web:app"], None),
        (["shop.web:app"], None),
        ([], None),
    ],
)
def test_the_servers_argument_names_the_app(argv: list[str], name: str | None) -> None:
    assert app_name.from_command_line(argv, MODULES) == name


def module(name: str, **attributes: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


def test_an_app_is_found_in_the_module_that_holds_it() -> None:
    app = object()
    modules = {"shop.web": module("shop.web", app=app), "shop": module("shop", main_app=app), "other": module("other")}
    assert app_name.from_modules([app], modules) == "shop.web:app"


def test_the_first_of_several_objects_that_is_found_counts() -> None:
    inner, outer = object(), object()
    assert app_name.from_modules([None, object(), outer, inner], {"web": module("web", a=inner, b=outer)}) == "web:b"


def test_an_app_that_no_module_holds_has_no_name() -> None:
    assert app_name.from_modules([object()], {"web": module("web")}) is None


def test_a_script_is_named_as_it_can_be_imported() -> None:
    app = object()
    script = module("__main__", app=app, __file__="/srv/shop/web.py", __spec__=None)
    assert app_name.from_modules([app], {"__main__": script}) == "web:app"
    app = object()
    spec = type("Spec", (), {"name": "shop.web"})()
    assert app_name.from_modules([app], {"__main__": module("__main__", app=app, __spec__=spec)}) == "shop.web:app"
    app = object()
    odd = module("__main__", app=app, __file__="/srv/my-app.py", __spec__=None)
    assert app_name.from_modules([app], {"__main__": odd}) is None


def test_odd_entries_of_sys_modules_do_no_harm() -> None:
    app = object()
    modules: dict[str, Any] = {"none": None, "number": 3, "web": module("web", app=app)}
    assert app_name.from_modules([app], modules) == "web:app"


def test_what_was_found_is_remembered_for_a_bounded_number_of_apps() -> None:
    for _ in range(app_name.FOUND_MAX + 10):
        app_name.from_modules([object()], {})
    assert len(app_name._found) <= app_name.FOUND_MAX


def test_the_name_says_whether_it_is_that_of_the_outermost_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["uvicorn", f"{__name__}:MODULES"])
    assert app_name.name_of([]) == (f"{__name__}:MODULES", True)
    monkeypatch.setattr(sys, "argv", ["python"])
    assert app_name.name_of([MODULES]) == (f"{__name__}:MODULES", False)
