"""Chance that the replayed code draws: no recording holds it, so the report says what was drawn, and where.

Watched is what no seed holds still: `random` and `numpy.random` until they are seeded, generators without a seed, the
entropy of the system, ids that are made of the time. What Python's own library, OpenTelemetry and the libraries of our
drivers draw for themselves is left out: it goes into names of files, waits before a retry and ids that are mapped.
"""

from __future__ import annotations

import functools
import os
import random
import secrets
import sys
import uuid
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any, Final, TypeAlias

from wrapt import register_post_import_hook

from timetracer_otel.capture.frames import app_frame, is_app
from timetracer_otel.drivers import registry
from timetracer_otel.replay.draws import Draws

NUMPY: Final = "numpy.random"
ENTROPY: Final = "entropy of the system (secrets, os.urandom)"
GENERATOR: Final = "random.Random() without a seed"
UNSEEDED: Final = "{} without a seed"
TIME_BASED: Final = ("uuid1", "uuid6", "uuid7")
"""Those that this Python has. uuid4 is given back, or mapped."""
CHOOSING: Final = ("choice", "randbelow", "randbits")
"""Functions of `secrets` whose result does not show in the bytes that they read."""
PASSED: Final = frozenset({"random", "secrets"})
"""Modules that draw for who calls them."""
OURS: Final = frozenset({"opentelemetry", "timetracer_otel", "wrapt"})
BESIDE: Final = frozenset({"aiobotocore", "amqp", "billiard", "boto3", "bson", "httpcore", "kombu", "s3transfer"})
"""Parts of what our drivers cover, under names of their own."""
LISTED_MAX: Final = 20
Used: TypeAlias = Callable[[str], bool]
"""True where it counts: what an app draws while it starts is no part of the entry."""


class Chance:
    """From `install` to `uninstall` `used` hears of each kind of chance, once for each line of the app."""

    def __init__(self, used: Used, draws: Draws) -> None:
        """`draws` is told of all that is drawn, whether it counts or not."""
        self._used, self._draws = used, draws
        self._told: set[str] = set()
        self._lines: set[tuple[str, CodeType, int]] = set()
        self._undo: list[tuple[Any, str, Any]] = []
        self._seeded: set[str] = set()
        self._is_in = self._is_watching = False

    def install(self) -> None:
        """Before the app does `from random import choice`."""
        self._is_in = True
        self._told.clear()
        self._lines.clear()
        self._seeded.clear()
        self._watch(random, "random", random._inst)  # whose methods the functions are
        self._put(random.Random, "seed", self._seeding(random.Random.seed))
        for module, name in ((os, "urandom"), (random, "_urandom")):
            self._put(module, name, self._noting(ENTROPY, getattr(module, name)))
        for name in CHOOSING:
            self._put(secrets, name, self._choosing(getattr(secrets, name)))
        for name in TIME_BASED:
            if hasattr(uuid, name):
                self._put(uuid, name, self._noting(f"uuid.{name}", getattr(uuid, name)))
        if not self._is_watching:  # an import hook cannot be taken back
            self._is_watching = True
            register_post_import_hook(self._numpy, NUMPY)
        elif NUMPY in sys.modules:
            self._numpy(sys.modules[NUMPY])

    def uninstall(self) -> None:
        """Puts back what was there."""
        self._is_in = False
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)

    def _numpy(self, module: Any) -> None:
        if self._is_in:
            self._watch(module, NUMPY, module.mtrand._rand)

    def _watch(self, module: Any, name: str, generator: Any) -> None:
        """The functions of a module that are methods of its one generator."""
        for each, function in list(vars(module).items()):
            if each in ("seed", "set_state", "setstate"):
                self._put(module, each, self._seeded_by(name, function))
            elif getattr(function, "__self__", None) is generator and not each.startswith(("get_", "getstate")):
                self._put(module, each, self._drawing(name, function))

    def _put(self, owner: Any, name: str, replacement: Any) -> None:
        self._undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, replacement)

    # ---- what stands in their places ---------------------------------------------------------------------------------

    def _noting(self, what: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def noted(*args: Any, **kwargs: Any) -> Any:
            self._note(what)
            return self._kept(original(*args, **kwargs))

        return noted

    def _drawing(self, module: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def drawn(*args: Any, **kwargs: Any) -> Any:
            if module in self._seeded:
                return original(*args, **kwargs)
            self._note(UNSEEDED.format(module))
            result = self._kept(original(*args, **kwargs))
            if result is None and args:  # shuffled in place
                self._kept(args[0])
            return result

        return drawn

    def _choosing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Of the system's entropy, which is noted where it is read."""

        @functools.wraps(original)
        def chosen(*args: Any, **kwargs: Any) -> Any:
            return self._kept(original(*args, **kwargs))

        return chosen

    def _seeded_by(self, module: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def seeded(*args: Any, **kwargs: Any) -> Any:
            has_seed = any(each is not None for each in (*args, *kwargs.values()))
            (self._seeded.add if has_seed else self._seeded.discard)(module)
            return original(*args, **kwargs)

        return seeded

    def _seeding(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def seed(generator: random.Random, a: Any = None, *args: Any, **kwargs: Any) -> Any:
            if a is None:
                self._note(GENERATOR)
            return original(generator, a, *args, **kwargs)

        return seed

    def _kept(self, drawn: Any) -> Any:
        if _caller(sys._getframe(2)) not in silent():
            self._draws.note(drawn)
        return drawn

    def _note(self, what: str) -> None:
        frame = sys._getframe(2)
        line = (what, frame.f_code, frame.f_lineno)
        if line in self._lines or len(self._told) >= LISTED_MAX:  # most draws of a loop end here
            return
        if _caller(frame) in silent() or not (place := app_frame()):
            return
        text = f"{what}, drawn by {place}"
        if text in self._told or self._used(text):
            self._told.add(text)
            if is_app(frame.f_code.co_filename):
                self._lines.add(line)


def _caller(frame: FrameType | None) -> str:
    """The package that draws, whatever draws for it."""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in PASSED and frame.f_globals is not globals():  # one draw may make another
            return package
        frame = frame.f_back
    return ""


@functools.cache
def silent() -> Collection[str]:
    """Packages whose own chance is no business of the app's."""
    answered = {each for driver in registry.DRIVERS.values() for each in (driver.library, *driver.others)}
    return frozenset({*answered, *OURS, *BESIDE, *sys.stdlib_module_names})
