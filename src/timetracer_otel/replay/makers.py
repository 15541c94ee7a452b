"""Ids that libraries make of the time and of chance, which no single draw shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

INIT: Final = ".__init__"

MAKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "fastuuid": ("uuid4", "uuid7"),
    "ksuid": ("Ksuid.__init__",),
    "nanoid": ("generate", "non_secure_generate"),
    "ulid": ("ULID.__init__", "ULIDGenerator.generate"),
    "uuid": ("uuid1", "uuid6", "uuid7"),
    "uuid6": ("uuid6", "uuid7", "uuid8"),
    "uuid_extensions": ("uuid7", "uuid7str"),
    "uuid_utils": ("uuid1", "uuid4", "uuid6", "uuid7"),
    "uuid_utils.compat": ("uuid1", "uuid4", "uuid6", "uuid7"),
}
"""By module, the functions of which a release may lack some. Python's uuid4 is given back, or mapped.

Source: fastuuid 0.14, svix-ksuid 0.7, nanoid 2.0, python-ulid 3.0 to 4.1, Python 3.14's uuid, uuid6 2025.0,
uuid7 0.1, uuid_utils 1.2.
"""


class Made(NamedTuple):
    """An id: as text, its bytes, none if it is only a text, and the version of a UUID."""

    text: str
    data: bytes
    version: int | None


def look(made: object) -> Made:
    data, version = getattr(made, "bytes", None), getattr(made, "version", None)
    if data is None and hasattr(made, "__bytes__"):
        data = bytes(made)
    return Made(str(made), data if isinstance(data, bytes) else b"", version if isinstance(version, int) else None)
