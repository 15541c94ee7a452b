"""What an application does with pymongo. Each returns what it saw; the harness runs it recorded and again in replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymongo import ASCENDING, MongoClient, ReturnDocument

from tests.drivers.pymongo.seeing import error_of, seen


def crud(client: MongoClient[Any]) -> Any:
    users = client.app.users
    made = users.insert_one({"name": "ada", "age": 36})
    return [
        seen(made),
        seen(users.find_one({"_id": made.inserted_id})),
        seen(users.insert_many([{"name": name, "n": number} for number, name in enumerate("abc")])),
        seen(users.update_one({"name": "ada"}, {"$set": {"age": 37}, "$unset": {"x": ""}}).raw_result),
        seen(users.update_many({"n": {"$gte": 1}}, {"$inc": {"n": 10}}).raw_result),
        seen(users.replace_one({"name": "zoe"}, {"name": "zoe"}, upsert=True).raw_result),
        seen(list(users.find({"n": {"$exists": True}}, {"_id": 0}).sort("n", -1))),
        seen(users.delete_one({"name": "a"}).raw_result),
        users.count_documents({}),
        users.estimated_document_count(),
        sorted(users.distinct("name")),
        seen(list(users.aggregate([{"$match": {"n": {"$gt": 5}}}, {"$group": {"_id": None, "sum": {"$sum": "$n"}}}]))),
        seen(users.delete_many({}).raw_result),
    ]


def cursors(client: MongoClient[Any]) -> Any:
    rows = client.app.rows
    rows.insert_many([{"_id": number, "text": "x" * number} for number in range(300)])
    broken_off = rows.find(batch_size=4).sort("_id", 1)
    first = [next(broken_off) for _ in range(10)]
    broken_off.close()
    return [
        seen(list(rows.find(batch_size=7).sort("_id", 1))),
        seen(first),
        seen(list(rows.find({"_id": {"$lt": 5}}).limit(3).skip(1))),
        seen(list(rows.find({}, {"_id": 1}, batch_size=50).sort("_id", -1)))[:3],
        seen(list(rows.aggregate([{"$sort": {"_id": 1}}, {"$project": {"t": "$text"}}], batchSize=90)))[:2],
    ]


def errors(client: MongoClient[Any]) -> Any:
    users = client.app.mistakes
    users.insert_one({"_id": 1})
    return [
        error_of(lambda: users.insert_one({"_id": 1})),
        error_of(lambda: users.insert_many([{"_id": 2}, {"_id": 1}, {"_id": 3}])),
        error_of(lambda: users.insert_many([{"_id": 4}, {"_id": 1}, {"_id": 5}], ordered=False)),
        error_of(lambda: client.app.command("nonsense", 1)),
        error_of(lambda: users.update_one({}, {"$nonsense": {"a": 1}})),
        error_of(lambda: list(users.aggregate([{"$nonsense": 1}]))),
        error_of(lambda: list(users.find({"$where": 3}))),
        users.count_documents({}),
    ]


def other_commands(client: MongoClient[Any]) -> Any:
    items = client.app.items
    items.insert_one({"_id": 1, "n": 1})
    return [
        seen(items.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)),
        seen(items.find_one_and_replace({"_id": 1}, {"n": 7})),
        seen(items.find_one_and_delete({"_id": 1})),
        seen(items.find_one_and_delete({"_id": 1})),
        items.create_index([("n", ASCENDING)], unique=True, name="by_n"),
        sorted(items.index_information()),
        sorted(client.app.list_collection_names()),
        seen(client.admin.command("ping")),
        client.admin.command("hello")["ok"],
        seen(client.app.command("dropIndexes", "items", index="by_n")),
    ]


SCENARIOS: tuple[Callable[[MongoClient[Any]], Any], ...] = (crud, cursors, errors, other_commands)
