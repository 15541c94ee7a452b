"""Names of this driver, and the names of botocore that it needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from timetracer_otel.drivers.missing import MissingNames

LIBRARY: Final = "botocore"
CALL: Final = "aws.call"
"""Type of its exchanges."""


def require(needed: Iterable[tuple[Any, str]], lost: str) -> None:
    """Raises MissingNames unless every owner has its name."""
    missing = tuple(f"{owner.__name__}.{name}" for owner, name in needed if not hasattr(owner, name))
    if missing:
        import botocore

        raise MissingNames(LIBRARY, botocore.__version__, missing, lost)
