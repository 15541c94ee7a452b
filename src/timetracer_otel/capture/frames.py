"""Which frames are the application's own, and how they are named: `shop/orders.py:31 load_order`."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Iterator
from traceback import FrameSummary, TracebackException
from types import FrameType
from typing import Final

DEPTH_MAX: Final = 500
TYPED: Final = frozenset({"<string>", "<stdin>"})
"""`python -c` and a prompt: the app's own code, though no file."""
BETWEEN: Final = frozenset({"opentelemetry", "wrapt", "anyio", "httpcore"})
"""Packages that are passed through on the way to the one that people know."""
CLIENTS: Final = frozenset({"ftplib", "imaplib", "nntplib", "poplib", "smtplib", "telnetlib", "xmlrpc"})
"""Python's own modules that speak to servers which no driver covers."""
OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
SITE: Final = f"{os.sep}site-packages{os.sep}"
DIST: Final = f"{os.sep}dist-packages{os.sep}"


def app_frame() -> str:
    """`shop/orders.py:31 load_order`: the innermost frame of the app's own; empty when there is none."""
    for frame in _stack():
        code = frame.f_code
        if is_app(code.co_filename):
            return f"{_relative(code.co_filename)}:{frame.f_lineno} {code.co_name}"
    return ""


def raised_in(traceback: TracebackException) -> str:
    """The innermost frame of the app's own that an exception passed; empty when there is none."""
    own = [frame for frame in _passed(traceback) if is_app(frame.filename)]
    return f"{_relative(own[-1].filename)}:{own[-1].lineno} {own[-1].name}" if own else ""


def _passed(traceback: TracebackException) -> Iterator[FrameSummary]:
    """From the outside in; into an exception group through its first member, where a task's error stands."""
    yield from traceback.stack
    for member in (getattr(traceback, "exceptions", None) or [])[:1]:
        yield from _passed(member)


def library() -> str:
    """Name of the package that makes the call, such as `httpx` or `smtplib`; empty when the app makes it itself."""
    for frame in _stack():
        name = frame.f_code.co_filename
        if is_app(name):
            return ""
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in CLIENTS or (_is_installed(name) and not name.startswith(OURS) and package not in BETWEEN):
            return package
    return ""


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)
    for _ in range(DEPTH_MAX):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


@functools.lru_cache(maxsize=10_000)
def is_app(filename: str) -> bool:
    """False for Python's own modules, installed packages and ours."""
    if filename in TYPED:
        return True
    if filename.startswith("<"):
        return False
    path = os.path.abspath(filename)
    return not (path.startswith((OURS, *_standard())) or _is_installed(path))


def _is_installed(path: str) -> bool:
    return SITE in path or DIST in path


@functools.cache
def _standard() -> tuple[str, ...]:
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    return tuple({os.path.join(path, "") for path in (*paths, *map(os.path.realpath, paths))})


def _relative(filename: str) -> str:
    """Under the current folder, else under the longest folder of sys.path that holds it, else as it is."""
    return filename if filename in TYPED else _under(filename, os.getcwd(), tuple(sys.path))


@functools.lru_cache(maxsize=10_000)
def _under(filename: str, current: str, search: tuple[str, ...]) -> str:
    path = os.path.abspath(filename)
    roots = [current, *sorted((os.path.abspath(each) for each in search), key=len, reverse=True)]
    for root in roots:
        if path.startswith(os.path.join(root, "")):
            return os.path.relpath(path, root)
    return path
