"""OpenTelemetry's entry points: recording or replay begins, and taps follow the instrumentors."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry import trace

from timetracer_otel import startup
from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers import registry, taps
from timetracer_otel.drivers.taps import Tap, for_recording
from timetracer_otel.startup import (
    DISABLED,
    EXPORTER,
    OTLP_EXPORTER,
    SWITCHED_OFF,
    exporter_names,
    is_disabled,
    is_named,
)

if TYPE_CHECKING:
    from timetracer_otel.config import Keep, Settings
    from timetracer_otel.drivers.base import ReplayHost
    from timetracer_otel.exporters.active import Active
    from timetracer_otel.exporters.outlets import Outlet

MODE: Final = "TIMETRACER_MODE"
REFUSED: Final = 2
"""Exit code of a replay that cannot begin."""

_is_watching = False


# ---- ways in ---------------------------------------------------------------------------------------------------------


@guarded("pre_instrument")
def pre_instrument() -> None:
    """Entry point `opentelemetry_pre_instrument`: the SDK is configured, no instrumentor has gone in yet.

    Never raises: an exception here would leave the instrumentors off. A replay that cannot begin ends the process.
    """
    active = _active()
    if active is not None:  # an exporter of ours was made, maybe before there was a provider: OTEL_CONFIG_FILE
        _record(active.settings)
    elif is_named(os.environ) or os.environ.get(MODE) == "replay":
        settings = _settings_of_app()
        if settings is not None:
            _explain_missing_exporter()
            _record(settings)
    if _active() is not None and os.environ.get(SWITCHED_OFF):
        _say_what_is_switched_off()


@guarded("post_instrument")
def post_instrument() -> None:
    """Entry point `opentelemetry_post_instrument`: while this process records, those that it spawns record too.

    Releases before 0.63b0 have taken the launcher's folder out of PYTHONPATH for good, and workers of uvicorn and
    hypercorn ran without it. Later ones put it back, as is done here.
    """
    launcher = sys.modules.get("opentelemetry.instrumentation.auto_instrumentation")
    if _active() is None or launcher is None or launcher.__file__ is None:
        return
    folder = os.path.dirname(os.path.abspath(launcher.__file__))
    folders = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    if folder in sys.path and folder not in folders:  # it was there when the process began
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, *folders])


@guarded("install")
def install(store: str | None = None, keep: Keep | None = None, provider: object = None) -> None:
    """Does from code what the launcher does with OTEL_TRACES_EXPORTER=timetracer; may be called more than once.

    `store` (a folder) and `keep` go before TIMETRACER_STORE and TIMETRACER_KEEP. `provider` is a TracerProvider of the
    SDK; without it the global one is used, and made if there is none; one that the application sets later takes its
    place. Instrumentors may be in already or come later.
    Call it before the application does `from uuid import uuid4`, or those ids are not recorded. With
    TIMETRACER_MODE=replay it begins the replay, with `off` it does nothing. It never raises: what keeps it from
    recording is one line in the log.
    """
    settings = _settings_of_app()
    if settings is not None:
        _record(replace(settings, store=store or settings.store, keep=keep or settings.keep), provider)


def _say_what_is_switched_off() -> None:
    from timetracer_otel.instrumentation import switched_off

    if names := switched_off(os.environ):
        guard.warn(f"{SWITCHED_OFF} switches off {', '.join(names)}: not recorded")


def _active() -> Active | None:
    """What records already."""
    module = sys.modules.get("timetracer_otel.exporters.active")  # an app that does not ask for us does not load it
    return module.active() if module is not None else None


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
    active.start(settings, _named_outlet())
    if EXPORTER in exporter_names(os.environ):
        active.into_store()
    _attach(target)
    taps.follow()
    _watch_untraced()


def _named_outlet() -> Outlet | None:
    """Where the environment wants what is recorded, if nobody has made that exporter."""
    from timetracer_otel.exporters import live

    is_made = (active := _active()) is not None and active.writer.outlets.live is not None
    return live.outlet() if OTLP_EXPORTER in exporter_names(os.environ) and not is_made else None


def _watch_untraced() -> None:
    """Whoever imports a library that we record, and has not installed its instrumentor, is told so then."""
    global _is_watching
    if _is_watching:
        return
    _is_watching = True
    from wrapt import register_post_import_hook

    for name, driver in registry.DRIVERS.items():
        if driver.asks:
            register_post_import_hook(functools.partial(_say_if_untraced, name), driver.library)


@guarded("wiring")
def _say_if_untraced(name: str, module: object) -> None:
    from timetracer_otel.instrumentation import instrumentors

    driver = registry.DRIVERS[name]
    if not instrumentors(driver):
        guard.warn(
            f"{driver.library} is installed without its instrumentor: what it asks is not recorded; "
            f"pip install 'timetracer-otel[{name}]'"
        )


def _attach(target: object) -> None:
    from timetracer_otel.exporters import active

    if not active.attach(target):
        guard.warn(
            f"the tracer provider {type(target).__module__}.{type(target).__qualname__} takes no span processor: "
            "nothing is recorded; use the provider of opentelemetry-sdk"
        )


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

    taps.follow(functools.partial(_led, bootstrap.active() or bootstrap.start(settings)))
    taps.watch_libraries()


def _explain_missing_exporter() -> None:
    """The exporter is named, but nobody has made it. Where somebody has made a provider, that one is recorded."""
    if is_disabled(os.environ) or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    problem, advice = startup.no_configurator(os.environ)
    names = ", ".join(name for name in exporter_names(os.environ) if name not in (EXPORTER, OTLP_EXPORTER))
    others = f", and {names} gets no spans" if names else ""
    guard.warn(f"{problem}: recording with a plain tracer provider{others}; {advice}")


def _global_provider() -> object:
    """The global tracer provider, made now if the application has none."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        from timetracer_otel.exporters import plain

        plain.make(_attach)
    return trace.get_tracer_provider()


# ---- taps ------------------------------------------------------------------------------------------------------------


def _led(host: ReplayHost, driver: str) -> Tap:
    # An entry is heard in replay by the tap that recorded it: what the app answers is compared at the same place.
    tap = for_recording(driver) if registry.DRIVERS[driver].entry else Tap(driver, "in")
    if registry.DRIVERS[driver].asks:
        _redirect(driver, host)
    return tap


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
