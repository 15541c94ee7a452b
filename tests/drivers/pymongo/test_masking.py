"""Secrets in commands, replies and addresses: not one byte of them in what is recorded, and replay goes on."""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
import zlib
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Binary, Int64
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.drivers.pymongo.harness import record
from tests.drivers.pymongo.taping import PRODUCTION, replayed, taps
from tests.servers.mongo import MongoServer
from timetracer_otel.cassette.compression import decompress
from timetracer_otel.cassette.values import dumps
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.pymongo.masking import mask, masked_document
from timetracer_otel.redaction import Redactor

pytestmark = pytest.mark.usefixtures("spans")
CANARY = "canary-" + secrets.token_hex(8)


def test_no_canary_of_authentication_or_of_a_document_is_recorded_and_replay_finds_its_answers(
    server: MongoServer,
) -> None:
    document = {
        "_id": 1,
        "password": CANARY,
        "profile": {"api_key": CANARY, "tags": [{"secret": CANARY.encode()}]},
        "pin_code": 1234,
        "name": "ada",
    }
    note = {"_id": 2, "text": f"log in at https://ada:{CANARY}@host/ or with what is known: {CANARY}"}

    def program(uri: str) -> Any:
        with MongoClient[Any](uri) as client:
            people = client.masking.people
            people.insert_one(dict(document))
            people.insert_one(dict(note))
            people.update_one({"password": CANARY}, {"$set": {"password": CANARY + "2"}})
            return people.find_one({"_id": 1}, {"name": 1})

    with taps() as tape:
        with MongoClient[Any](server.uri) as admin:
            admin.drop_database("masking")
            admin.masking.command("createUser", "ada", pwd=CANARY, roles=["readWrite"])
            with pytest.raises(OperationFailure):
                admin.masking.command("createUser", "ada", pwd=CANARY, roles=["readWrite"])
        with MongoClient[Any](server.uri, username="ada", password=CANARY, authSource="masking") as user:
            user.masking.people.find_one({})
        tape.captured[:] = [each for each in tape.captured if each.request.name != "dropDatabase"]  # type: ignore[attr-defined]
        given = program(server.uri)
    exchanges = tape.exchanges
    kept = b"".join(dumps(each.request) + dumps(each.result) for each in exchanges)
    assert CANARY.encode() not in kept
    assert not [name for name in tape.names if name.lower().startswith(("sasl", "createuser", "authenticate"))]
    asked = [each for each in exchanges if each.signature.method == "insert"]
    assert "request.command.documents[0].profile.tags[0].secret" in asked[0].redacted
    with replayed(tape) as replay:
        assert program(PRODUCTION) == given
    assert replay.misses == []


def test_what_is_masked_keeps_its_type() -> None:
    values = {
        "password": "hunter22",
        "secret": b"bytes of a secret",
        "token": Binary(b"0123456789abcdef", 4),
        "api_key": 123456,
        "client_secret": Int64(5),
        "passwd": 1.5,
        "pwd": None,
        "private_key": True,
        "other": 7,
    }
    paths: list[str] = []
    options: Any = bson.CodecOptions()
    masked = bson.decode(masked_document(bson.encode(values), "c", Redactor(b"key"), paths), options)
    assert {name: type(value) for name, value in masked.items()} == {
        name: type(value) for name, value in bson.decode(bson.encode(values), options).items()
    }
    assert [name for name, value in values.items() if masked[name] == value] == ["pwd", "private_key", "other"]
    assert paths == ["c.password", "c.secret", "c.token", "c.api_key", "c.client_secret", "c.passwd"]


def test_a_secret_field_that_a_value_names_is_masked_under_its_other_name_and_replay_finds_its_answers(
    server: MongoServer,
) -> None:
    with MongoClient[Any](server.uri) as client:
        client.drop_database("paths")
        client.paths.people.insert_many({"n": n, "token": f"{CANARY}{n}", "at": n % 2} for n in range(5))

    def program(uri: str) -> Any:
        with MongoClient[Any](uri) as client:
            people = client.paths.people
            grouped = list(people.aggregate([{"$group": {"_id": "$at", "n": {"$sum": 1}, "all": {"$push": "$token"}}}]))
            return [
                len(people.distinct("token")),
                len(list(people.aggregate([{"$group": {"_id": "$token"}}]))),
                len(list(people.aggregate([{"$project": {"x": "$token"}}, {"$group": {"_id": "$x"}}]))),
                len(list(people.aggregate([{"$project": {"y": {"$toUpper": "$token"}}}], batchSize=2))),
                len(list(people.aggregate([{"$sortByCount": "$token"}]))),
                people.find_one({"$expr": {"$eq": ["$token", f"{CANARY}9"]}}, {"z": "$token"}),
                sorted(each["n"] for each in grouped),
            ]

    with taps() as tape:
        given = program(server.uri)
    kept = b"".join(dumps(each.request) + dumps(each.result) for each in tape.exchanges)
    documents = b"".join(base64.b64decode(found) for found in re.findall(rb'"\$b64":"([^"]*)"', kept))
    assert b"people" in documents
    assert CANARY.encode() not in (kept + documents).lower()
    with replayed(tape) as replay:
        assert program(PRODUCTION) == given
    assert replay.misses == []


