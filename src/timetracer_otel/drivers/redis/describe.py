"""What a command and its reply say to people, without the driver's package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.base import Description
from timetracer_otel.drivers.redis.forms import (
    COMMANDS,
    commands_of,
    partial_of,
    readable_request,
    readable_result,
    values_of,
)
from timetracer_otel.drivers.redis.messages import MESSAGE
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.wire.redis.readable import text

TYPE: Final = "db.command"
CONNECT: Final = "net.connect"
TEXT_MAX: Final = 100
"""Characters of a reply that stand in one line."""


class RedisDescribing:
    """Implements `drivers.base.Describing`."""

    def describe(self, exchange: Exchange) -> Description | None:
        try:
            if exchange.type == CONNECT:
                return Description(str(exchange.request.get("op", "connect")), outcome=_error(exchange.result))
            if exchange.type != TYPE or COMMANDS not in exchange.request:
                return None
            return _described(exchange)
        except DamagedCassette:
            return None

    def readable(self, exchange: Exchange) -> Exchange:
        if exchange.type != TYPE:
            return exchange
        request, result = readable_request(exchange.request), readable_result(exchange.result)
        return replace(exchange, request=request, result=result)


DESCRIBING: Final = RedisDescribing()


def _described(exchange: Exchange) -> Description:
    batch, replies = commands_of(exchange.request), values_of(exchange.result)
    lost = str(exchange.result.get("lost", "")) + (" in the middle of a reply" if partial_of(exchange.result) else "")
    results = [_line(each) for each in replies]
    if exchange.request.get("op") == MESSAGE:
        return Description(
            f"message of {_spoken(batch)}", outcome="; ".join(map(said, replies)) or lost, results=results
        )
    if len(batch) == 1 and batch[0]:
        name, *arguments = batch[0]
        words = [text(each) for each in arguments]
        outcome = "; ".join([*(said(each) for each in replies), *([lost] if lost else [])])
        return Description(_word(name).upper(), values=words, outcome=outcome, results=results)
    told = lost or f"{len(replies)} repl{'y' if len(replies) == 1 else 'ies'}"
    return Description(exchange.signature.method, [_command(each) for each in batch], outcome=told, results=results)


def _spoken(batch: Sequence[Sequence[bytes]]) -> str:
    return ", ".join(_command(each) for each in batch)


def _command(command: Sequence[bytes]) -> str:
    return " ".join(_word(each) for each in command)


def _word(raw: bytes) -> str:
    found = text(raw)
    return found if isinstance(found, str) else f"<{len(raw)} bytes>"


def _error(result: Mapping[str, Value]) -> str:
    error = result.get("error")
    if not isinstance(error, Mapping):
        return ""
    arguments = error.get("args")
    told = arguments if isinstance(arguments, list) else []
    return f"{error.get('type')}: {' '.join(map(str, told))}"


def said(reply: Value) -> str:
    """A reply in some words: `OK`, `3 items`, `WRONGTYPE Operation against ...`."""
    if reply is None or reply in ({"*": None}, {"_": ""}):
        return "nil"
    if isinstance(reply, Mapping):
        sign, content = next(iter(reply.items()), ("", None))
        if isinstance(content, (list, tuple)):
            return f"{len(content)} {'pair' if sign == '%' else 'item'}{'s' * (len(content) != 1)}"
        return said(content)
    if isinstance(reply, (list, tuple)):
        return f"{len(reply)} item{'s' * (len(reply) != 1)}"
    if isinstance(reply, bytes):
        return f"{len(reply)} bytes"
    found = str(reply)
    return found if len(found) <= TEXT_MAX else f"{found[: TEXT_MAX - 1]}…"


def _line(reply: Value) -> str:
    """A whole reply as JSON, a set or a map as a list or pairs."""
    return json.dumps(_plain(reply), ensure_ascii=False)


def _plain(reply: Value) -> Any:
    if isinstance(reply, bytes):
        return f"<{len(reply)} bytes>"
    if isinstance(reply, Mapping):
        sign, content = next(iter(reply.items()), ("", None))
        return _plain(content) if sign in "+,(=~>%*_" else {sign: _plain(content)}
    if isinstance(reply, (list, tuple)):
        return [_plain(each) for each in reply]
    return reply
