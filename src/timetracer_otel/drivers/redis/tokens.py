"""The tokens of locks: ids that `redis.lock` makes, kept and given back as the application's own uuid4 are."""

from __future__ import annotations

import uuid
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from timetracer_otel.capture.generated import minted
from timetracer_otel.drivers.patches import Patches

MODULES: Final = ("redis.lock", "redis.asyncio.lock")
"""Each names the module `uuid` and calls its `uuid1`. Source: redis-py 4.6 to 8.1."""


def put_in(patches: Patches) -> None:
    """Locks take their tokens from here from now on; where a version does without, nothing changes."""
    for name in MODULES:
        module: Any = import_module(name)
        if vars(module).get("uuid") is uuid:
            patches.put(module, "uuid", SimpleNamespace(**{**vars(uuid), "uuid1": _uuid1}))


def _uuid1() -> uuid.UUID:
    return minted(uuid.uuid1)
