"""Where a client of a forked process finds its stub: the threads that listened for the parent are not in the child."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from timetracer_otel.drivers.patches import Patches

POOLS: Final = ("pymongo.synchronous.pool", "pymongo.asynchronous.pool")
DIALS: Final = ("_configured_socket", "_configured_socket_interface", "_configured_protocol_interface")
"""What opens a connection to an address, as a pool knows it.

Source: pymongo 4.9 (the first), 4.17 and 4.20 (the others).
"""


def put_in(patches: Patches, here: Callable[[Any], Any]) -> None:
    """Every connection goes to `here(address)` from now on; pools and cursors keep the address."""
    for pool in map(import_module, POOLS):
        for name in (each for each in DIALS if each in vars(pool)):
            patches.put(pool, name, _dialling(vars(pool)[name], here))


def _dialling(original: Callable[..., Any], here: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def dial(address: Any, *args: Any, **kwargs: Any) -> Any:
        return original(here(address), *args, **kwargs)

    return dial
