"""R46: secrets that no name of their own tells: inside bytes and code, beside the name of one, in expressions."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import bson
import pytest
from bson import Binary, Code, Decimal128, Int64
from pymongo import MongoClient

from tests.drivers.pymongo.taping import PRODUCTION, replayed, taps
from tests.servers.mongo import MongoServer
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.pymongo.masking import mask
from timetracer_otel.redaction import Redactor

CANARY = "canary-" + secrets.token_hex(8)
Document = dict[str, Any]


def masked(command: Document, reply: Document | None = None) -> tuple[list[Document], tuple[str, ...]]:
    """Command and replies as they are kept, which is without the canary, and where there is a marker."""
    encoded = Encoded(
        type="db.command",
        lib="pymongo",
        method="any",
        url="app.users",
        request={"command": bson.encode(command)},
        result={} if reply is None else {"replies": [bson.encode(reply)]},
        target="host/app",
    )
    found, paths = mask(encoded, Redactor(b"key"))
    again, more = mask(found, Redactor(b"other"))
    assert again == found, more  # what is masked stays as it is
    replies: Any = found.result.get("replies", [])
    kept: list[Any] = [found.request["command"], *replies]
    assert CANARY.encode() not in b"".join(kept)
    options: Any = bson.CodecOptions()
    return [bson.decode(each, options) for each in kept], paths


def stored(value: Any) -> tuple[Any, tuple[str, ...]]:
    """The value as it is kept of a document that is inserted."""
    (command,), paths = masked({"insert": "users", "documents": [{"name": "zoe", "x": value}]})
    assert command["documents"][0]["name"] == "zoe"
    return command["documents"][0]["x"], tuple(path.removeprefix("request.command.documents[0].x") for path in paths)


INSIDE = bson.encode({"name": "zoe", "deep": [{"password": CANARY}]})


@pytest.mark.parametrize("subtype", [0, 2, 128])
def test_bson_inside_of_bytes_is_masked_and_stays_bson(subtype: int) -> None:
    kept, paths = stored(Binary(INSIDE, subtype))
    assert bson.decode(kept)["deep"][0]["password"].startswith("[redacted:password#")
    assert bson.decode(kept)["name"] == "zoe"
    assert paths == ("[0].deep[0].password",)
    several, paths = stored(Binary(bson.encode({"n": 1}) + INSIDE + bson.encode({"y": Binary(INSIDE)}), subtype))
    assert paths == ("[1].deep[0].password", "[2].y[0].deep[0].password")
    assert getattr(several, "subtype", 0) == subtype
    text, paths = stored(Binary(b'{"password": "%s"}' % CANARY.encode(), subtype))
    assert (text[:14], paths) == (b'{"password": "', ("",))
    pattern, paths = stored({"password": Binary(CANARY.encode(), subtype)})
    assert (pattern["password"][:9], paths) == (b"[redacted", (".password",))


def test_the_scope_of_code_is_masked_and_its_text() -> None:
    kept, paths = stored(Code(f"var password = '{CANARY}'", {"n": 1, "password": CANARY}))
    assert (kept.scope["n"], paths) == (1, (".$code", ".$scope.password"))
    (command,), paths = masked({"insert": "users", "documents": [{"password": Code(CANARY, {"n": CANARY})}]})
    assert paths == ("request.command.documents[0].password.$code", "request.command.documents[0].password.$scope.n")
    assert type(command["documents"][0]["password"]) is Code


def test_a_decimal_under_a_secret_name_is_another_decimal() -> None:
    encoded = Encoded(
        "db.command", "pymongo", "insert", "a.b", {"command": bson.encode({"pwd": Decimal128("47.11")})}, {}
    )
    command: Any = mask(encoded, Redactor(b"key"))[0].request["command"]
    kept = bson.decode(command)["pwd"]
    assert type(kept) is Decimal128
    assert kept != Decimal128("47.11")


@pytest.mark.parametrize(
    "value",
    [
        [{"k": "password", "v": CANARY}, {"k": "name", "v": "zoe"}],
        [{"v": CANARY, "k": "password"}],
        [{"name": "DB_PASSWORD", "value": CANARY}],
        {"key": "user.apiKey", "value": {"deep": [CANARY]}},
        {"attrs.k": "token", "attrs.v": CANARY},
        {"k": {"$in": ["name", "password"]}, "v": {"$in": [CANARY]}},
        {"$elemMatch": {"k": {"$eq": "password"}, "v": CANARY}},
        {"$setField": {"field": "password", "input": "$$ROOT", "value": CANARY}},
    ],
    ids=range(8),
)
def test_a_value_beside_the_name_of_a_secret_is_masked(value: Any) -> None:
    kept, paths = stored(value)
    assert len(paths) == 1
    assert ("zoe" in repr(kept)) == ("zoe" in repr(value))


@pytest.mark.parametrize(
    "pairs",
    [
        [[["name", "zoe"], ["password", CANARY]]],
        [["password", {"deep": CANARY}]],
        {"$literal": [["name", "zoe"], ["password", CANARY]]},
        [[[{"$literal": "password"}, {"$literal": CANARY}]]],
        [[{"k": {"$literal": "password"}, "v": CANARY}]],
    ],
    ids=range(5),
)
def test_r46_a_secret_in_a_literal_pair_of_an_object_to_be_is_masked(pairs: Any) -> None:
    command = {"aggregate": "users", "pipeline": [{"$replaceWith": {"$arrayToObject": pairs}}]}
    (kept,), paths = masked(command)
    assert "'password'" in repr(kept)
    assert "[redacted:password#" in repr(kept)
    assert len(paths) == 1


def test_arrays_that_are_no_pairs_of_an_object_to_be_stay() -> None:
    for pipeline in (
        [{"$match": {"fields": ["password", "name"]}}],
        [{"$replaceWith": {"$arrayToObject": [[["password", "$field"], ["name", "zoe"], ["password", "a", "b"]]]}}],
    ):
        command = {"aggregate": "users", "pipeline": pipeline}
        assert masked(command) == ([command], ())


@pytest.mark.parametrize("index", ["password_1", "app.users.$password_1", "name_1_password_-1", "unique_password"])
def test_r46_a_duplicate_that_an_old_server_refuses_is_masked(index: str) -> None:
    values = f' : "zoe", : "{CANARY}"' if index.startswith("name") else f' : "{CANARY}"'
    said = f"E11000 duplicate key error collection: app.users index: {index} dup key: {{{values} }}"
    command, reply = {"insert": "users", "documents": [{"n": 1}]}, {"writeErrors": [{"index": 0, "errmsg": said}]}
    (_, kept), paths = masked(command, reply)
    assert kept["writeErrors"][0]["errmsg"].startswith(said.partition("{")[0])
    assert ("zoe" in values) == ("zoe" in repr(kept))
    assert paths == ("result.replies[0].writeErrors[0].errmsg",)


def test_r46_a_signature_of_an_address_in_parts_is_masked_and_a_harmless_one_stays() -> None:
    shared = base64.b64encode(CANARY.encode().ljust(32, b"x")[:32]).decode()
    for document in ({"sig": shared}, {"Key-Pair-Id": "K2JCJMDEHXQW5F", "Signature": CANARY}):
        kept, paths = stored({"deep": [document]})
        assert (shared not in repr(kept), len(paths)) == (True, 1)
    harmless = {"sig": "f(x)", "Signature": "Ann", "m": {"Key-Pair-Id": "K2JCJMDEHXQW5F"}}
    assert stored(harmless) == (harmless, ())


def test_a_name_beside_which_stands_no_value_changes_nothing() -> None:
    index = {"v": 2, "key": {"_id": 1}, "name": "token"}
    listed = [{"k": "password"}, {"k": "name", "v": "zoe"}, {"name": "password", "v": 1}, ["password", "x"], index]
    assert stored(listed) == (listed, ())


REFUSED = {
    "operatorName": "$jsonSchema",
    "schemaRulesNotSatisfied": [
        {"propertyName": "password", "details": [{"reason": "type", "consideredValue": CANARY}]},
        {"propertyName": "name", "details": [{"consideredValue": "zoe"}]},
    ],
}
COMPARED = {"operatorName": "$eq", "specifiedAs": {"a": {"password": "x"}}, "consideredValue": CANARY}


@pytest.mark.parametrize("details", [REFUSED, COMPARED])
def test_what_a_rule_of_a_collection_refuses_is_masked(details: Document) -> None:
    error = {"index": 0, "code": 121, "errInfo": {"details": details}, "errmsg": "Document failed validation"}
    (_, reply), paths = masked(
        {"insert": "users", "documents": [{"n": 1}]}, {"n": 0, "writeErrors": [error], "ok": 1.0}
    )
    assert [path for path in paths if path.endswith("consideredValue")]
    assert "zoe" in repr(reply) or details is COMPARED


def pipeline(*stages: Document) -> Document:
    return {"aggregate": "users", "pipeline": list(stages), "cursor": {}}


def expression(of: Any) -> Document:
    return pipeline({"$project": {"name": 1, "x": of}})


SHOWN: list[Document] = [
    expression({"$getField": "password"}),
    expression({"$getField": {"field": "password", "input": "$$ROOT"}}),
    expression({"$cond": {"if": 1, "then": "$password", "else": None}}),
    expression({"$switch": {"branches": [{"case": True, "then": "$$ROOT.password"}], "default": None}}),
    expression({"$let": {"vars": {"p": "$password"}, "in": {"$concat": ["$$p", "!"]}}}),
    expression({"$map": {"input": "$token", "as": "t", "in": {"$toUpper": "$$t"}}}),
    expression({"$filter": {"input": "$token", "cond": {"$ne": ["$$this", None]}}}),
    pipeline({"$group": {"_id": 1, "x": {"$top": {"output": "$password", "sortBy": {"n": 1}}}}}),
    {"findAndModify": "users", "query": {}, "update": {"$rename": {"password": "x"}}, "new": True},
    {"findAndModify": "users", "query": {}, "update": [{"$set": {"x": "$password"}}], "new": True},
]
EVERYTHING = [pipeline({"$replaceRoot": {"newRoot": "$secret"}}), pipeline({"$replaceWith": "$secret"})]


@pytest.mark.parametrize("command", [*SHOWN, *EVERYTHING], ids=range(len(SHOWN) + len(EVERYTHING)))
def test_what_an_expression_makes_of_a_secret_field_is_masked_in_the_reply(command: Document) -> None:
    row = {"name": "zoe", "x": CANARY}
    cursor = {"cursor": {"firstBatch": [row], "id": Int64(0), "ns": "app.users"}, "ok": 1.0}
    (_, reply), _ = masked(command, {"value": row, "ok": 1.0} if "findAndModify" in command else cursor)
    assert ("zoe" in repr(reply)) == (command not in EVERYTHING)


@pytest.mark.parametrize(
    "operation",
    [
        {"$eq": [{"$toLower": "$password"}, CANARY]},
        {"$in": ["$password", ["a", CANARY]]},
        {"$ne": ["$$ROOT.password", {"$literal": CANARY}]},
        {"$regexMatch": {"input": "$password", "regex": CANARY}},
        {"$let": {"vars": {"p": "$password"}, "in": {"$eq": [CANARY, "$$p"]}}},
        {"$cond": {"if": {"$eq": ["$password", Binary(CANARY.encode(), 128)]}, "then": "zoe", "else": "eve"}},
    ],
    ids=range(6),
)
def test_what_an_expression_compares_with_a_secret_field_is_masked(operation: Document) -> None:
    both = {"$expr": {"$and": [{"$eq": ["$name", "zoe"]}, operation]}}
    (command,), paths = masked({"find": "users", "filter": both})
    assert command["filter"]["$expr"]["$and"][0] == {"$eq": ["$name", "zoe"]}
    assert paths


@pytest.mark.usefixtures("spans")
def test_never_lies_replay_finds_what_is_hidden_and_tells_apart_what_stands_beside_it(server: MongoServer) -> None:
    def program(uri: str, name: str = "zoe", secret: str = CANARY, subtype: int = 0) -> Any:
        inside = bson.encode({"name": name, "n": 1, "password": secret})
        with MongoClient[Any](uri) as client:
            kept = client.hidden.kept
            kept.insert_one(
                {
                    "_id": 1,
                    "inside": Binary(inside, subtype),
                    "code": Code("f()", {"name": name, "password": secret}),
                    "pairs": [{"k": "password", "v": secret}, {"k": "name", "v": name}],
                    "json": Binary(b'{"name": "%s", "password": "%s"}' % (name.encode(), secret.encode())),
                }
            )
            found = kept.find_one({"_id": 1})
            assert found is not None
            return sorted(found), found["pairs"][1], bson.decode(found["inside"])["n"]

    with MongoClient[Any](server.uri) as client:
        client.drop_database("hidden")
    with taps() as tape:
        given = program(server.uri)
    with replayed(tape) as replay:
        assert program(PRODUCTION) == given
        assert replay.misses == []
    for changed, path in (
        ({"name": "eve"}, "command.documents[0].inside[0].name"),
        ({"subtype": 128}, "command.documents[0].inside[0].name"),
    ):
        with replayed(tape) as replay, pytest.raises(Exception, match="no recorded answer"):
            program(PRODUCTION, **changed)
        (miss,) = replay.journal.of("miss")
        assert miss["differences"][0]["path"] == path
