"""The taps of this process: each goes in when its instrumentor does, or with a library that traces by itself.

`BaseInstrumentor.instrument` is wrapped once. That reaches `opentelemetry-instrument`, another vendor's distro and an
application that calls `XInstrumentor().instrument()` by hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it has no types

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames

_MARK: Final = "_timetracer_wrapped"


@dataclass(frozen=True, slots=True)
class Tap:
    """A driver's tap in this process. `reason` says what is lost while it is off."""

    driver: str
    state: Literal["in", "off"]
    reason: str = ""


PutIn: TypeAlias = Callable[[str], Tap]
"""Puts in the tap of the driver of that name."""

_taps: dict[str, Tap] = {}
_put_in: PutIn | None = None
"""None while nothing is recorded or replayed."""
_are_imports_watched = False


def taps() -> list[Tap]:
    """Those of the drivers whose turn has come, by name."""
    return [_taps[name] for name in sorted(_taps)]


def for_recording(driver: str) -> Tap:
    """In; or off, after one warning, because the installed library lacks names that the tap needs."""
    try:
        registry.recording(driver).install()
    except MissingNames as error:
        guard.warn(str(error))
        return Tap(driver, "off", str(error))
    return Tap(driver, "in")


def follow(put_in: PutIn = for_recording) -> None:
    """From now on taps go in by themselves; those whose instrumentors are in already go in at once."""
    global _put_in
    _put_in = put_in
    _wrap_instrument()
    for instrumentor in _instrumented():
        _went_in(instrumentor)
    _watch_imports()


def leave() -> None:
    """Takes the taps of a recording out; none goes in until `follow` is called again."""
    global _put_in
    _put_in = None
    for tap in taps():
        if tap.state == "in":
            registry.recording(tap.driver).uninstall()
    _taps.clear()


@guarded("wiring")
def _went_in(instrumentor: type[BaseInstrumentor]) -> None:
    names = {base.__name__ for base in instrumentor.__mro__}  # a vendor's subclass is the instrumentor still
    for name, driver in registry.DRIVERS.items():
        if names.intersection(driver.instrumentors):
            _its_turn(name)


@guarded("wiring")
def _imported(driver: str, _module: object) -> None:
    _its_turn(driver)


def _its_turn(driver: str) -> None:
    if _put_in is not None and driver not in _taps:
        _taps[driver] = Tap(driver, "off", "it failed while it went in")
        _taps[driver] = _put_in(driver)


def watch_libraries() -> None:
    """In replay a driver goes in with its library too: without its instrumentor it would dial the real server."""
    from wrapt import register_post_import_hook

    for name, driver in registry.DRIVERS.items():
        for library in (driver.library, *driver.others) if driver.asks else ():
            register_post_import_hook(functools.partial(_imported, name), library)


def _watch_imports() -> None:
    """Some spans need no instrumentor's `instrument`: `instrument_app(app)`, a middleware, FastAPI's own tracing."""
    global _are_imports_watched
    if _are_imports_watched:
        return
    _are_imports_watched = True
    from wrapt import register_post_import_hook

    for name, driver in registry.DRIVERS.items():
        for module in driver.traced_by:  # at once if it is imported already
            register_post_import_hook(functools.partial(_imported, name), module)


# ---- instrumentors ---------------------------------------------------------------------------------------------------


def _wrap_instrument() -> None:
    original = BaseInstrumentor.instrument
    if not hasattr(original, _MARK):
        BaseInstrumentor.instrument = _followed(original)


def _followed(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def instrument(self: BaseInstrumentor, **kwargs: Any) -> Any:
        result = original(self, **kwargs)
        if self.is_instrumented_by_opentelemetry:
            _went_in(type(self))
        return result

    setattr(instrument, _MARK, True)
    return instrument


def _instrumented() -> list[type[BaseInstrumentor]]:
    """Classes of the instrumentors that are in: each class has one instance, which knows."""
    found = []
    for instrumentor in _subclasses(BaseInstrumentor):
        instance = vars(instrumentor).get("_instance")
        if instance is not None and instance.is_instrumented_by_opentelemetry:
            found.append(instrumentor)
    return found


def _subclasses(kind: type[BaseInstrumentor]) -> Iterator[type[BaseInstrumentor]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