@pytest.mark.parametrize("module", [gzip, zlib])
def test_r46_compressed_bytes_are_masked_inside_and_replay_finds_them(server: MongoServer, module: Any) -> None:
    def program(uri: str) -> Any:
        data = module.compress(json.dumps({"password": CANARY, "page": 7}).encode())
        with MongoClient[Any](uri) as client:
            client.packed.files.replace_one({"_id": 1}, {"data": data}, upsert=True)
            read: Any = client.packed.files.find_one({"_id": 1})
            return json.loads(module.decompress(read["data"]))["page"]

    with taps() as tape:
        given = program(server.uri)
    (asked,) = (each for each in tape.exchanges if each.signature.method == "update")
    (read,) = (each for each in tape.exchanges if each.signature.method == "find")
    sent: Any = asked.request["command"]
    replies: Any = read.result["replies"]
    command, reply = bson.decode(sent), bson.decode(replies[0])
    for each in (command["updates"][0]["u"], reply["cursor"]["firstBatch"][0]):
        assert CANARY.encode() not in module.decompress(each["data"])
    with replayed(tape) as replay:
        assert program(PRODUCTION) == given == 7
    assert replay.misses == []


def test_a_document_without_secrets_is_not_touched() -> None:
    document = bson.encode({"name": "ada", "rows": [{"n": number} for number in range(50)]})
    paths: list[str] = []
    assert masked_document(document, "c", Redactor(b"key"), paths) is document
    assert paths == []


def test_a_store_of_a_real_process_holds_no_canary(mongo: MongoServer, tmp_path: Path) -> None:
    record(tmp_path, mongo.address, program="tests.drivers.pymongo.secretive", PASSWORD=CANARY)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = b"".join(decompress(each.read_bytes()) if each.suffix == ".zst" else each.read_bytes() for each in files)
    assert b"app.people" in kept
    documents = b"".join(base64.b64decode(found) for found in re.findall(rb'"\$b64":"([^"]*)"', kept))
    assert b"people" in documents
    assert CANARY.encode() not in kept + documents


@pytest.mark.parametrize(
    "text",
    [
        f"first line\npassword={CANARY}",
        "a\teyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "\rAKIAIOSFODNN7EXAMPLE",
        f'{{"password": "{CANARY}"}}',
        f"mongodb://ada:{CANARY}@db.prod/",
    ],
    ids=["line", "token", "key", "json", "address"],
)
def test_a_secret_in_a_text_is_found_whatever_stands_around_it(text: str) -> None:
    paths: list[str] = []
    for document in ({"note": text}, {"a": [{"b": text}], "$clusterTime": 1}, {"n": 1, "log": text, "z": None}):
        masked = masked_document(bson.encode(document), "c", Redactor(b"key"), paths)
        assert text.encode() not in masked
        assert CANARY.encode() not in masked
        bson.decode(masked)
    assert paths == ["c.note", "c.a[0].b", "c.log"]


WORDS = st.sampled_from(
    ("a", "password", "$password", "token", "k", "v", "E11000 index: token_1 dup key: { : 'x' }", "pwd=hunter22")
)
VALUES = st.recursive(
    WORDS | st.integers(-9, 9), lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=6
)
FIRST = st.sampled_from(({"find": "a"}, {"distinct": "a", "key": "password"}, {"getMore": Int64(3), "collection": "a"}))


@given(FIRST, VALUES, st.lists(st.dictionaries(WORDS, VALUES), max_size=2))
def test_one_look_at_an_exchange_finds_what_looking_into_each_document_does(
    first: dict[str, Any], value: Any, replies: list[dict[str, Any]]
) -> None:
    request = {"command": bson.encode({**first, "x": value, "$clusterTime": {"signature": {"keyId": Int64(1)}}})}
    result: dict[str, Any] = {"replies": [bson.encode(each) for each in replies]}
    one_look, paths = mask(Encoded("db.command", "pymongo", "a", "a.a", request, result, target="t"), Redactor(b"key"))
    looked_into = Encoded("db.command", "pymongo", "a", "a.a", request, {**result, "lost": "gone"}, target="t")
    each, same_paths = mask(looked_into, Redactor(b"key"))
    assert (one_look.request, {**one_look.result, "lost": "gone"}) == (each.request, each.result)
    assert paths == same_paths
