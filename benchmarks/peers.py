"""Recorders of others, as contestants. One that is not installed is left out of its rows: `available` says which are.

Each writes its cassette: one for TRACE operations, as ours do.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from harness import TRACE, Run, new_folder

MODULES = {"timetracer": "timetracer", "vcrpy": "vcr", "asyncpg-recorder": "asyncpg_recorder", "placebo": "placebo"}


def available(*names: str) -> tuple[str, ...]:
    """Those of them that are installed."""
    return tuple(name for name in names if importlib.util.find_spec(MODULES[name]) is not None)


def silence() -> None:
    """Of this process: they print lines for each request, placebo the bodies too, and no terminal is to be measured."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def timetracer(one: Callable[[], object]) -> Run:
    """A session and its cassette; the plugin of the library is enabled by the caller, before it makes its client."""
    from timetracer.cassette import write_cassette
    from timetracer.context import reset_session, set_session
    from timetracer.session import TraceSession
    from timetracer.types import RequestSnapshot, ResponseSnapshot

    config = timetracer_config()
    silence()

    def run(count: int) -> None:
        while count > 0:
            session = TraceSession(config=config)
            token = set_session(session)
            session.set_request(RequestSnapshot(method="GET", path="/x"))
            for _ in range(min(count, TRACE)):
                one()
            session.set_response(ResponseSnapshot(status=200))
            session.finalize()
            write_cassette(session, config)
            reset_session(token)
            count -= TRACE

    return run


def timetracer_config() -> Any:
    """Any: it has no types where it is not installed."""
    from timetracer.config import TraceConfig

    return TraceConfig(mode="record", cassette_dir=new_folder(), max_body_kb=10240, store_response_body="always")


def vcrpy(one: Callable[[], object]) -> Run:
    import vcr

    folder, numbers = new_folder(), itertools.count()
    recorder = vcr.VCR(record_mode="all")

    def run(count: int) -> None:
        while count > 0:
            with recorder.use_cassette(f"{folder}/{next(numbers)}.yaml"):
                for _ in range(min(count, TRACE)):
                    one()
            count -= TRACE

    return run


def placebo(session: Any) -> None:
    """From here on the clients of this session of boto3 are recorded."""
    import placebo

    silence()
    placebo.attach(session, data_path=new_folder()).record()


def asyncpg_recorder(some: Callable[[int], Awaitable[None]], complete: Callable[[Any], object]) -> Run:
    """`some` does so many operations, `complete` runs a coroutine to its end."""
    from asyncpg_recorder import main

    silence()
    folder, number = new_folder(), itertools.count()
    path = Path()

    def path_of(extension: str = "", **_: Any) -> Path:
        return path.with_name(path.name + extension)

    main.get_filepath = path_of  # it takes the name from the test that runs, and there is none
    recorded = main.use_cassette(some)

    def run(count: int) -> None:
        nonlocal path
        while count > 0:
            path = Path(folder, str(next(number)))
            complete(recorded(min(count, TRACE)))
            count -= TRACE

    return run
