"""What processes lost and no part says yet: a small file in the folder of each, for the case that it ends before.

A forked child may leave by `os._exit`, and any process may end while the store is full.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from timetracer_otel.errors import DamagedCassette
from timetracer_otel.store.files import read_regular
from timetracer_otel.store.names import LOSSES, process_folders

MAX_BYTES: Final = 64 * 1024
COUNT_MAX: Final = 2**53
REASON: Final = re.compile(r"[A-Za-z0-9_.]{1,100}")


def dump_losses(losses: Mapping[str, int]) -> bytes:
    """Counts by reason, as JSON."""
    return json.dumps(losses, sort_keys=True).encode()


def losses_in(folder: Path) -> Counter[str]:
    """Those of one process; none if there is no such file, or it is none of ours."""
    path = folder / LOSSES
    try:
        if path.is_symlink() or path.lstat().st_size > MAX_BYTES:
            return Counter()
        found = json.loads(read_regular(path))
    except (OSError, DamagedCassette, ValueError, RecursionError):
        return Counter()
    if not isinstance(found, dict):
        return Counter()
    return Counter({reason: count for reason, count in found.items() if _is_loss(reason, count)})


def take_losses(folder: Path) -> Counter[str]:
    """As `losses_in`; the file is gone then. Raises OSError."""
    found = losses_in(folder)
    if found:
        os.unlink(folder / LOSSES)
    return found


def untold_losses(root: Path) -> Counter[str]:
    """Of all processes, living and dead. Changes nothing. Raises OSError if the store cannot be read."""
    total: Counter[str] = Counter()
    for folder in process_folders(root):
        with suppress(OSError):  # somebody else's, closed to us
            total += losses_in(folder)
    return total


def _is_loss(reason: str, count: object) -> bool:
    return type(count) is int and 0 < count < COUNT_MAX and REASON.fullmatch(reason) is not None
