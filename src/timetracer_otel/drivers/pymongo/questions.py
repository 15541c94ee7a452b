"""Commands in canonical form: what is recorded and what is asked in replay become the same `Question`.

Every value of a command is a slot, its key made of the way to it, its type and its bytes: what a server would tell
apart is told apart, the order of keys too. int32 and int64 are alike. What the driver adds by itself does not count.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Hashable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import TEXT_MAX, Question, Slot
from timetracer_otel.drivers.pymongo.forms import COMMAND, REPLIES, WHERE, command_of, replies_of
from timetracer_otel.drivers.pymongo.inside import CODE, SCOPE, documents_in
from timetracer_otel.drivers.pymongo.names import LIBRARY
from timetracer_otel.drivers.pymongo.whole_values import NESTED, TEXTS, UUIDS, content_of
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.redaction import text_in
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.extended_json import value_text

PROCESS: Final = "process"
"""Of a recorded request: what marks the ObjectIds of its process, in hex."""
ADMIN: Final = "admin"
"""The database of commands that are about none: it has the same name everywhere."""
BOOKKEEPING: Final = frozenset({b"lsid", b"$clusterTime", b"txnNumber", b"maxTimeMS", b"$db"})
CLOCKS: Final = frozenset({b"$clusterTime", b"operationTime"})
"""Of a reply."""
READ_CONCERN: Final = b"readConcern"
SESSION_TIMES: Final = frozenset({b"afterClusterTime", b"atClusterTime"})
EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

Way = tuple[Hashable, ...]


def question(command: bytes, database: str, marks: Collection[bytes]) -> Question:
    """`marks` are those of ObjectIds that the asking process makes. Raises WireError."""
    parts = [part for part in (_plain(part) for part in bson.elements(command)) if part is not None]
    name, collection = subject(command)
    where = f"{database}.{collection}" if collection else database
    own = [part for number, part in enumerate(parts) if number or part.kind != bson.STRING]
    return Question(
        lib=LIBRARY,
        method=name,
        url=where,
        shape=(name, collection, database == ADMIN),
        text=f"{where}.{name}({', '.join(part.text for part in parts[1:])})",
        slots=tuple(slot for part in own for slot in _slots(part, (part.name,), COMMAND, marks)),
        database=None if database == ADMIN else database,
    )


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request. Raises DamagedCassette."""
    request = exchange.request
    database = exchange.signature.url.partition(".")[0]
    try:
        return question(command_of(request), database, _marks(request))
    except WireError as error:
        raise DamagedCassette(WHERE, str(error)) from None


def answer_slots(exchange: Exchange) -> list[Slot]:
    """What came back, value by value, without what differs each time: clocks and numbers of cursors.

    Raises DamagedCassette.
    """
    marks, found = _marks(exchange.request), list[Slot]()
    try:
        for number, reply in enumerate(replies_of(exchange.result)):
            for part in bson.elements(reply):
                if part.name not in CLOCKS:
                    found += _slots(part, (number, part.name), f"{REPLIES}[{number}]", marks)
    except WireError as error:
        raise DamagedCassette(WHERE, str(error)) from None
    return [slot for slot in found if not slot.path.endswith("].cursor.id")]


def _marks(request: Payload) -> Collection[bytes]:
    found = request.get(PROCESS)
    try:
        return (bytes.fromhex(found),) if isinstance(found, str) else ()
    except ValueError:
        return ()


def subject(command: bytes) -> tuple[str, str]:
    """Name of a command and of the collection that it is about; "" if it is about none. Raises WireError."""
    parts = bson.elements(command)
    first = next(parts, None)
    if first is None:
        return "", ""
    about = first
    if first.name == b"getMore":
        about = next((part for part in parts if part.name == b"collection"), first)
    text = bson.string_of(about.value) if about.kind == bson.STRING else b""
    return first.text, text.decode("utf-8", "replace")


