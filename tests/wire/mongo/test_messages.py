"""OP_MSG and its kin: the driver's own messages as it makes them, and any bytes."""

from __future__ import annotations

import zlib
from typing import Any

import bson as drivers_bson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import message as drivers
from pymongo.read_preferences import ReadPreference

from timetracer_otel.errors import WireError
from timetracer_otel.wire.mongo import bson, messages
from timetracer_otel.wire.mongo.backend import MISMATCH, Answer, MongoBackend, refusal

DRIVERS: Any = drivers
INSERT: dict[str, Any] = {"insert": "u", "ordered": True}
DOCUMENTS = [{"_id": number, "text": "x" * number} for number in range(12)]


def insert() -> tuple[int, bytes]:
    """With a document sequence, as `insert_many` sends it."""
    command = {**INSERT, "documents": DOCUMENTS}
    request_id, message, *_ = DRIVERS._op_msg(
        0, command, "app", ReadPreference.PRIMARY, drivers_bson.DEFAULT_CODEC_OPTIONS
    )
    return request_id, message


def test_r01_document_sequences_are_folded_into_the_command() -> None:
    request_id, message = insert()
    parsed = messages.parse(message)
    assert parsed.request_id == request_id
    assert drivers_bson.decode(parsed.document) == {**INSERT, "$db": "app", "documents": DOCUMENTS}
    assert not parsed.wants_no_reply


def test_a_compressed_message_is_what_is_inside() -> None:
    _, message = insert()
    inner = message[messages.HEADER.size :]
    packed = zlib.compress(inner)
    head = messages.HEADER.pack(25 + len(packed), 7, 0, messages.OP_COMPRESSED)
    whole = head + messages.OP_MSG.to_bytes(4, "little") + len(inner).to_bytes(4, "little") + b"\2" + packed
    parsed = messages.parse(whole, lambda data, compressor, size: zlib.decompress(data))
    assert (parsed.request_id, parsed.document) == (7, messages.parse(message).document)
    with pytest.raises(WireError, match="compressor 2"):
        messages.parse(whole)


def test_the_handshake_of_older_drivers_is_answered_in_kind() -> None:
    document = drivers_bson.encode({"ismaster": 1})
    payload = (0).to_bytes(4, "little") + b"admin.$cmd\0" + bytes(4) + b"\xff\xff\xff\xff" + document
    message = messages.HEADER.pack(16 + len(payload), 5, 0, messages.OP_QUERY) + payload
    parsed = messages.parse(message)
    assert (parsed.database, parsed.document) == ("admin", document)
    _, _, answers, opcode = messages.HEADER.unpack_from(messages.reply(parsed, document))
    assert (answers, opcode) == (5, messages.OP_REPLY)


@given(st.lists(st.integers(1, 40)))
def test_messages_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int]) -> None:
    whole = insert()[1] * 3
    reader, found, at = messages.MessageReader(), [], 0
    for size in [*cuts, len(whole)]:
        found += list(reader.receive(whole[at : at + size]))
        at += size
    assert [each.document for each in found] == [messages.parse(insert()[1]).document] * 3


@given(st.binary(max_size=80), st.sampled_from([messages.OP_MSG, messages.OP_QUERY, messages.OP_COMPRESSED, 1, 2010]))
def test_any_bytes_give_a_message_or_a_wire_error(payload: bytes, opcode: int) -> None:
    whole = messages.HEADER.pack(16 + len(payload), 1, 0, opcode) + payload
    try:
        list(messages.MessageReader().receive(whole))
    except WireError:
        pass


@given(st.data())
def test_a_damaged_message_gives_a_message_or_a_wire_error(data: st.DataObject) -> None:
    _, message = insert()
    at = data.draw(st.integers(0, len(message) - 1))
    damaged = message[:at] + bytes([data.draw(st.integers(0, 255))]) + message[at + 1 :]
    try:
        list(messages.MessageReader().receive(damaged))
    except WireError:
        pass


def test_a_length_beyond_the_limit_is_refused() -> None:
    with pytest.raises(WireError, match="TLS"):
        list(messages.MessageReader(1000).receive(messages.HEADER.pack(1001, 1, 0, messages.OP_MSG)))


class _Answers:
    def __init__(self, *answers: Answer) -> None:
        self.asked: list[str] = []
        self._answers = iter(answers)

    def hello(self) -> dict[str, Any]:
        return {"ok": 1.0, "setName": "rs"}

    def answer(self, name: str, message: messages.Message) -> Answer:
        self.asked.append(name)
        return next(self._answers)


def command(document: dict[str, Any], flags: int = 0) -> bytes:
    payload = flags.to_bytes(4, "little") + b"\0" + bson.encode(document)
    return messages.HEADER.pack(16 + len(payload), 3, 0, messages.OP_MSG) + payload


def replies(data: bytes) -> list[dict[str, Any]]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "little")
        found.append(drivers_bson.decode(data[21:size]))
        data = data[size:]
    return found


def test_a_conversation() -> None:
    ok, lost = Answer([bson.encode({"ok": 1.0})]), Answer([], is_lost=True)
    answers = _Answers(ok, Answer([bson.encode({"n": 1}), bson.encode({"n": 2})]), ok, Answer([refusal("why")]), lost)
    backend = MongoBackend(answers)
    assert replies(backend.receive(command({"hello": 1}))) == [{"ok": 1.0, "setName": "rs"}]
    assert replies(backend.receive(command({"ping": 1}))) == [{"ok": 1.0}]
    assert replies(backend.receive(command({"getMore": 1}, messages.EXHAUST_ALLOWED))) == [{"n": 1}, {"n": 2}]
    assert backend.receive(command({"insert": "u"}, messages.MORE_TO_COME)) == b""
    (refused,) = replies(backend.receive(command({"find": "u"})))
    assert (refused["ok"], refused["code"], refused["errmsg"]) == (0.0, MISMATCH, "why")
    assert (backend.receive(command({"find": "u"})), backend.is_closing) == (b"", True)
    assert answers.asked == ["ping", "getMore", "insert", "find", "find"]
