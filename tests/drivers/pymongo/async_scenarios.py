"""What an application does with AsyncMongoClient or motor, whose calls are the same but for a few."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from tests.drivers.pymongo.seeing import error_in, seen


async def given(value: Any) -> Any:
    """The value; what motor gives at once is a coroutine elsewhere."""
    return await value if inspect.isawaitable(value) else value


async def crud(client: Any) -> Any:
    users = client.app.users
    made = await users.insert_one({"name": "ada", "age": 36})
    many = await users.insert_many([{"name": name, "n": number} for number, name in enumerate("abc")])
    groups = await given(users.aggregate([{"$group": {"_id": None, "sum": {"$sum": "$n"}}}]))
    return [
        seen(made),
        seen(many),
        seen(await users.find_one({"_id": made.inserted_id})),
        seen((await users.update_one({"name": "ada"}, {"$set": {"age": 37}})).raw_result),
        seen(await users.find({"n": {"$exists": True}}, {"_id": 0}).sort("n", -1).to_list(None)),
        seen(await groups.to_list(None)),
        seen(await users.find_one_and_update({"name": "a"}, {"$inc": {"n": 5}})),
        seen((await users.delete_many({})).raw_result),
    ]


async def cursors(client: Any) -> Any:
    rows = client.app.rows
    await rows.insert_many([{"_id": number} for number in range(100)])
    broken_off = rows.find(batch_size=4).sort("_id", 1)
    first = []
    async for row in broken_off:
        first.append(row)
        if len(first) == 10:
            break
    await broken_off.close()
    return [
        seen(first),
        seen([row async for row in rows.find(batch_size=7).sort("_id", 1)]),
        seen(await rows.find(batch_size=33).sort("_id", -1).to_list(None)),
    ]


async def errors(client: Any) -> Any:
    users = client.app.mistakes
    await users.insert_one({"_id": 1})
    return [
        await error_in(users.insert_one({"_id": 1})),
        await error_in(users.insert_many([{"_id": 2}, {"_id": 1}])),
        await error_in(client.app.command("nonsense", 1)),
    ]


async def gathered(client: Any) -> Any:
    """ObjectIds of calls that overtake each other."""
    events = client.app.events
    made = await asyncio.gather(*(events.insert_one({"n": number}) for number in range(8)))
    found = await asyncio.gather(*(events.find_one({"_id": each.inserted_id}, {"_id": 0}) for each in made))
    return [seen(found)]


SCENARIOS: tuple[Callable[[Any], Awaitable[Any]], ...] = (crud, cursors, errors, gathered)
