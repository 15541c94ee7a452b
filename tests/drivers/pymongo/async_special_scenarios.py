"""The less common half of AsyncMongoClient and motor: their calls are the same but for what has to be awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bson import CodecOptions
from bson.raw_bson import RawBSONDocument
from gridfs import AsyncGridFSBucket
from pymongo import CursorType, DeleteOne, InsertOne, ReadPreference, UpdateOne, WriteConcern

from tests.drivers.pymongo.async_scenarios import given
from tests.drivers.pymongo.seeing import error_in, seen


def is_motor(client: Any) -> bool:
    return type(client).__module__.startswith("motor")


async def bulk_writes(client: Any) -> Any:
    things = client.app.things
    made = await things.bulk_write([InsertOne({"n": 1}), UpdateOne({"n": 1}, {"$inc": {"n": 1}}), DeleteOne({"n": 9})])
    return [
        seen(made.bulk_api_result),
        await error_in(things.bulk_write([InsertOne({"_id": 5}), InsertOne({"_id": 5})], ordered=False)),
        await error_in(
            client.bulk_write(
                [
                    InsertOne({"_id": 8}, namespace="app.others"),
                    UpdateOne({"_id": 8}, {"$set": {"x": 1}}, namespace="app.others"),
                ],
                verbose_results=True,
            )
        ),
        await things.count_documents({}),
    ]


async def sessions(client: Any) -> Any:
    accounts = client.app.get_collection("accounts", write_concern=WriteConcern("majority"))
    await accounts.insert_many([{"_id": "a", "n": 10}, {"_id": "b", "n": 0}])
    primary = {"read_preference": ReadPreference.PRIMARY}
    saw: list[Any] = []
    async with await given(client.start_session()) as session:
        async with await given(session.start_transaction(**primary)):
            await accounts.update_one({"_id": "a"}, {"$inc": {"n": -3}}, session=session)
            await accounts.update_one({"_id": "b"}, {"$inc": {"n": 3}}, session=session)
        await given(session.start_transaction(**primary))
        await accounts.update_one({"_id": "b"}, {"$set": {"n": -1}}, session=session)
        saw.append(seen(await accounts.find_one({"_id": "b"}, session=session)))
        await session.abort_transaction()
    async with await given(client.start_session()) as session:

        async def counted(one: Any) -> Any:
            return await accounts.count_documents({}, session=one)

        saw.append(await session.with_transaction(counted, **primary))
    saw.append(seen(await accounts.find().sort("_id", 1).to_list(None)))
    return saw


async def change_streams(client: Any) -> Any:
    watched = client.app.watched
    await watched.insert_one({"_id": 0})
    saw: list[Any] = []
    async with await given(watched.watch(max_await_time_ms=500)) as stream:
        # motor opens its stream with the first look.
        first = await stream.try_next()
        await watched.insert_one({"_id": 1})
        await watched.update_one({"_id": 1}, {"$set": {"x": 2}})
        await watched.delete_one({"_id": 1})
        while len(saw) < 3:
            change = await stream.try_next()
            if change is not None:
                saw.append(seen(change))
    return [seen(first), saw]


async def files(client: Any) -> Any:
    if is_motor(client):
        from motor.motor_asyncio import AsyncIOMotorGridFSBucket

        bucket: Any = AsyncIOMotorGridFSBucket(client.app, "fs")
    else:
        bucket = AsyncGridFSBucket(client.app, "fs")
    made = await bucket.upload_from_stream("a.bin", b"abc" * 100_000, chunk_size_bytes=100_000)
    found = await bucket.open_download_stream(made)
    saw = [len(await found.read()), found.filename, found.length, made == found._id]
    await bucket.delete(made)
    return [saw, (await error_in(bucket.open_download_stream(made)))[0]]


async def without_replies(client: Any) -> Any:
    silent = client.app.get_collection("silent", write_concern=WriteConcern(0))
    made = await silent.insert_one({"_id": 1})
    await silent.update_one({"_id": 1}, {"$set": {"x": 1}})
    await silent.delete_one({"_id": 2})
    loud = client.app.silent
    while await loud.count_documents({"x": 1}) == 0:
        pass
    return [seen(made), seen(await loud.find().to_list(None))]


async def batches(client: Any) -> Any:
    rows = client.app.batches
    await rows.insert_many([{"_id": number} for number in range(60)])
    sorting = [{"$sort": {"_id": 1}}]
    undecoded = client.app.get_collection("batches", CodecOptions(RawBSONDocument))
    exhausting = rows.find(cursor_type=CursorType.EXHAUST, batch_size=7).sort("_id", 1)
    return [
        [each["_id"] async for each in exhausting],
        [batch.hex() async for batch in rows.find_raw_batches(batch_size=25).sort("_id", 1)],
        [batch.hex() async for batch in await given(rows.aggregate_raw_batches(sorting, batchSize=30))],
        [each.raw.hex() async for each in undecoded.find(limit=2)],
    ]


async def tailing(client: Any) -> Any:
    await client.app.create_collection("log", capped=True, size=100_000)
    log = client.app.log
    await log.insert_many([{"_id": number} for number in range(5)])
    tail = log.find(cursor_type=CursorType.TAILABLE, batch_size=2)
    saw = [await tail.next() for _ in range(5)]
    await log.insert_one({"_id": 5})
    saw.append(await tail.next())
    await tail.close()
    return seen(saw)


SCENARIOS: tuple[Callable[[Any], Awaitable[Any]], ...] = (
    bulk_writes,
    sessions,
    change_streams,
    files,
    without_replies,
    batches,
    tailing,
)
