"""A SOCKS5 proxy that asks for a name and a password, and connects by name or by address.

Source: RFC 1928, RFC 1929.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final

PASSWORD: Final = 2
"""The method."""
BY_ADDRESS, BY_NAME = 1, 3
REFUSED: Final = 5


async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    _, count = await reader.readexactly(2)
    await reader.readexactly(count)
    writer.write(bytes((5, PASSWORD)))
    await reader.readexactly(1)
    for _ in ("name", "password"):
        await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x01\x00")
    try:
        there, back = await asyncio.open_connection(*await _target(reader))
    except OSError:
        writer.write(_answer(REFUSED))
        writer.close()
        return
    writer.write(_answer(0))
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def _target(reader: asyncio.StreamReader) -> tuple[str, int]:
    *_, kind = await reader.readexactly(4)
    if kind == BY_NAME:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = socket.inet_ntoa(await reader.readexactly(4))
    return host, int.from_bytes(await reader.readexactly(2), "big")


def _answer(code: int) -> bytes:
    return bytes((5, code, 0, BY_ADDRESS)) + bytes(6)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What comes in goes out, until one side has enough."""
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
