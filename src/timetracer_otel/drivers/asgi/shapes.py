"""Whether a recorded `http.server` has the shape of one, looked at once before it is sent: a stranger may have made it.

Whatever reads it afterwards may take it for what `docs/cassette-format.md` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Final, NamedTuple

from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.asgi.websocket.codec import is_conversation
from timetracer_otel.errors import DamagedCassette

SIDES: Final = ("client", "app")


class Shape(NamedTuple):
    words: str
    fits: Callable[[Value], bool]


def check(exchange: Exchange) -> None:
    """Of one that is to be sent: all that it needs is there too. Raises DamagedCassette, with the name of the field."""
    needed = NEEDED if is_conversation(exchange.request) else (*NEEDED, *NEEDED_OF_HTTP)
    for name in needed:
        if name not in exchange.request:
            raise DamagedCassette(f"exchange {exchange.id}", f"request.{name} is missing")
    check_fields(exchange)


def check_fields(exchange: Exchange) -> None:
    """Raises DamagedCassette, with the name of the field."""
    for side, payload, shapes in (("request", exchange.request, REQUEST), ("result", exchange.result, RESULT)):
        for name, shape in shapes.items():
            if name in payload and not shape.fits(payload[name]):
                raise DamagedCassette(f"exchange {exchange.id}", f"{side}.{name} is not {shape.words}")


def _is(*types: type) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, types) and not (isinstance(value, bool) and bool not in types)


def _each(*members: Callable[[Value], bool]) -> Callable[[Value], bool]:
    """A list of lists with these members."""

    def fits(value: Value) -> bool:
        return isinstance(value, (list, tuple)) and all(map(one, value))

    def one(value: Value) -> bool:
        return _is_list_of(value, members)

    return fits


def _is_list_of(value: Value, members: tuple[Callable[[Value], bool], ...]) -> bool:
    is_as_long = isinstance(value, (list, tuple)) and len(value) == len(members)
    return is_as_long and all(fits(each) for fits, each in zip(members, value, strict=True))  # type: ignore[arg-type]  # a list, as `is_as_long` says


def _is_texts(value: Value) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _is_address(value: Value) -> bool:
    return value is None or (isinstance(value, (list, tuple)) and all(isinstance(each, (str, int)) for each in value))


def _has(**members: Callable[[Value], bool]) -> Callable[[Value], bool]:
    """An object with at least these members, or null."""
    return lambda value: (
        value is None
        or (isinstance(value, Mapping) and all(name in value and fits(value[name]) for name, fits in members.items()))
    )


TEXT: Final = Shape("text", _is(str))
PAIRS: Final = Shape("a list of pairs of bytes", _each(_is(bytes), _is(bytes)))
CHUNKS: Final = Shape("a list of [nanoseconds, bytes]", _each(_is(int), _is(bytes)))
COUNT: Final = Shape("a whole number", _is(int))
FLAG: Final = Shape("true or false", _is(bool))
ADDRESS: Final = Shape("[host, port]", _is_address)
TEXTS: Final = Shape("a list of text", _is_texts)

NEEDED: Final = ("scheme", "http_version", "path", "root_path", "query_string", "headers")
NEEDED_OF_HTTP: Final = ("method", "body", "ended")
REQUEST: Final[Mapping[str, Shape]] = {
    **dict.fromkeys(("scheme", "http_version", "spec_version", "path", "root_path"), TEXT),
    "method": Shape("text", _is(str, NoneType)),
    "raw_path": Shape("bytes", _is(bytes, NoneType)),
    "query_string": Shape("bytes", _is(bytes)),
    "headers": PAIRS,
    "client": ADDRESS,
    "server": ADDRESS,
    "body": CHUNKS,
    "body_size": COUNT,
    "ended": FLAG,
    "extensions": TEXTS,
    "subprotocols": TEXTS,
}
RESULT: Final[Mapping[str, Shape]] = {
    "status": Shape("a whole number", _is(int, NoneType)),
    "headers": PAIRS,
    "trailers": PAIRS,
    "body": CHUNKS,
    "body_size": COUNT,
    "disconnected_ns": COUNT,
    "refused_at": COUNT,
    "messages": Shape(
        "a list of [nanoseconds, side, text or bytes]", _each(_is(int), lambda side: side in SIDES, _is(str, bytes))
    ),
    "departure": Shape(
        "an object of after, code and reason", _has(after=_is(int), code=_is(int, NoneType), reason=_is(str, NoneType))
    ),
}
