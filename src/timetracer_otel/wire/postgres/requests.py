"""What a client says: one frozen value per frontend message, parsed from its body.

Texts are UTF-8; bytes that are not become surrogates, so that they encode back to the same bytes.
Source: PostgreSQL protocol 3.0, "Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from timetracer_otel.errors import WireError

Target: TypeAlias = Literal["S", "P"]
"""What Describe and Close are about: a prepared statement or a portal."""

CANCEL_REQUEST: Final = 80877102
SSL_REQUEST: Final = 80877103
GSSENC_REQUEST: Final = 80877104
PROTOCOL_MAJOR: Final = 3


@dataclass(frozen=True, slots=True)
class EncryptionRequest:
    """SSLRequest or GSSENCRequest."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    pid: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class StartupMessage:
    minor: int
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    sql: str


@dataclass(frozen=True, slots=True)
class Parse:
    name: str
    sql: str
    oids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """`formats` has one entry per value; `result_formats` is as sent: none, one for all, or one per column."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Describe:
    target: Target
    name: str


@dataclass(frozen=True, slots=True)
class Execute:
    portal: str
    max_rows: int
    """0 is no limit."""


@dataclass(frozen=True, slots=True)
class Close:
    target: Target
    name: str


@dataclass(frozen=True, slots=True)
class Flush: ...


@dataclass(frozen=True, slots=True)
class Sync: ...


@dataclass(frozen=True, slots=True)
class Terminate: ...


@dataclass(frozen=True, slots=True)
class CopyData:
    """This and the next two: a server that is not in COPY passes over them."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CopyDone: ...


@dataclass(frozen=True, slots=True)
class CopyFail:
    reason: str


@dataclass(frozen=True, slots=True)
class FunctionCall: ...


Opening: TypeAlias = EncryptionRequest | CancelRequest | StartupMessage
Request: TypeAlias = (
    Opening
    | Query
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Flush
    | Sync
    | Terminate
    | FunctionCall
    | CopyData
    | CopyDone
    | CopyFail
)


class _Body:
    """Reads one message body from front to back. Raises WireError when the body is too short, or longer than read."""

    def __init__(self, name: str, body: bytes) -> None:
        self._name, self._body, self._at = name, body, 0

    def text(self) -> str:
        end = self._body.find(b"\0", self._at)
        if end < 0:
            raise WireError(f"PostgreSQL {self._name}: a text without its NUL; is the client speaking protocol 3?")
        value = self._body[self._at : end]
        self._at = end + 1
        return value.decode("utf-8", "surrogateescape")

    def take(self, count: int) -> bytes:
        value = self._body[self._at : self._at + count]
        if count < 0 or len(value) < count:
            raise WireError(f"PostgreSQL {self._name}: {count} bytes announced, {len(value)} there")
        self._at += count
        return value

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    def int32(self) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def many(self, code: Literal["H", "I"]) -> tuple[int, ...]:
        count = int.from_bytes(self.take(2), "big")
        return struct.unpack(f"!{count}{code}", self.take(count * struct.calcsize(f"!{code}")))

    def value(self) -> bytes | None:
        size = self.int32()
        return None if size == -1 else self.take(size)

    def end(self) -> None:
        if self._at != len(self._body):
            raise WireError(f"PostgreSQL {self._name}: {len(self._body) - self._at} bytes after its end")


def parse_opening(packet: bytes) -> Opening:
    """The untagged packet (without its length) that a connection begins with. Raises WireError."""
    body = _Body("start-up packet", packet)
    code = body.int32()
    if code in (SSL_REQUEST, GSSENC_REQUEST):
        body.end()
        return EncryptionRequest()
    if code == CANCEL_REQUEST:
        return CancelRequest(body.int32(), body.rest())
    major, minor = divmod(code, 1 << 16)
    if major != PROTOCOL_MAJOR:
        raise WireError(f"PostgreSQL start-up packet: protocol {major}.{minor}, replay speaks 3.0; use a newer driver")
    return StartupMessage(minor, _options(body))


def _options(body: _Body) -> dict[str, str]:
    options: dict[str, str] = {}
    while name := body.text():
        options[name] = body.text()
    body.end()
    return options


def parse_request(kind: bytes, body: bytes) -> Request:
    """The value of a tagged message. Raises WireError for an unknown kind or a malformed body."""
    parser = _PARSERS.get(kind)
    if parser is None:
        raise WireError(f"PostgreSQL message {kind!r}: no such client message; is the client speaking protocol 3?")
    name, read = parser
    reading = _Body(name, body)
    request = read(reading)
    reading.end()
    return request


def _parse(body: _Body) -> Request:
    return Parse(body.text(), body.text(), body.many("I"))


def _bind(body: _Body) -> Request:
    portal, statement, formats = body.text(), body.text(), body.many("H")
    count = int.from_bytes(body.take(2), "big")
    values = tuple(body.value() for _ in range(count))
    result_formats = body.many("H")
    return Bind(
        portal, statement, _checked("parameter", spread(formats, count)), values, _checked("result", result_formats)
    )


def spread(formats: tuple[int, ...], count: int) -> tuple[int, ...]:
    """One format code per value from what stands in Bind: none is all text, one is for all. Raises WireError."""
    if len(formats) <= 1:
        return (formats or (0,)) * count
    if len(formats) != count:
        raise WireError(f"PostgreSQL Bind: {len(formats)} format codes for {count} values")
    return formats


def _checked(what: str, formats: tuple[int, ...]) -> tuple[int, ...]:
    if any(code not in (0, 1) for code in formats):
        raise WireError(f"PostgreSQL Bind: {what} format codes {formats}, only 0 and 1 exist")
    return formats


def _target(body: _Body) -> tuple[Target, str]:
    target = body.take(1)
    if target not in (b"S", b"P"):
        raise WireError(f"PostgreSQL Describe or Close: neither a statement nor a portal but {target!r}")
    return cast("Target", target.decode()), body.text()


def _function_call(body: _Body) -> Request:
    body.rest()
    return FunctionCall()


_PARSERS: Final[dict[bytes, tuple[str, Callable[[_Body], Request]]]] = {
    b"Q": ("Query", lambda body: Query(body.text())),
    b"P": ("Parse", _parse),
    b"B": ("Bind", _bind),
    b"D": ("Describe", lambda body: Describe(*_target(body))),
    b"E": ("Execute", lambda body: Execute(body.text(), body.int32())),
    b"C": ("Close", lambda body: Close(*_target(body))),
    b"H": ("Flush", lambda body: Flush()),
    b"S": ("Sync", lambda body: Sync()),
    b"X": ("Terminate", lambda body: Terminate()),
    b"d": ("CopyData", lambda body: CopyData(body.rest())),
    b"c": ("CopyDone", lambda body: CopyDone()),
    b"f": ("CopyFail", lambda body: CopyFail(body.text())),
    b"F": ("FunctionCall", _function_call),
}
