"""One answer in the other version of the protocol: what the same server sends to a client that speaks that one.

RESP3 has maps, sets, doubles and a null, where RESP2 has arrays and strings. Answers that differ by more than that, or
of which it is not known by what, are not turned.
Source: Redis serialization protocol specification; the replies under RESP2 and RESP3 on the page of each command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.redis import readable

MAPS: Final = frozenset({b"HGETALL", b"CONFIG GET"})
SETS: Final = frozenset({b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"SPOP"})
DOUBLES: Final = frozenset({b"ZSCORE", b"ZINCRBY", b"ZADD", b"ZMSCORE"})
OTHERS: Final = frozenset(
    {
        *(b"ZPOPMIN", b"ZPOPMAX", b"BZPOPMIN", b"BZPOPMAX", b"ZMPOP", b"BZMPOP", b"GEOPOS", b"LCS", b"STRALGO"),
        *(b"XREAD", b"XREADGROUP", b"XINFO", b"COMMAND", b"ACL", b"FUNCTION", b"MODULE", b"LATENCY", b"SENTINEL"),
        *(b"HELLO", b"DEBUG", b"RESET", b"CLIENT TRACKINGINFO", b"MEMORY STATS", b"CLUSTER SHARDS", b"CLUSTER LINKS"),
    }
)
OPTIONS: Final = frozenset({b"WITHSCORE", b"WITHSCORES", b"WITHVALUES", b"WITHCOORD"})
"""With one of them an answer has another form."""


class _Unturned(Exception):
    pass


def turned(batch: Sequence[Sequence[bytes]], replies: Sequence[bytes], version: int) -> bytes | None:
    """The replies to the commands, as whole frames, in this version; None where that is not known."""
    if len(batch) != len(replies):
        return None
    try:
        found = [_turned(command, readable.decode(reply), version) for command, reply in zip(batch, replies)]  # noqa: B905
        if [word.upper() for word in (*batch[0][:1], *batch[-1][:1])] == [b"MULTI", b"EXEC"]:
            found[-1] = _of_transaction(batch[1:-1], readable.decode(replies[-1]), version)
        return b"".join(map(readable.encode, found))
    except (_Unturned, Unconvertible):
        return None


def _of_transaction(commands: Sequence[Sequence[bytes]], value: Value, version: int) -> Value:
    if not isinstance(value, list):  # an error, or nothing since a key that was watched has changed
        return _turned((b"EXEC",), value, version)
    if len(value) != len(commands):
        raise _Unturned
    return [_turned(command, each, version) for command, each in zip(commands, value)]  # noqa: B905


def _turned(command: Sequence[bytes], value: Value, version: int) -> Value:
    words = [word.upper() for word in command]
    names = {words[0], b" ".join(words[:2])}
    if names & OTHERS or b"." in words[0] or OPTIONS.intersection(words):  # a dot: of a module
        if isinstance(value, Mapping) and "-" in value:
            return value
        raise _Unturned
    return _third(names, value) if version == 3 else _second(value)


def _third(names: set[bytes], value: Value) -> Value:
    found = _with_nulls(value)
    if isinstance(found, list):
        if names & MAPS and len(found) % 2 == 0:
            return {"%": [found[at : at + 2] for at in range(0, len(found), 2)]}
        if names & SETS:
            return {"~": found}
        return [_double(each) for each in found] if names & DOUBLES else found
    return _double(found) if names & DOUBLES else found


def _with_nulls(value: Value) -> Value:
    if isinstance(value, list):
        return [_with_nulls(each) for each in value]
    return {"_": ""} if value is None or value == {"*": None} else value


def _double(value: Value) -> Value:
    return {",": value} if isinstance(value, (str, bytes)) else value


def _second(value: Any) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return [_second(each) for each in value]
    if not isinstance(value, Mapping) or set(value) & {"+", "-", "*"}:
        return value  # type: ignore[no-any-return]  # it came out of `readable`
    ((sign, content),) = value.items()
    if sign == "%":
        return [_second(each) for pair in content for each in pair]
    if sign == "~":
        return [_second(each) for each in content]
    if sign == "_":
        return None
    if sign == "=":
        return content[4:]  # type: ignore[no-any-return]  # behind its kind, `txt:`
    if sign in (",", "("):
        return content  # type: ignore[no-any-return]
    raise _Unturned
