"""Files that somebody named, read without harm: a pipe would keep us waiting, and a device has no end."""

from __future__ import annotations

import stat
from pathlib import Path

from timetracer_otel.cassette.compression import MAX_BYTES
from timetracer_otel.errors import DamagedCassette


def read_regular(path: Path) -> bytes:
    """Raises DamagedCassette if it is no regular file, too large, or cannot be read; FileNotFoundError."""
    try:
        found = path.stat()
        # Of a folder the system says it.
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise DamagedCassette(str(path), "it is no regular file")
        if found.st_size > MAX_BYTES:
            raise DamagedCassette(str(path), "it is larger than any cassette")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedCassette(str(path), f"it cannot be read ({error.strerror})") from None
