"""The less common half of pymongo: sessions, bulk writes, change streams, GridFS, other cursors, no replies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from gridfs import GridFS
from pymongo import (
    CursorType,
    DeleteOne,
    IndexModel,
    InsertOne,
    MongoClient,
    ReadPreference,
    UpdateMany,
    UpdateOne,
    WriteConcern,
)
from pymongo.read_concern import ReadConcern

from tests.drivers.pymongo.seeing import error_of, seen


def bulk_writes(client: MongoClient[Any]) -> Any:
    things = client.app.things
    return [
        seen(
            things.bulk_write(
                [InsertOne({"n": 1}), UpdateOne({"n": 1}, {"$inc": {"n": 1}}), DeleteOne({"n": 9})]
            ).bulk_api_result
        ),
        seen(
            things.bulk_write(
                [InsertOne({"_id": 5}), UpdateMany({}, {"$set": {"b": 1}}, upsert=True)], ordered=False
            ).bulk_api_result
        ),
        error_of(lambda: things.bulk_write([InsertOne({"_id": 5}), InsertOne({"_id": 6})])),
        error_of(
            lambda: client.bulk_write(
                [
                    InsertOne({"_id": 8}, namespace="app.others"),
                    UpdateOne({"_id": 8}, {"$set": {"x": 1}}, namespace="app.others"),
                ],
                verbose_results=True,
            )
        ),
        things.count_documents({}),
    ]


def sessions(client: MongoClient[Any]) -> Any:
    majority = WriteConcern("majority")
    accounts = client.app.get_collection("accounts", read_preference=ReadPreference.PRIMARY, write_concern=majority)
    accounts.insert_many([{"_id": "a", "n": 10}, {"_id": "b", "n": 0}])
    saw: list[Any] = []
    with client.start_session(causal_consistency=True) as session:
        saw.append(seen(accounts.find_one({"_id": "a"}, session=session)))
        with session.start_transaction(ReadConcern("snapshot"), read_preference=ReadPreference.PRIMARY):
            accounts.update_one({"_id": "a"}, {"$inc": {"n": -3}}, session=session)
            accounts.update_one({"_id": "b"}, {"$inc": {"n": 3}}, session=session)
        session.start_transaction(read_preference=ReadPreference.PRIMARY)
        accounts.update_one({"_id": "b"}, {"$set": {"n": -1}}, session=session)
        saw.append(seen(accounts.find_one({"_id": "b"}, session=session)))
        session.abort_transaction()
    with client.start_session() as session:
        counted = session.with_transaction(
            lambda one: accounts.count_documents({}, session=one), read_preference=ReadPreference.PRIMARY
        )
        saw.append(counted)
    with client.start_session(snapshot=True) as session:
        saw.append(error_of(lambda: accounts.find_one({"_id": "a"}, session=session)))
    saw.append(seen(list(accounts.find().sort("_id", 1))))
    return saw


def change_streams(client: MongoClient[Any]) -> Any:
    watched = client.app.watched
    watched.insert_one({"_id": 0})
    saw: list[Any] = []
    with watched.watch(max_await_time_ms=500) as stream:
        watched.insert_one({"_id": 1})
        watched.update_one({"_id": 1}, {"$set": {"x": 2}})
        watched.delete_one({"_id": 1})
        while len(saw) < 3:
            change = stream.try_next()
            if change is not None:
                saw.append(seen(change))
    return saw


def files(client: MongoClient[Any]) -> Any:
    gridfs = GridFS(client.app)
    made = gridfs.put(b"abc" * 100_000, filename="a.bin", chunk_size=100_000)
    found = gridfs.get(made)
    given = len(found.read()), found.filename, found.length, made == found._id
    gridfs.delete(made)
    return [given, gridfs.exists(made)]


def without_replies(client: MongoClient[Any]) -> Any:
    silent = client.app.get_collection("silent", write_concern=WriteConcern(0))
    made = silent.insert_one({"_id": 1})
    silent.update_one({"_id": 1}, {"$set": {"x": 1}})
    silent.delete_one({"_id": 2})
    loud = client.app.silent
    while loud.count_documents({"x": 1}) == 0:
        pass
    return [seen(made), seen(list(loud.find()))]


def batches(client: MongoClient[Any]) -> Any:
    rows = client.app.batches
    rows.insert_many([{"_id": number} for number in range(60)])
    exhausting = rows.find(cursor_type=CursorType.EXHAUST, batch_size=7).sort("_id", 1)
    raw = rows.find_raw_batches(batch_size=25).sort("_id", 1)
    return [
        [each["_id"] for each in exhausting],
        [batch.hex() for batch in raw],
        [bson.decode_all(batch)[0] for batch in rows.aggregate_raw_batches([{"$sort": {"_id": 1}}], batchSize=30)],
        [
            each.raw.hex()
            for each in client.app.get_collection("batches", bson.CodecOptions(RawBSONDocument)).find(limit=2)
        ],
        seen(rows.with_options(read_preference=ReadPreference.NEAREST).find_one({"_id": 3})),
    ]


def tailing(client: MongoClient[Any]) -> Any:
    log = client.app.create_collection("log", capped=True, size=100_000)
    log.insert_many([{"_id": number} for number in range(5)])
    tail = log.find(cursor_type=CursorType.TAILABLE_AWAIT, batch_size=2).max_await_time_ms(200)
    saw = [next(tail) for _ in range(5)]
    log.insert_one({"_id": 5})
    while len(saw) < 6:
        saw += list(tail)
    tail.close()
    return seen(saw)


def administration(client: MongoClient[Any]) -> Any:
    things = client.app.indexed
    things.insert_one({"_id": 1, "at": dt.datetime(2024, 1, 1), "text": "a b"})
    return [
        things.create_indexes([IndexModel([("at", -1)], expireAfterSeconds=100_000_000), IndexModel("text")]),
        sorted(things.index_information()),
        error_of(lambda: client.app.create_collection("indexed")),
        seen(client.app.create_collection("checked", validator={"n": {"$gt": 5}}).name),
        error_of(lambda: client.app.checked.insert_one({"_id": 1, "n": 1})),
        error_of(lambda: client.app.command({"collStats": "indexed"})["count"]),
        error_of(lambda: things.rename("renamed")),
        seen(client.app.drop_collection("indexed")),
        sorted(client.list_database_names()),
    ]


SCENARIOS: tuple[Callable[[MongoClient[Any]], Any], ...] = (
    bulk_writes,
    sessions,
    change_streams,
    files,
    without_replies,
    batches,
    tailing,
    administration,
)
