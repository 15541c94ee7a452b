"""Captured exchanges -> redacted JSON, one by one: what cannot be encoded is dropped alone, and a husk says so."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from opentelemetry.trace import format_span_id

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.cassette import Exchange, Payload, Signature, dump_exchange
from timetracer_otel.cassette.blobs import Put, beside
from timetracer_otel.cassette.pieces import give_way
from timetracer_otel.drivers import registry
from timetracer_otel.errors import StoreFull
from timetracer_otel.exporters.entries import ENTRIES
from timetracer_otel.exporters.spill import STORE

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.drivers.base import Codec
    from timetracer_otel.drivers.encoded import Encoded
    from timetracer_otel.redaction import Redactor

NOT_ENCODED: Final = "encode"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose exchanges they are: what their ids begin with, and when the segment or the process began."""

    prefix: str
    start_ns: int
    is_decided: bool = True
    """False while they may be dropped yet: then no payload of theirs lies beside the part."""


@dataclass(frozen=True, slots=True)
class Coded:
    """One exchange as JSON; `entry` is the exchange itself where it is an entry."""

    text: bytes
    entry: Exchange | None = None


class Look(NamedTuple):
    """What was made of an exchange before those that it encloses were looked at."""

    encoded: Encoded
    redacted: tuple[Encoded, tuple[str, ...]]
    known: int
    """Secrets that the trace knew then."""


class ExchangeEncoder:
    """One per process; several threads may use it at once."""

    def __init__(self, payload_max_bytes: int, put: Put) -> None:
        """`put` stores what is too large for a part."""
        self._payload_max_bytes, self._put = payload_max_bytes, put
        self._codecs = _codecs_in_use()

    def encode_all(
        self, captured: Sequence[Captured], redactor: Redactor, owner: Owner, losses: Counter[str]
    ) -> list[Coded]:
        """Payloads are let go one by one: a thousand rows of the next answer then take the memory of the last ones.

        An entry began first and ends last: its secrets are known to what it asks, and what that told to its answer.
        """
        if len(captured) == 1:  # most tasks, and requests that ask nobody
            return [self.encode(captured[0], redactor, owner, losses)]
        last = len(captured) - 1
        looks = {
            place: self._look(one, redactor) for place, one in enumerate(captured) if place < last and _may_enclose(one)
        }
        coded = dict[int, Coded]()
        for place in sorted(range(len(captured)), key=looks.__contains__):
            coded[place] = self.encode(captured[place], redactor, owner, losses, looks.get(place))
            give_way()
        return [coded[place] for place in range(len(captured))]

    def encode(
        self, captured: Captured, redactor: Redactor, owner: Owner, losses: Counter[str], look: Look | None = None
    ) -> Coded:
        """What has been spooled already is not encoded again."""
        known = captured.coded
        if known is not None and known[0] == captured.rev and isinstance(known[1], Coded):
            return known[1]
        coded = self._encode(captured, redactor, owner, losses, look)
        if coded is None:
            losses[NOT_ENCODED] += 1
            coded = _husk(captured, owner)
        return coded

    @guarded("encode")
    def learn(self, captured: Captured, redactor: Redactor) -> None:
        """`redactor` knows the secrets of the request afterwards, though its answer has not ended."""
        self._redacted(captured, redactor)

    @guarded("encode")
    def _look(self, captured: Captured, redactor: Redactor) -> Look:
        encoded = self._codec(captured.driver).encode(captured)
        redacted = self._redacted(captured, redactor, encoded)
        return Look(encoded, redacted, len(redactor.known()))

    def _redacted(
        self, captured: Captured, redactor: Redactor, encoded: Encoded | None = None
    ) -> tuple[Encoded, tuple[str, ...]]:
        codec = self._codec(captured.driver)
        encoded = encoded or codec.encode(captured)
        return codec.redact(encoded, redactor.of_type(encoded.type))

    @guarded("encode")
    def _encode(
        self, captured: Captured, redactor: Redactor, owner: Owner, losses: Counter[str], look: Look | None
    ) -> Coded:
        if look is not None and look.known == len(redactor.known()):
            encoded, redacted = look.redacted
        else:
            encoded, redacted = self._redacted(captured, redactor, look and look.encoded)
        give_way()
        exchange = Exchange(
            id=f"{owner.prefix}{captured.number}",
            type=encoded.type,
            signature=Signature(encoded.lib, encoded.method, encoded.url),
            request=encoded.request,
            result=encoded.result,
            rev=captured.rev,
            span_id=_span_id(captured),
            complete=captured.complete,
            target=encoded.target,
            connection=captured.connection,
            transaction=captured.transaction,
            at_ns=max(0, captured.opened_ns - owner.start_ns),
            duration_ns=_duration_ns(captured),
            dropped=_dropped(captured),
            redacted=redacted,
        )
        try:
            if encoded.has_binary and owner.is_decided:
                exchange = self._without_binary(exchange)
            text = dump_exchange(exchange, encoded.is_plain, self._put if owner.is_decided else None)
        except OSError as error:
            exchange, text = _refused(exchange, captured, error)
            losses[str((exchange.dropped or {})["reason"])] += 1
        if captured.dropped is not None and len(text) > self._payload_max_bytes:  # it was the request that is so large
            exchange = replace(exchange, request={}, redacted=())
            text = dump_exchange(exchange)
        return Coded(text, exchange if exchange.type in ENTRIES else None)

    def _without_binary(self, exchange: Exchange) -> Exchange:
        request, result = beside(exchange.request, self._put), beside(exchange.result, self._put)
        return replace(exchange, request=cast(Payload, request), result=cast(Payload, result))

    def _codec(self, driver: str) -> Codec:
        found = self._codecs.get(driver)
        if found is None:
            found = self._codecs[driver] = registry.codec(driver)
        return found


