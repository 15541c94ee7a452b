"""Numbers of transactions: commands of one share the session and its count of transactions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from timetracer_otel.drivers import numbers
from timetracer_otel.wire.mongo import bson

AUTOCOMMIT: Final = b"\x08autocommit\0"
"""Of every command of a transaction."""
KEPT_MAX: Final = 10_000
"""Transactions whose numbers are remembered."""


class Transactions:
    """Thread-safe."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[tuple[bytes, int], int] = OrderedDict()
        self._lock = threading.Lock()

    def of_event(self, command: Mapping[str, Any]) -> int | None:
        """Of a command as the driver's listeners see it; None outside of transactions."""
        if command.get("autocommit") is not False:
            return None
        return self._number(bytes(command["lsid"]["id"]), int(command["txnNumber"]))

    def of_document(self, command: bytes) -> int | None:
        """Of a command as it is sent; None outside of transactions. Raises WireError."""
        if AUTOCOMMIT not in command:
            return None
        found = {part.name: part for part in bson.elements(command)}
        if not found.keys() >= {b"autocommit", b"lsid", b"txnNumber"}:
            return None
        session = next((part.value[5:] for part in bson.elements(found[b"lsid"].value) if part.name == b"id"), b"")
        return self._number(session, bson.int_of(found[b"txnNumber"].value))

    def _number(self, session: bytes, count: int) -> int:
        with self._lock:
            if (session, count) not in self._numbers:
                self._numbers[session, count] = next(numbers.transactions)
                if len(self._numbers) > KEPT_MAX:
                    self._numbers.popitem(last=False)
            return self._numbers[session, count]
