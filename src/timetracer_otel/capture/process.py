"""Who is recording: 128 random bits at start, new ones after a fork."""

from __future__ import annotations

import functools
import os
import re
import secrets
import site
import socket
import sys
import sysconfig
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

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
    "pymongo",
    "redis",
    "botocore",
    "aiobotocore",
    "sqlalchemy",
    "django",
)
SHOWN: Final = frozenset(
    {"TZ", "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME"}
    | {"PYTHONDEVMODE", "PYTHONHASHSEED", "PYTHONINTMAXSTRDIGITS", "PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONUTF8"}
    | {"DJANGO_SETTINGS_MODULE", "AWS_REGION", "AWS_DEFAULT_REGION"}
)
"""Variables whose values are recorded: they hold no secrets and change what a program does."""
NOISE: Final = re.compile(
    r"_|PATH|HOME|PWD|OLDPWD|SHLVL|HOSTNAME|HOST|USER|LOGNAME|SHELL|TERM|EDITOR|PAGER|DISPLAY|MAIL|TMPDIR|PYTHONPATH"
    r"|(SSH|XDG|KUBERNETES|OTEL|TIMETRACER|GPG|DBUS|LESS|LS|GIT|GITHUB|PYENV|PIP|VIRTUAL|CONDA|DEBIAN|PYTEST)_?.*"
    r"|CELERY_(LOG_.*|LOADER)|_MP_FORK_.*|FORKED_BY_MULTIPROCESSING"
    r"|.*_SERVICE_(HOST|PORT)(_.*)?|.*_PORT_\d+_(TCP|UDP)(_.*)?"
)
"""Variables of the machine, the shell and the cluster, which are other ones wherever a program runs, and those that a
worker of Celery sets for its children."""
SET: Final = "set"
VARIABLES_MAX: Final = 200
NAME_MAX: Final = 100

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
        packages=versions(),
        variables=variables(os.environ),
    )


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Names, and the values of those in `SHOWN`; `set` for any other: it may be a secret."""
    names = sorted(name for name in environ if len(name) <= NAME_MAX and NOISE.fullmatch(name) is None)
    return {name: environ[name] if name in SHOWN else SET for name in names[:VARIABLES_MAX]}


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
def versions() -> dict[str, str]:
    """Of those of `PACKAGES` that are installed."""
    from importlib import metadata

    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
