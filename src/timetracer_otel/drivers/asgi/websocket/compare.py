"""Two conversations: message by message, each as a body of its kind; then who ended it, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Final, TypeAlias, cast

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.asgi.bodies import LINES_MAX, Deviation, compare_bodies
from timetracer_otel.drivers.asgi.content import Content, content_of
from timetracer_otel.drivers.asgi.noise import Allowance
from timetracer_otel.drivers.asgi.websocket.codec import messages_of

CLIENT_GONE: Final = "the client had gone: compared as far as it was told"
JSON: Final = [(b"content-type", b"application/json")]
Numbered: TypeAlias = "tuple[int, str | bytes]"
"""A message by its place in the whole conversation."""


def compare_conversations(recorded: Payload, replayed: Payload, allowance: Allowance) -> Iterator[Deviation]:
    """Nothing for what are no conversations."""
    if "messages" not in recorded and "messages" not in replayed:
        return
    if recorded.get("subprotocol") != replayed.get("subprotocol"):
        yield Deviation("subprotocol", recorded.get("subprotocol"), replayed.get("subprotocol"))
    yield from _said(recorded, replayed, allowance)
    yield from _heard(recorded, replayed)
    yield from _close(recorded, replayed)


def _said(recorded: Payload, replayed: Payload, allowance: Allowance) -> Iterator[Deviation]:
    """What the app said; after the client had gone, how much it still said is a matter of timing."""
    was, now = numbered(recorded, "app"), numbered(replayed, "app")
    told = _told(recorded)
    if told is not None:
        sure = sum(number < told for number, _ in was)
        if [data for _, data in was[sure:]] != [data for _, data in now[sure:]]:
            yield Deviation("messages", len(was), len(now), CLIENT_GONE)
        was, now = was[:sure], now[:sure]
    yield from compare_messages(was, now, allowance)


def _told(result: Payload) -> int | None:
    """How many messages of the conversation came before the client had gone; None if it never went."""
    departure = result.get("departure")
    ends = [departure.get("after")] if isinstance(departure, Mapping) else []
    return min((end for end in (*ends, result.get("refused_at")) if isinstance(end, int)), default=None)


def _heard(recorded: Payload, replayed: Payload) -> Iterator[Deviation]:
    was, now = len(numbered(recorded, "client")), len(numbered(replayed, "client"))
    if was != now:
        yield Deviation("messages.received", was, now, CLIENT_GONE if _told(recorded) is not None else None)


def _close(recorded: Payload, replayed: Payload) -> Iterator[Deviation]:
    was, now = (cast("Mapping[str, Value] | None", each.get("close")) for each in (recorded, replayed))
    if was is None or now is None:
        if was != now:
            yield Deviation("close", was, now)
        return
    for name in ("code", "reason"):
        if was.get(name) != now.get(name):
            yield Deviation(f"close.{name}", was.get(name), now.get(name))


def numbered(result: Payload, side: str) -> list[Numbered]:
    """What this side said."""
    return [(number, data) for number, (_, who, data) in enumerate(messages_of(result)) if who == side]


def compare_messages(was: Sequence[Numbered], now: Sequence[Numbered], allowance: Allowance) -> Iterator[Deviation]:
    for first, last, start, stop in _blocks([data for _, data in was], [data for _, data in now]):
        for old, new in zip_longest(was[first:last], now[start:stop]):
            if old is None:
                yield Deviation(f"messages[{new[0]}]", None, new[1])
            elif new is None:
                yield Deviation(f"messages[{old[0]}]", old[1], None)
            elif old[1] != new[1]:
                yield from _message(f"messages[{old[0]}]", old[1], new[1], allowance)


def _blocks(was: Sequence[Any], now: Sequence[Any]) -> Iterator[tuple[int, int, int, int]]:
    """Where they differ: one more or one less in their midst does not move all that come after it."""
    if len(was) == len(now) or max(len(was), len(now)) > LINES_MAX:
        yield 0, len(was), 0, len(now)
        return
    for kind, first, last, start, stop in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if kind != "equal":
            yield first, last, start, stop


def _message(path: str, was: str | bytes, now: str | bytes, allowance: Allowance) -> Iterator[Deviation]:
    if type(was) is not type(now):
        yield Deviation(f"{path}.type", _kind(was), _kind(now))
        return
    for each in compare_bodies(_content(was), _content(now), allowance):
        yield replace(each, path=path + _place(each.path, was))


def _place(path: str, message: str | bytes) -> str:
    """Inside the message; of a text of one line, or of JSON that is one value, nothing need be said."""
    inside = path.removeprefix("body")
    is_all = inside == ".$" or (inside.startswith(".line[") and isinstance(message, str) and "\n" not in message)
    return "" if is_all else inside


def _kind(data: str | bytes) -> str:
    return "text" if isinstance(data, str) else "bytes"


def _content(data: str | bytes) -> Content:
    """Text is JSON where it can be."""
    return content_of(JSON, data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else Content("binary", data)
