"""Which addresses and names stay on this machine. Nothing here asks a name server."""

from __future__ import annotations

import ipaddress
import os
import socket
from functools import lru_cache
from typing import Any, Final

LOCAL_NAMES: Final = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})
HOSTS: Final = "/etc/hosts"


def is_loopback(host: str) -> bool:
    """True for loopback addresses of both families and the names that mean them."""
    if host.lower() in LOCAL_NAMES - {""}:
        return True
    address = _address(host)
    if address is None:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def is_address(host: str) -> bool:
    return _address(host) is not None


def is_known_here(name: str) -> bool:
    """True for the names that mean this machine, where they are found without asking a name server."""
    return name.lower() in LOCAL_NAMES or (name == socket.gethostname() and name.lower() in _hosts())


@lru_cache(maxsize=1)
def _hosts() -> frozenset[str]:
    try:
        with open(HOSTS, encoding="utf-8", errors="replace") as file:
            lines = [line.partition("#")[0].split() for line in file]
    except OSError:
        return frozenset()
    return frozenset(name.lower() for words in lines for name in words[1:])


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def text_of(value: Any) -> str:
    """Of what a socket call takes for a host or a path."""
    if value is None:
        return ""
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else str(value)


def shown(address: Any) -> str:
    """`203.0.113.9:443`, `[::1]:443`, the path of a unix socket."""
    if not isinstance(address, tuple) or len(address) < 2:
        return text_of(address)
    host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
    return f"{host}:{address[1]}"
