"""Chance that the replayed code draws: no recording holds it, so the report says what was drawn, and where.

Watched is what no seed holds still: `random` and `numpy.random` until they are seeded, generators without a seed, the
entropy of the system, ids that are made of the time (`makers`). What Python's own library, OpenTelemetry and the
libraries of our drivers draw for themselves is left out: it goes into names of files, waits before a retry and ids that
are mapped.
"""

from __future__ import annotations

import functools
import os
import random
import secrets
import sys
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from wrapt import register_post_import_hook

from timetracer_otel.capture.frames import app_frame, is_app
from timetracer_otel.drivers import registry
from timetracer_otel.replay.draws import Draws
from timetracer_otel.replay.makers import INIT, MAKERS

NUMPY: Final = "numpy.random"
ENTROPY: Final = "entropy of the system (secrets, os.urandom)"
GENERATOR: Final = "random.Random() without a seed"
UNSEEDED: Final = "{} without a seed"
METHODS: Final = ("choice", "choices", "randbytes", "randint", "randrange", "sample", "shuffle")
"""Of a generator, those whose result shows in a value."""
CHOOSING: Final = ("choice", "randbelow", "randbits")
"""Functions of `secrets` whose result does not show in the bytes that they read."""
PASSED: Final = frozenset({"random", "secrets"})
"""Modules that draw for who calls them."""
OURS: Final = frozenset({"opentelemetry", "timetracer_otel", "wrapt"})
BESIDE: Final = frozenset(
    {"aiobotocore", "amqp", "billiard", "boto3", "bson", "httpcore", "kombu", "psycopg_pool", "s3transfer"}
)
"""Parts of what our drivers cover, under names of their own."""
TELLING: Final = "email"
"""Of Python's own library what writes a draw into what it makes for the app: boundaries and ids of messages."""
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
        self._unseeded: WeakSet[random.Random] = WeakSet()
        """Generators of the app's own."""
        self._is_in = self._is_watching = False

    def install(self) -> None:
        """Before the app does `from random import choice`."""
        self._is_in = True
        self._told.clear()
        self._lines.clear()
        self._seeded.clear()
        self._watch(random, "random", random._inst)  # whose methods the functions are
        self._put(random.Random, "seed", self._seeding(random.Random.seed))
        for owner, names in ((random.Random, METHODS), (random.SystemRandom, ("getrandbits", "randbytes"))):
            for name in names:
                self._put(owner, name, self._drawing_by_itself(getattr(owner, name)))
        for module, name in ((os, "urandom"), (random, "_urandom")):
            self._put(module, name, self._noting(ENTROPY, getattr(module, name)))
        for name in CHOOSING:
            self._put(secrets, name, self._choosing(getattr(secrets, name)))
        for name, watch in {NUMPY: self._numpy, **dict.fromkeys(MAKERS, self._makers)}.items():
            if not self._is_watching:  # an import hook cannot be taken back
                register_post_import_hook(watch, name)
            elif name in sys.modules:
                watch(sys.modules[name])
        self._is_watching = True

    def uninstall(self) -> None:
        """Puts back what was there."""
        self._is_in = False
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)

    def _numpy(self, module: Any) -> None:
        if self._is_in:
            self._watch(module, NUMPY, module.mtrand._rand)

    def _makers(self, module: Any) -> None:
        for path in MAKERS[module.__name__] if self._is_in else ():
            owner, _, name = path.rpartition(".")
            found = module if not owner else getattr(module, owner, None)
            if hasattr(found, name):
                self._put(found, name, self._making(f"{module.__name__}.{path}", getattr(found, name)))

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

    def _drawing_by_itself(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Of a generator of the app's own; that it has no seed is noted where it is made, or its entropy is read."""

        @functools.wraps(original)
        def drawn(generator: random.Random, *args: Any, **kwargs: Any) -> Any:
            result = original(generator, *args, **kwargs)
            is_inside = sys._getframe(1).f_globals is vars(random)  # a choice draws a number first
            if not is_inside and (isinstance(generator, random.SystemRandom) or generator in self._unseeded):
                self._kept(args[0] if result is None and args else result)  # the former was shuffled in place
            return result

        return drawn

    def _making(self, what: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Of a class, an id that is new: one with an argument is known."""

        @functools.wraps(original)
        def made(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if not what.endswith(INIT) or (len(args) == 1 and not kwargs):
                self._note(what.removesuffix(INIT))
                self._kept(args[0] if what.endswith(INIT) else result, self._draws.note_id)
            return result

        return made

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
            (self._unseeded.add if a is None else self._unseeded.discard)(generator)
            return original(generator, a, *args, **kwargs)

        return seed

    def _kept(self, drawn: Any, note: Callable[[Any], None] | None = None) -> Any:
        caller = _caller(sys._getframe(2))
        if caller == TELLING or caller not in silent():
            (note or self._draws.note)(drawn)
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
    makers = {name.partition(".")[0] for name in MAKERS}
    return frozenset({*answered, *makers, *OURS, *BESIDE, *sys.stdlib_module_names})
