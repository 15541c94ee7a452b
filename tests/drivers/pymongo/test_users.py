"""Libraries on top of pymongo, and people without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient

from tests.drivers.pymongo.harness import record, trace_of
from tests.drivers.pymongo.taping import PRODUCTION, replayed, taps
from tests.servers.mongo import MongoServer

beanie: Any = pytest.importorskip("beanie")
mongoengine: Any = pytest.importorskip("mongoengine")

WITHOUT_DRIVER = """
import sys
sys.modules["bson"] = sys.modules["pymongo"] = None  # an import of them fails
from timetracer_otel.cli import main
main()
"""


class Product(beanie.Document):  # type: ignore[misc]  # beanie comes as Any
    name: str
    price: float = 0

    class Settings:
        name = "products"


async def with_beanie(uri: str) -> Any:
    async with AsyncMongoClient[Any](uri) as client:
        await beanie.init_beanie(client.shop_beanie, document_models=[Product])
        await Product.insert_many([Product(name=name, price=number) for number, name in enumerate("abc")])
        made = await Product(name="d", price=9).insert()
        await Product.find(Product.price > 1).update({"$inc": {"price": 10}})
        found = await Product.find(Product.price > 5).sort("-price").to_list()
        return [str(made.id), [each.model_dump_json() for each in found], await Product.count()]


class Book(mongoengine.Document):  # type: ignore[misc]  # it has no types
    title = mongoengine.StringField(required=True, unique=True)
    tags = mongoengine.ListField(mongoengine.StringField())
    meta = {"db_alias": "books"}


def with_mongoengine(uri: str) -> Any:
    mongoengine.connect("shop_engine", alias="books", host=uri, uuidRepresentation="standard")
    try:
        made = Book(title="one", tags=["a"]).save()
        with pytest.raises(mongoengine.NotUniqueError) as raised:
            Book(title="one").save()
        Book.objects(title="one").update(push__tags="b")
        return [
            repr(made.to_mongo()),
            [repr(each.to_mongo()) for each in Book.objects(tags="b")],
            str(raised.value)[:60],
        ]
    finally:
        mongoengine.disconnect("books")
        Book._collection = None


@pytest.mark.usefixtures("spans")
@pytest.mark.parametrize(
    "program", [lambda uri: asyncio.run(with_beanie(uri)), with_mongoengine], ids=["beanie", "engine"]
)
def test_a_mapper_sees_the_same_in_replay(server: MongoServer, program: Any) -> None:
    with MongoClient[Any](server.uri) as client:
        client.drop_database("shop_beanie")
        client.drop_database("shop_engine")
    with taps() as tape:
        recorded = program(server.uri)
    assert len(tape.captured) > 5
    with replayed(tape) as replay:
        assert program(PRODUCTION) == recorded
    assert replay.misses == []


def test_a_cassette_is_shown_on_a_machine_without_the_driver(mongo: MongoServer, tmp_path: Path) -> None:
    record(tmp_path, mongo.address, program="tests.drivers.pymongo.secretive", PASSWORD="hunter22-hunter22")
    shown = {}
    for options in ((), ("--exchange", "2"), ("--json",)):
        command = [sys.executable, "-c", WITHOUT_DRIVER, "show", str(trace_of(tmp_path)), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        shown[options] = done.stdout
    assert "app.people.insert" in shown[()]
    assert '"_id": {"$numberInt": "1"}' in shown["--exchange", "2"]
    assert '\\"find\\": \\"people\\"' in shown[("--json",)]
