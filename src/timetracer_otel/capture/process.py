"""Who is recording: 128 random bits at start, new ones after a fork."""

from __future__ import annotations

import functools
import os
import secrets
import site
import socket
import sys
import sysconfig
import time
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Process

PACKAGES = (
    "asyncpg",
    "psycopg",
    "psycopg-pool",
    "starlette",
    "fastapi",
    "uvicorn",
    "gunicorn",
    "hypercorn",
    "celery",
    "opentelemetry-sdk",
    "timetracer-otel",
)

_id: str = ""
_parent: str | None = None
_started_ns = 0


def identity() -> Process:
    """This process now: `argv` and `sys_path` are read at the call, since servers change them while they start."""
    from timetracer_otel.cassette.model import Process

    _ensure()
    return Process(
        id=_id,
        parent=_parent,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_ns=_started_ns,
        argv=tuple(sys.argv),
        cwd=_cwd(),
        sys_path=_additions(),
        hash_seed=os.environ.get("PYTHONHASHSEED", "random"),
        python=sys.version.split()[0],
        packages=_versions(),
    )


def process_id() -> str:
    """32 hex digits."""
    _ensure()
    return _id


def after_fork() -> None:
    """The child is a new process with the old one as its parent."""
    global _id, _parent, _started_ns
    _parent = _id or None
    _id, _started_ns = secrets.token_hex(16), time.time_ns()


def _ensure() -> None:
    global _id, _started_ns
    if not _id:
        _id, _started_ns = secrets.token_hex(16), time.time_ns()


def _cwd() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # the folder was removed under the app
        return ""


def _additions() -> tuple[str, ...]:
    own = _own_folders()
    return tuple(path for path in sys.path if path not in own and not path.endswith((".zip", "/auto_instrumentation")))


# What follows imports modules and takes locks of the standard library: a fork in the middle of it would leave them
# locked in the child. The writer calls `identity` once while forks wait for it; later calls find the answers here.


@functools.cache
def _own_folders() -> frozenset[str]:
    stdlib = sysconfig.get_path("stdlib")
    paths = [sysconfig.get_path(name) for name in ("platstdlib", "purelib", "platlib")]
    return frozenset([stdlib, *paths, *site.getsitepackages(), os.path.join(stdlib, "lib-dynload")])


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
