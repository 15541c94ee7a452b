"""A recorded exchange: as the BSON that passed, and in readable form.

In wire form `command` and each of `replies` are BSON. In readable form they are canonical Extended JSON, with the
driver's own fields apart (`driver`, and in `driver_at` where they stood); where that would not give the same bytes
back, the BSON stays beside the text, in `command_bson` and `replies_bson`, and counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.errors import DamagedCassette, Unconvertible, WireError
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.extended_json import exact, from_text, to_text

COMMAND, REPLIES = "command", "replies"
BSON: Final = "_bson"
DRIVER, DRIVER_AT = "driver", "driver_at"
DRIVERS_FIELDS: Final = frozenset({b"lsid", b"$clusterTime", b"txnNumber"})
WHERE: Final = "exchange of pymongo"
_COMMANDS_FORMS: Final = (COMMAND, COMMAND + BSON, DRIVER, DRIVER_AT)


def command_of(request: Payload) -> bytes:
    """The BSON of a recorded command. Raises DamagedCassette."""
    raw = request.get(COMMAND + BSON, request.get(COMMAND))
    if isinstance(raw, bytes):
        return raw
    driver, places = request.get(DRIVER), request.get(DRIVER_AT)
    try:
        command = from_text(raw) if isinstance(raw, str) else b""
        if isinstance(driver, str) and isinstance(places, Sequence):
            command = _put_back(command, from_text(driver), places)
        next(bson.elements(command))
        return command
    except (Unconvertible, WireError, StopIteration) as error:
        raise DamagedCassette(WHERE, f"its command: {error}") from None


def replies_of(result: Payload) -> list[bytes]:
    """The BSON of what came back. Raises DamagedCassette."""
    found = result.get(REPLIES + BSON, result.get(REPLIES)) or ()
    if isinstance(found, (str, bytes)) or not isinstance(found, Sequence):
        raise DamagedCassette(WHERE, "its replies are no list")
    return [_reply(each) for each in found]


def _reply(value: Value) -> bytes:
    try:
        if isinstance(value, str):
            return from_text(value)
    except Unconvertible as error:
        raise DamagedCassette(WHERE, f"a reply: {error}") from None
    if not isinstance(value, bytes):
        raise DamagedCassette(WHERE, "a reply is no document")
    return value


# ---- readable --------------------------------------------------------------------------------------------------------


def readable_request(request: Payload) -> Payload:
    """Raises DamagedCassette."""
    command = request.get(COMMAND)
    if not isinstance(command, bytes):
        return request
    rest = {name: value for name, value in request.items() if name != COMMAND}
    try:
        app, driver, places = _taken_apart(command)
        text = exact(app)
        if text is None:
            return {COMMAND: to_text(command), COMMAND + BSON: command, **rest}
        if not places:
            return {COMMAND: text, **rest}
        told = exact(driver)
        if told is None:
            return {COMMAND: to_text(command), COMMAND + BSON: command, **rest}
    except WireError as error:
        raise DamagedCassette(WHERE, str(error)) from None
    return {COMMAND: text, DRIVER: told, DRIVER_AT: places, **rest}


def readable_result(result: Payload) -> Payload:
    """Raises DamagedCassette."""
    replies = result.get(REPLIES)
    if not isinstance(replies, Sequence) or not replies or not all(isinstance(each, bytes) for each in replies):
        return result
    rest = {name: value for name, value in result.items() if name != REPLIES}
    documents = [each for each in replies if isinstance(each, bytes)]
    texts = [exact(each) for each in documents]
    if None not in texts:
        return {REPLIES: texts, **rest}
    try:
        return {REPLIES: [to_text(each) for each in documents], REPLIES + BSON: documents, **rest}
    except WireError as error:
        raise DamagedCassette(WHERE, str(error)) from None


def _taken_apart(command: bytes) -> tuple[bytes, bytes, list[int]]:
    """The application's fields, the driver's, and where these stood."""
    parts = list(bson.elements(command))
    places = [place for place, part in enumerate(parts) if part.name in DRIVERS_FIELDS]
    own = bson.joined(part for part in parts if part.name not in DRIVERS_FIELDS)
    return own, bson.joined(parts[place] for place in places), places


def _put_back(command: bytes, driver: bytes, places: Sequence[Value]) -> bytes:
    parts = list(bson.elements(command))
    for place, part in zip(places, bson.elements(driver), strict=False):
        parts.insert(place if isinstance(place, int) else len(parts), part)
    return bson.joined(parts)


# ---- and back --------------------------------------------------------------------------------------------------------


def wire_request(request: Payload) -> Payload:
    """Of the readable form, the one with the BSON; itself if it is that. Raises DamagedCassette."""
    if isinstance(request.get(COMMAND), bytes):
        return request
    rest = {name: value for name, value in request.items() if name not in _COMMANDS_FORMS}
    return {COMMAND: command_of(request), **rest}


def wire_result(result: Payload) -> Payload:
    """Of the readable form, the one with the BSON. Raises DamagedCassette."""
    if REPLIES not in result:
        return result
    rest = {name: value for name, value in result.items() if name not in (REPLIES, REPLIES + BSON)}
    return {REPLIES: replies_of(result), **rest}
