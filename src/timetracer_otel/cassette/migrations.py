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


def upgrade(
    document: dict[str, Any], path: str, migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = FORMAT
) -> dict[str, Any]:
    """The document in the newest format. Raises UnsupportedVersion if it is newer, ValueError if it has no version."""
    version = _version(document)
    if version > newest:
        raise UnsupportedVersion(path, version, newest)
    for step in range(version, newest):
        document = migrations[step](document)
    return document


def _version(document: dict[str, Any]) -> int:
    version = document.get("timetracer")
    if type(version) is not int or version < 1:
        raise ValueError('no format version under "timetracer"')
    return version
