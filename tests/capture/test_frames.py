from __future__ import annotations

import smtplib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import wrapt

from timetracer_otel.capture.frames import app_frame, library


def here() -> str:
    return app_frame()


def test_the_innermost_frame_of_the_app_is_named_with_file_line_and_function() -> None:
    line = here.__code__.co_firstlineno + 1
    assert here() == f"tests/capture/test_frames.py:{line} here"


def test_frames_of_libraries_are_passed_over() -> None:
    through = wrapt.FunctionWrapper(app_frame, lambda wrapped, instance, args, kwargs: wrapped())
    assert through().startswith("tests/capture/test_frames.py:")


def test_a_thread_that_only_a_library_runs_has_no_frame_of_the_app() -> None:
    with ThreadPoolExecutor() as pool:
        assert pool.submit(app_frame).result() == ""


def test_code_from_the_command_line_is_the_apps_own() -> None:
    found: list[str] = []
    exec(compile("\n\nfound.append(ask())", "<string>", "exec"), {"found": found, "ask": app_frame})
    assert found == ["<string>:3 <module>"]


def test_a_file_outside_the_current_folder_is_shown_below_its_folder_of_sys_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shopping").mkdir()
    (tmp_path / "shopping" / "orders.py").write_text("def load(ask):\n    return ask()\n")
    import shopping.orders  # type: ignore[import-not-found]

    assert shopping.orders.load(app_frame) == "shopping/orders.py:2 load"
    del sys.modules["shopping"], sys.modules["shopping.orders"]


def test_the_package_that_calls_is_named_unless_the_app_calls_by_itself() -> None:
    calling = wrapt.FunctionWrapper(library, lambda wrapped, instance, args, kwargs: wrapped())
    assert calling() == ""
    namespace: dict[str, object] = {"__name__": "requests.adapters", "library": library}
    exec(compile("def send(): return library()", "/x/site-packages/requests/adapters.py", "exec"), namespace)
    assert namespace["send"]() == "requests"  # type: ignore[operator]


def test_r51_a_client_of_pythons_own_is_named_as_an_installed_one_is() -> None:
    namespace: dict[str, object] = {"__name__": "smtplib", "library": library}
    exec(compile("def connect(): return library()", smtplib.__file__, "exec"), namespace)
    assert namespace["connect"]() == "smtplib"  # type: ignore[operator]
