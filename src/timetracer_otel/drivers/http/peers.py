"""Whom an application that looks at its connection meets in replay: the server's address, where that was asked."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

Peer: TypeAlias = "tuple[str, int] | tuple[str, int, int, int]"


def peer_of(host: str, port: int) -> Peer | None:
    """As a socket names it; None for a name, which nobody looks up in replay."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return (str(address), port) if address.version == 4 else (str(address), port, 0, 0)
