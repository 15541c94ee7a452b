"""Ids in an answer, as the replaying process has made them."""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib
from dataclasses import replace

import pytest

from tests.replay.recordings import asked, by, exchange, session
from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers import registry
from timetracer_otel.replay.renaming import LOOKS_MAX, Renaming

INSERT = "INSERT INTO orders VALUES ($1)"
SELECT = "SELECT code FROM orders"
THEN, NOW = "AB12CD34", "XK81PQ22"
LONG_THEN, LONG_NOW = "0c3e8048aa11bb22", "042edf33cc44dd55"
UUID_THEN, UUID_NOW = (uuid.UUID(each * 4) for each in ("01a22279", "01a22380"))


def renamed(answer: Value, *pairs: tuple[str, str]) -> Value:
    """What is handed on of this answer."""
    names = Renaming()
    names.add(pairs)
    return names.applied(exchange(1, answer=answer)).result["answer"]


def test_what_an_application_has_drawn_comes_back_as_its_own() -> None:
    told = exchange(2, SELECT, [], [f"ORD-{THEN}", None, 7, {"code": THEN.encode()}])
    source, _ = session(exchange(1, INSERT, [THEN]), told, draws=list(NOW))
    assert source.take(asked(INSERT, [NOW]), by()) is not None
    found = source.take(asked(SELECT, []), by())
    assert found == replace(told, result={"answer": [f"ORD-{NOW}", None, 7, {"code": NOW.encode()}]})
    assert source.explains(f"made ORD-{THEN}", f"made ORD-{NOW}")


def test_an_answer_to_the_very_request_that_told_it_has_it_too() -> None:
    source, _ = session(exchange(1, INSERT, [THEN], THEN), draws=list(NOW))
    found = source.take(asked(INSERT, [NOW]), by())
    assert found is not None
    assert found.result == {"answer": NOW}


def test_an_id_that_came_from_elsewhere_comes_back_as_it_was_made() -> None:
    recorded = exchange(1, INSERT, [str(UUID_THEN)], f"id {UUID_THEN}")
    source, _ = session(recorded, ids=[str(UUID_THEN)])
    source.made(UUID_NOW)
    found = source.take(asked(INSERT, [str(UUID_NOW)]), by())
    assert found is not None
    assert found.result == {"answer": f"id {UUID_NOW}"}


def test_an_answer_without_any_is_the_recorded_one_itself() -> None:
    told = exchange(2, SELECT, [], "nothing of it")
    source, _ = session(exchange(1, INSERT, [THEN]), told, draws=list(NOW))
    source.take(asked(INSERT, [NOW]), by())
    assert source.take(asked(SELECT, []), by()) is told


@pytest.mark.parametrize("spelled", [str, lambda each: each.hex, lambda each: b"<" + each.bytes + b">"])
def test_a_uuid_is_known_in_each_spelling(spelled: object) -> None:
    assert callable(spelled)
    pairs = (str(UUID_THEN), str(UUID_NOW))
    assert renamed([spelled(UUID_THEN)], pairs) == [spelled(UUID_NOW)]
    hexes = (UUID_THEN.hex, UUID_NOW.hex)
    assert renamed([spelled(UUID_THEN)], hexes) == [spelled(UUID_NOW)]


def test_bytes_that_are_known_in_hex_are_renamed_as_they_are() -> None:
    then, now = bytes.fromhex(LONG_THEN), bytes.fromhex(LONG_NOW)
    assert renamed([then, LONG_THEN.encode()], (LONG_THEN, LONG_NOW)) == [now, LONG_NOW.encode()]
    told = [f"<{base64.b64encode(each).decode()}>" for each in (then, now)]
    assert renamed(told[0], (LONG_THEN, LONG_NOW)) == told[1]
    assert renamed(then[:4], (LONG_THEN[:8], LONG_NOW[:8])) == then[:4]


def test_a_short_one_stands_by_itself() -> None:
    assert renamed(f"k:{THEN}, X{THEN}, {THEN}Y", (THEN, NOW)) == f"k:{NOW}, X{THEN}, {THEN}Y"
    assert renamed(f"x{LONG_THEN}x", (LONG_THEN, LONG_NOW)) == f"x{LONG_NOW}x"
    assert renamed("1.5 123456. 123456.5 1.123456", ("123456", "654321")) == "1.5 654321. 123456.5 1.123456"


def test_names_and_ids_of_another_length_stay() -> None:
    assert renamed({THEN: 1}, (THEN, NOW)) == {THEN: 1}
    assert renamed(LONG_THEN, (LONG_THEN, LONG_NOW[1:])) == LONG_THEN


def test_too_much_to_look_through_stays() -> None:
    large = LONG_THEN * (LOOKS_MAX // len(LONG_THEN) // 64)
    pairs = [(f"{number:016x}", f"{number + 1000:016x}") for number in range(1, 64)]
    assert renamed(large, (LONG_THEN, LONG_NOW), *pairs) == large


def test_a_service_s_checksums_are_those_of_the_renamed_body() -> None:
    def attempt(body: bytes) -> Payload:
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        headers = [["x-amz-crc32", str(zlib.crc32(body))], ["Content-MD5", md5], ["Content-Length", str(len(body))]]
        return {"status": 200, "headers": headers, "body": body}

    def call(body: bytes) -> Exchange:
        recorded = exchange(1)
        signature = replace(recorded.signature, lib="botocore")
        error: Payload = {"error": {"type": "ReadTimeoutError", "message": THEN, "arguments": {}}}
        return replace(recorded, signature=signature, result={"attempts": [error, attempt(body)], "more": 1})

    names = Renaming()
    names.add([(THEN, NOW)])
    found = names.applied(call(f'{{"id": "{THEN}"}}'.encode())).result["attempts"]
    assert isinstance(found, list)
    assert found[1] == attempt(f'{{"id": "{NOW}"}}'.encode())


@pytest.mark.parametrize(
    "attempts", [7, [THEN], [{"body": THEN.encode()}], [{"body": THEN.encode(), "headers": [[THEN]]}]]
)
def test_what_is_no_answer_of_a_service_is_handed_on(attempts: Value) -> None:
    call = replace(exchange(1), signature=replace(exchange(1).signature, lib="botocore"), result={"attempts": attempts})
    names = Renaming()
    names.add([(THEN, NOW)])
    assert names.applied(call).id == call.id


def test_a_stream_of_checked_frames_stays_as_it_was() -> None:
    frame = bytes.fromhex("000000180000000035b2032a") + THEN.encode()  # lengths and the checksum of both
    frame += zlib.crc32(frame).to_bytes(4, "big")
    attempt: Payload = {"status": 200, "headers": [], "body": frame}
    recorded: Payload = {"attempts": [attempt]}
    call = replace(exchange(1), signature=replace(exchange(1).signature, lib="botocore"), result=recorded)
    names = Renaming()
    names.add([(THEN, NOW)])
    assert names.applied(call).result == recorded
    assert registry.mended(exchange(1), {"answer": 2}) == {"answer": 2}