def _may_enclose(captured: Captured) -> bool:
    """Whether it may end after exchanges that began later: an entry, or a piece of one."""
    return bool(registry.DRIVERS[captured.driver].entry)


def _codecs_in_use() -> dict[str, Codec]:
    """Those of the drivers that are in."""
    return {
        name: registry.codec(name)
        for name, driver in registry.DRIVERS.items()
        if f"{driver.module}.record" in sys.modules
    }


def _span_id(captured: Captured) -> str | None:
    return None if captured.span_id is None else format_span_id(captured.span_id)


def _duration_ns(captured: Captured) -> int:
    return max(0, captured.closed_ns - captured.opened_ns)


def _dropped(captured: Captured) -> Payload | None:
    return None if captured.dropped is None else {"reason": captured.dropped, "size": captured.size}


def _refused(exchange: Exchange, captured: Captured, error: OSError) -> tuple[Exchange, bytes]:
    """What is left where the store does not take a payload: the exchange, and why."""
    reason = error.reason if isinstance(error, StoreFull) else STORE
    guard.failed(f"store.{reason}", error)
    left = replace(exchange, request={}, result={}, redacted=(), dropped={"reason": reason, "size": captured.size})
    return left, dump_exchange(left)


def _husk(captured: Captured, owner: Owner) -> Coded:
    """An exchange of which only this is left: that it took place, where and when."""
    entry = registry.DRIVERS[captured.driver].entry if captured.is_entry else ""
    exchange = Exchange(
        id=f"{owner.prefix}{captured.number}",
        type=entry or "unknown",
        signature=Signature(captured.driver, "", ""),
        request={},
        result={},
        rev=captured.rev,
        span_id=_span_id(captured),
        complete=False,
        connection=captured.connection,
        transaction=captured.transaction,
        at_ns=max(0, captured.opened_ns - owner.start_ns),
        duration_ns=_duration_ns(captured),
        dropped={"reason": NOT_ENCODED, "size": captured.size},
    )
    return Coded(dump_exchange(exchange), exchange if entry else None)
