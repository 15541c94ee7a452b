"""What the recorded connections say of a server, for a driver that is led to the stub."""

from __future__ import annotations

from collections.abc import Sequence

from timetracer_otel.cassette.model import Connection


def agreed(connections: Sequence[Connection], name: str) -> str:
    """The text that all of them have under this name, such as `user`; empty where they differ or have none."""
    values = [connection.parameters.get(name) for connection in connections]
    first = values[0] if values else None
    return first if isinstance(first, str) and all(value == first for value in values) else ""