def _plain(part: bson.Element) -> bson.Element | None:
    """Without what the driver adds; None if it is nothing else."""
    if part.name in BOOKKEEPING:
        return None
    if part.name == READ_CONCERN and part.kind == bson.DOCUMENT:
        kept = [each for each in bson.elements(part.value) if each.name not in SESSION_TIMES]
        return part._replace(value=bson.joined(kept)) if kept else None
    return part


def _slots(part: bson.Element, way: Way, path: str, marks: Collection[bytes], is_exact: bool = False) -> Iterator[Slot]:
    """`is_exact`: inside of bytes, where a server sees every one of them."""
    step = way[-1]
    path = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{part.text}"
    inner = list(_inner(part)) if len(way) < bson.DEPTH_MAX else []
    if not inner:
        yield _slot(part.kind, part.value, way, path, marks, is_exact)
        return
    if part.kind not in NESTED:  # else it would be the same as a document of these members
        is_exact = is_exact or part.kind == bson.BINARY
        way = (*way, (part.kind, part.value[4] if part.kind == bson.BINARY else None))
    for next_step, each in inner:
        yield from _slots(each, (*way, next_step), path, marks, is_exact)


def _inner(part: bson.Element) -> Iterator[tuple[bytes | int, bson.Element]]:
    """What a value consists of, each with the step that leads there."""
    if part.kind in NESTED:
        for number, each in enumerate(bson.elements(part.value)):
            yield number if part.kind == bson.ARRAY else each.name, each
    elif part.kind == bson.CODE_WITH_SCOPE:
        code, scope = bson.code_of(part.value)
        yield CODE, bson.Element(bson.CODE, CODE, bson.string(code))
        yield SCOPE, bson.Element(bson.DOCUMENT, SCOPE, scope)
    else:
        for number, document in enumerate(documents_in(part)):
            yield number, bson.Element(bson.DOCUMENT, b"", document)


def _slot(kind: int, value: bytes, way: Way, path: str, marks: Collection[bytes], is_exact: bool) -> Slot:
    is_made = kind == bson.OBJECT_ID and value[4:9] in marks
    return Slot(
        path=path,
        key=(way, kind, value) if is_exact else (way, *_key(kind, value)),
        shown=shown(kind, value),
        text=_text(kind, value),
        instant_ns=bson.int_of(value) * 1_000_000 if kind == bson.DATE else None,
        made=value.hex() if is_made else None,
    )


def _text(kind: int, value: bytes) -> str | None:
    """Where ids and markers are found."""
    if kind == bson.BINARY and value[4] in UUIDS:
        return str(uuid.UUID(bytes=value[5:])) if len(value) == 5 + 16 else None
    if kind in TEXTS:
        return bson.string_of(value).decode("utf-8", "replace")
    if len(value) > TEXT_MAX:
        return None
    if kind == bson.BINARY:
        subtype, data = content_of(value)
        return f"{subtype}:{text_in(data, TEXT_MAX) or data.decode('latin-1')}"
    return value.decode("latin-1") if kind == bson.REGEX else None


def _key(kind: int, value: bytes) -> tuple[Hashable, ...]:
    if kind in (bson.INT32, bson.INT64):
        return bson.INT64, bson.int_of(value)
    return kind, value


def shown(kind: int, value: bytes) -> Value:
    """One value for people: text and numbers as they are, else as Extended JSON. Raises WireError."""
    if kind == bson.STRING:
        return bson.string_of(value).decode("utf-8", "replace")
    if kind in (bson.INT32, bson.INT64):
        return bson.int_of(value)
    if kind in (bson.NULL, bson.BOOLEAN):
        return None if kind == bson.NULL else value != b"\0"
    if kind == bson.OBJECT_ID:
        return f"ObjectId('{value.hex()}')"
    if kind == bson.BINARY and value[4] in UUIDS and len(value) == 5 + 16:
        return str(uuid.UUID(bytes=value[5:]))
    if kind == bson.DATE:
        return _date(bson.int_of(value))
    return value_text(kind, value)


def _date(since_ms: int) -> str:
    try:
        return (EPOCH + timedelta(milliseconds=since_ms)).isoformat()
    except OverflowError:
        return f"{since_ms} ms since 1970"
