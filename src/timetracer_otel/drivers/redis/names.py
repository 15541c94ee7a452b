"""Where redis-py keeps what the taps and the redirection need."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from timetracer_otel.drivers.missing import MissingNames

LIBRARY: Final = "redis"
CONNECTIONS: Final = ("Connection", "SSLConnection", "UnixDomainSocketConnection")
"""Each has a `_connect` of its own, in either flavour but for asyncio's SSLConnection."""
NEEDED: Final = ("send_packed_command", "read_response", "pack_commands", "disconnect", "on_connect", "_send_ping")
GREETINGS: Final = ("on_connect_check_health", "on_connect")
"""What introduces a connection to its server. Source: redis-py 4.6 (the second), 5.3 to 8.1 (both)."""


def modules() -> tuple[ModuleType, ModuleType]:
    """`redis.connection` and `redis.asyncio.connection`."""
    import redis.asyncio.connection
    import redis.connection

    return redis.connection, redis.asyncio.connection


def bases() -> tuple[Any, Any]:
    """The class of every synchronous and of every asynchronous connection. Raises MissingNames before redis-py 4.2."""
    import redis

    try:
        sync, asynchronous = modules()
        return sync.AbstractConnection, asynchronous.AbstractConnection
    except (ImportError, AttributeError) as error:
        raise MissingNames(LIBRARY, redis.__version__, ("AbstractConnection",), "it is recorded from 4.6 on") from error


def connecting_classes() -> list[tuple[Any, bool]]:
    """Those that have a `_connect` of their own, and whether it is a coroutine."""
    sync, asynchronous = modules()
    found = [(getattr(module, name), module is asynchronous) for module in (sync, asynchronous) for name in CONNECTIONS]
    return [(owner, is_async) for owner, is_async in found if "_connect" in vars(owner)]


def target(connection: Any) -> str:
    """The server as the app named it, without a password."""
    user = getattr(connection, "username", None)
    database = getattr(connection, "db", 0)
    path = getattr(connection, "path", None)
    if path:
        return f"unix://{path}?db={database}"
    host, port = getattr(connection, "host", ""), getattr(connection, "port", "")
    return f"redis://{f'{user}@' if user else ''}{host}:{port}/{database}"


def server(connection: Any) -> str:
    """The server of a connection, however it is called: its primary may be another one tomorrow."""
    if (service := getattr(getattr(connection, "connection_pool", None), "service_name", None)) is not None:
        return f"sentinel:{service}"
    path = getattr(connection, "path", None)
    return str(path) if path else f"{getattr(connection, 'host', '')}:{getattr(connection, 'port', '')}"


def protocol(connection: Any) -> int:
    """2 or 3: which RESP it speaks."""
    return 3 if str(getattr(connection, "protocol", 2)) == "3" else 2
