"""OpenTelemetry's entry points: recording begins, and taps go in whenever an instrumentor does.

`BaseInstrumentor.instrument` is wrapped once. That reaches `opentelemetry-instrument`, another vendor's distro and an
application that calls `XInstrumentor().instrument()` by hand.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # it has no types

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers import registry
from timetracer_otel.startup import DISABLED, EXPORTER, exporter_names, is_disabled, is_named

if TYPE_CHECKING:
    from timetracer_otel.config import Keep, Settings
    from timetracer_otel.drivers.base import ReplayHost

MODE: Final = "TIMETRACER_MODE"
REFUSED: Final = 2
"""Exit code of a replay that cannot begin."""

_MARK: Final = "_timetracer_wrapped"


@dataclass(frozen=True, slots=True)
class Tap:
    """A driver's tap in this process. `reason` says what is lost while it is off."""

    driver: str
    state: Literal["in", "off"]
    reason: str = ""


_taps: dict[str, Tap] = {}
_is_on = False
"""Taps go in when their instrumentors do."""
_host: ReplayHost | None = None
"""In replay, what the drivers are redirected to."""


def taps() -> list[Tap]:
    """Those of the drivers whose instrumentors went in, by name."""
    return [_taps[name] for name in sorted(_taps)]


# ---- ways in ---------------------------------------------------------------------------------------------------------


@guarded("pre_instrument")
def pre_instrument() -> None:
    """Entry point `opentelemetry_pre_instrument`: the SDK is configured, no instrumentor has gone in yet.

    Never raises: an exception here would leave the instrumentors off. A replay that cannot begin ends the process.
    """
    if is_named(os.environ) or _is_recording() or os.environ.get(MODE) == "replay":
        settings = _settings_of_app()
        if settings is not None:
            _warn_of_plain_provider()
            _record(settings)


@guarded("install")
def install(store: str | None = None, keep: Keep | None = None, provider: object = None) -> None:
    """Does from code what the launcher does with OTEL_TRACES_EXPORTER=timetracer; may be called more than once.

    `store` (a folder) and `keep` go before TIMETRACER_STORE and TIMETRACER_KEEP. `provider` is a TracerProvider of the
    SDK; without it the global one is used, and made if there is none. Instrumentors may be in already or come later.
    Call it before the application does `from uuid import uuid4`, or those ids are not recorded. With
    TIMETRACER_MODE=replay it begins the replay, with `off` it does nothing. It never raises: what keeps it from
    recording is one line in the log.
    """
    settings = _settings_of_app()
    if settings is not None:
        _record(replace(settings, store=store or settings.store, keep=keep or settings.keep), provider)


def _is_recording() -> bool:
    """True if an exporter of ours was made already, as OTEL_CONFIG_FILE does."""
    module = sys.modules.get("timetracer_otel.exporters.active")  # an app that does not ask for us does not load it
    return module is not None and module.active() is not None


def _settings_of_app() -> Settings | None:
    """What to record by; None where nothing is to be recorded. In replay, the replay is under way afterwards."""
    from timetracer_otel.exporters import active

    settings = active.settings_of_app()
    if os.environ.get(MODE) == "replay":
        _replay(settings)
    return settings if settings is not None and settings.mode == "record" else None


def _record(settings: Settings, provider: object = None) -> None:
    from timetracer_otel.exporters import active

    if is_disabled(os.environ):
        guard.warn(f"{DISABLED}=true switches OpenTelemetry off: nothing is recorded; unset it to record")
        return
    target = provider if provider is not None else _global_provider()
    active.start(settings)
    if not active.attach(target):
        guard.warn(
            f"the tracer provider {type(target).__module__}.{type(target).__qualname__} takes no span processor: "
            "nothing is recorded; use the provider of opentelemetry-sdk"
        )
    _put_in_taps(None)


def _replay(settings: Settings | None) -> None:
    """Whatever goes wrong ends the process: without its guards the app would run against the real world."""
    if settings is None:
        os._exit(REFUSED)
    is_ready = False
    try:
        _begin_replay(settings)
        is_ready = True
    finally:
        if not is_ready:
            traceback.print_exc()
            os._exit(REFUSED)


def _begin_replay(settings: Settings) -> None:
    from timetracer_otel.replay import bootstrap

    _put_in_taps(bootstrap.active() or bootstrap.start(settings))


def _warn_of_plain_provider() -> None:
    """If the exporter is named, but nobody has made it: there is no configurator."""
    if _is_recording() or is_disabled(os.environ):
        return
    others = ", ".join(name for name in exporter_names(os.environ) if name != EXPORTER)
    guard.warn(
        "no OpenTelemetry configurator is installed, which would read the OTEL_ variables: recording with a plain "
        f"tracer provider{f', and {others} gets no spans' if others else ''}; pip install opentelemetry-distro"
    )


def _global_provider() -> object:
    """The global tracer provider, made now if the application has none."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        from opentelemetry.sdk.trace import TracerProvider

        trace.set_tracer_provider(TracerProvider())
    return trace.get_tracer_provider()


# ---- taps ------------------------------------------------------------------------------------------------------------


def _put_in_taps(host: ReplayHost | None) -> None:
    global _host, _is_on
    _host, _is_on = host, True
    _wrap_instrument()
    for instrumentor in _instrumented():
        _went_in(instrumentor)


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


@guarded("wiring")
def _went_in(instrumentor: type[BaseInstrumentor]) -> None:
    names = {base.__name__ for base in instrumentor.__mro__}  # a vendor's subclass is the instrumentor still
    for name, driver in registry.DRIVERS.items():
        if _is_on and name not in _taps and names.intersection(driver.instrumentors):
            _taps[name] = Tap(name, "off", "it failed while it went in")
            _taps[name] = _put_in(name)


def _put_in(driver: str) -> Tap:
    """In; or off, after one warning, because the installed library lacks names that the tap needs."""
    from timetracer_otel.drivers.missing import MissingNames

    # An entry is heard in replay by the tap that recorded it: what the app answers is compared at the same place.
    if _host is not None and not registry.DRIVERS[driver].is_entry:
        _redirect(driver, _host)
        return Tap(driver, "in")
    try:
        registry.recording(driver).install()
    except MissingNames as error:
        guard.warn(str(error))
        return Tap(driver, "off", str(error))
    return Tap(driver, "in")


def _redirect(driver: str, host: ReplayHost) -> None:
    """To the stub, or the process ends: a driver that is not redirected would dial the real server."""
    from timetracer_otel.drivers.missing import MissingNames
    from timetracer_otel.errors import ReplayError
    from timetracer_otel.replay import bootstrap

    is_in = False
    try:
        registry.replaying(driver).install(host)
        is_in = True
    except MissingNames as error:
        problem = f"it has no {', '.join(error.names)}, so it cannot be led to the cassette"
        advice = f"replay with a release of {driver} that timetracer-otel knows"
        bootstrap.refuse(ReplayError(f"{driver} {error.version}", problem, advice))
    finally:
        if not is_in:
            traceback.print_exc()
            os._exit(REFUSED)
