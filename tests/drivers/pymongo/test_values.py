"""R42: BSON is kept as BSON, so that the application's codec options decide in replay as they did in production."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson import (
    SON,
    Binary,
    Code,
    CodecOptions,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    UuidRepresentation,
)
from bson.codec_options import DatetimeConversion, TypeCodec, TypeRegistry
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.drivers.pymongo.seeing import seen
from tests.drivers.pymongo.taping import PRODUCTION, replayed, taps
from tests.servers.mongo import MongoServer
from timetracer_otel.drivers.pymongo.describe import DESCRIBING
from timetracer_otel.drivers.pymongo.forms import command_of, replies_of

pytestmark = pytest.mark.usefixtures("spans")
UTC = dt.timezone.utc
OID = ObjectId("6b070cb6a0fae5343faf121b")
DOCUMENT = SON(
    [
        ("_id", 1),
        ("z", {"y": 1, "x": {"b": 1, "a": [1, {"d": 1, "c": 2}]}}),
        ("oid", OID),
        ("small64", Int64(1)),
        ("int64", 2**40),
        ("nan", Decimal128("NaN")),
        ("money", Decimal128("12.50")),
        ("subtypes", [Binary(b"0123456789abcdef", number) for number in (0, 1, 2, 3, 4, 5, 6, 8, 9, 128)]),
        ("ref", DBRef("users", OID)),
        ("regex", Regex("^a.*", "im")),
        ("code", Code("f()")),
        ("scoped", Code("g()", {"x": 1})),
        ("timestamp", Timestamp(4_000_000_000, 7)),
        ("ends", [MinKey(), MaxKey()]),
        ("at", dt.datetime(2024, 2, 29, 12, 30, 1, 999_000)),
        ("zone", dt.datetime(2024, 2, 29, 12, 30, 1, 5000, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
        ("floats", [0.1, -0.0, float("inf"), float("nan")]),
        ("null", None),
        ("keys", {"$dollar": 1, "a.b": 2, "": 3, "é": 4}),
    ]
)


class DecimalCodec(TypeCodec):
    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Any) -> Any:
        return Decimal128(value)

    def transform_bson(self, value: Any) -> Any:
        return value.to_decimal()


OPTIONS: dict[str, CodecOptions[Any]] = {
    "plain": CodecOptions(),
    "ordered": CodecOptions(document_class=OrderedDict),
    "raw": CodecOptions(document_class=RawBSONDocument),
    "aware": CodecOptions(tz_aware=True, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
    "standard": CodecOptions(uuid_representation=UuidRepresentation.STANDARD),
    "legacy": CodecOptions(uuid_representation=UuidRepresentation.PYTHON_LEGACY),
    "java": CodecOptions(uuid_representation=UuidRepresentation.JAVA_LEGACY),
    "csharp": CodecOptions(uuid_representation=UuidRepresentation.CSHARP_LEGACY),
    "registry": CodecOptions(type_registry=TypeRegistry([DecimalCodec()])),
    "ms": CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS),
    "clamp": CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_CLAMP),
    "ignore": CodecOptions(unicode_decode_error_handler="ignore"),
}


def program(client: MongoClient[Any]) -> list[Any]:
    values = client.values_.get_collection("values")
    values.insert_one(DOCUMENT)
    saw = [seen(values.with_options(codec_options=options).find_one({"_id": 1})) for options in OPTIONS.values()]
    for name in ("standard", "legacy", "java", "csharp"):
        typed = values.with_options(codec_options=OPTIONS[name])
        typed.insert_one({"_id": name, "uuid": uuid.UUID(int=1 << 120)})
        saw.append(seen(typed.find_one({"uuid": uuid.UUID(int=1 << 120)})))
    return saw


def test_r42_every_type_under_every_codec_option(server: MongoServer) -> None:
    with taps() as tape, MongoClient[Any](server.uri) as client:
        client.drop_database("values_")
        tape.captured.clear()
        recorded = program(client)
    (inserted,) = [each for each in tape.exchanges if each.signature.method == "insert"][:1]
    assert bson.encode(DOCUMENT) in command_of(inserted.request)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert program(client) == recorded
    assert replay.misses == []


def test_r42_the_readable_form_answers_as_the_bytes_do(server: MongoServer) -> None:
    with taps() as tape, MongoClient[Any](server.uri) as client:
        client.drop_database("values_")
        tape.captured.clear()
        recorded = program(client)
    for exchange in tape.exchanges:
        readable = DESCRIBING.readable(exchange)
        assert readable.request["command"] != exchange.request["command"]
        assert command_of(readable.request) == command_of(exchange.request)
        assert replies_of(readable.result) == replies_of(exchange.result)
        assert "command_bson" not in readable.request
    assert recorded


def odd_documents() -> list[bytes]:
    """Such as the default decoder refuses."""
    latin = bson.encode({"_id": 2, "text": "caf_"}).replace(b"caf_", b"caf\xe9")
    return [bson.encode({"_id": 1, "at": DatetimeMS(8_640_000_000_000_000 - 1)}), latin]


def read_odd(client: MongoClient[Any]) -> list[Any]:
    odd = client.values_.odd
    saw: list[Any] = []
    for options in (OPTIONS["plain"], OPTIONS["ms"], OPTIONS["ignore"], OPTIONS["raw"]):
        for number in (1, 2):
            try:
                saw.append(seen(odd.with_options(codec_options=options).find_one({"_id": number})))
            except (PyMongoError, bson.errors.BSONError, UnicodeDecodeError) as error:
                saw.append(type(error).__name__)
    return saw


def test_r42_documents_that_the_default_decoder_refuses_record_replay_and_show(server: MongoServer) -> None:
    with taps() as tape, MongoClient[Any](server.uri) as client:
        client.drop_database("values_")
        stored = []
        for document in odd_documents():
            raw: Any = RawBSONDocument(document)
            try:
                client.values_.odd.insert_one(raw)
                stored.append(document)
            except PyMongoError:  # the server of these tests refuses some of them; the drivers send them
                pass
        tape.captured.clear()
        recorded = read_odd(client)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert read_odd(client) == recorded
    assert replay.misses == []
    for exchange in tape.exchanges:
        description = DESCRIBING.describe(DESCRIBING.readable(exchange))
        assert description is not None
        assert description.results
