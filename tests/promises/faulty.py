"""A service that brings faults upon itself while it is recorded: `uvicorn tests.promises.faulty:app`

It serves one client over one connection, so that it needs no more file descriptors once it has begun. Started by
`tests.promises.test_faults` in a mount namespace of its own, where the store's file system is a small one in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from timetracer_otel.capture.recorder import Recorder

STORE: Final = Path(os.environ.get("TIMETRACER_STORE", "cassettes"))
DISK: Final = STORE.parent
LARGE: Final = 3 * 1024 * 1024


class Service:
    def __init__(self) -> None:
        self._database: psycopg.AsyncConnection[Any]
        self._mend: Callable[[], object] = int

    @contextlib.asynccontextmanager
    async def life(self, _: Starlette) -> AsyncIterator[None]:
        dsn = os.environ.get("DSN", "postgresql://app@db.prod.internal/shop")
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as self._database:
            yield

    async def order(self, request: Request) -> Response:
        number = request.path_params["number"]
        cursor = await self._database.execute("SELECT %s || ' is paid'", [f"order {number}"])
        if "clock" in request.query_params:
            os.environ["FAKETIME"] = request.query_params["clock"]  # libfaketime reads it at each look at the clock
        row = await cursor.fetchone()
        assert row is not None
        return JSONResponse({"id": number, "said": row[0]})

    async def large(self, request: Request) -> Response:
        """More than a part holds."""
        return Response(b"%07d\n" % request.path_params["number"] * (LARGE // 8), media_type="text/plain")

    # ---- by which the test says what happens -------------------------------------------------------------------------

    async def broken(self, request: Request) -> Response:
        await asyncio.to_thread(_flush)
        fault = contextlib.contextmanager(FAULTS[request.path_params["fault"]])()
        fault.__enter__()
        self._mend = lambda: fault.__exit__(None, None, None)
        return Response()

    async def mended(self, request: Request) -> Response:
        """All that was recorded until now has met the fault, unless it is one that only keeps it waiting."""
        if "waits" not in request.query_params:
            await asyncio.to_thread(_flush)
        self._mend()
        await asyncio.to_thread(_flush)
        return Response()

    async def copied(self, request: Request) -> Response:
        """The store, out of the namespace."""
        await asyncio.to_thread(_flush)
        shutil.copytree(STORE, request.query_params["to"])
        return Response()


def _flush() -> None:
    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]  # it is the SDK's


# ---- faults ----------------------------------------------------------------------------------------------------------


def no_descriptor_left() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.dup(0))
    yield
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def a_store_that_is_deleted() -> Iterator[None]:
    shutil.rmtree(STORE)
    yield


def a_full_disk() -> Iterator[None]:
    filler = DISK / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in [1 << 20] * 64 + [4096] * 512:
            file.write(bytes(size))
    yield
    filler.unlink()


def a_disk_without_inodes() -> Iterator[None]:
    """There is room for bytes, as the disk itself says: it is the write that fails."""
    made = []
    with contextlib.suppress(OSError):
        for number in itertools.count():
            filler = DISK / f"filler-{number}"
            filler.touch()
            made.append(filler)
    yield
    for filler in made:
        filler.unlink()


def a_mount_that_is_read_only() -> Iterator[None]:
    """Laid over it: the kernel refuses to change one that has a file open, such as our lock."""
    _run("mount", "--bind", DISK, DISK)
    _run("mount", "-o", "remount,bind,ro", DISK)
    yield
    _run("umount", DISK)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def a_disk_that_hangs() -> Iterator[None]:
    """What waits is Python's `os.write` in the writer's thread, in place of the kernel."""
    is_free, original = threading.Event(), os.write

    def slow(descriptor: int, data: Any, /) -> int:
        if threading.current_thread().name == "timetracer-writer":
            is_free.wait()
        return original(descriptor, data)

    os.write = slow
    yield
    os.write = original
    is_free.set()


def hooks_that_raise() -> Iterator[None]:
    original = Recorder.open

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("made to fail")

    Recorder.open = failing  # type: ignore[method-assign]
    yield
    Recorder.open = original  # type: ignore[method-assign]


FAULTS: Final[dict[str, Callable[[], Iterator[None]]]] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        no_descriptor_left,
        a_store_that_is_deleted,
        a_full_disk,
        a_disk_without_inodes,
        a_mount_that_is_read_only,
        a_disk_that_hangs,
        hooks_that_raise,
    )
}

service = Service()
app = Starlette(
    routes=[
        Route("/orders/{number:int}", service.order),
        Route("/large/{number:int}", service.large),
        Route("/control/broken/{fault}", service.broken),
        Route("/control/mended", service.mended),
        Route("/control/copied", service.copied),
    ],
    lifespan=service.life,
)
