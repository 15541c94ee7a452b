"""Older documents made new, one function per step. The format's version is apart from the release's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from timetracer_otel.cassette.model import FORMAT
from timetracer_otel.errors import UnsupportedVersion

Migration: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""From the JSON data of one version to that of the next (Any: older formats have no types here)."""

MIGRATIONS: Final[Mapping[int, Migration]] = {}
"""`MIGRATIONS[n]` makes version n + 1 of version n. A step is written once and never changed."""


def check_version(document: Mapping[str, Any], path: str, newest: int = FORMAT) -> None:
    """Raises UnsupportedVersion if the document is newer than this release, ValueError if it has no version."""
    if (version := _version(document)) > newest:
        raise UnsupportedVersion(path, version, newest)


def upgrade(
    document: dict[str, Any], migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = FORMAT
) -> dict[str, Any]:
    """A document that `check_version` let through, in the newest format. Raises ValueError."""
    for version in range(_version(document), newest):
        document = _step(migrations[version], document)
    return document


def _step(migration: Migration, document: dict[str, Any]) -> dict[str, Any]:
    """A stranger's file says an old version and may have any shape: what a step stumbles over is the file's fault."""
    try:
        return migration(document)
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"it is not what its version says ({type(error).__name__})") from None


def _version(document: Mapping[str, Any]) -> int:
    version = document.get("timetracer")
    if type(version) is not int or version < 1:
        raise ValueError('no format version under "timetracer"')
    return version
