"""Which recorded command answers: equal ones, each once; and what a miss says."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64, ObjectId
from pymongo import AsyncMongoClient, InsertOne, MongoClient
from pymongo.errors import ClientBulkWriteException, OperationFailure

from tests.drivers.pymongo.taping import PRODUCTION, replayed, taps
from tests.drivers.taping import ListTape
from tests.servers.mongo import MongoServer
from timetracer_otel.drivers.pymongo.exceptions import UnrecordedCommand
from timetracer_otel.wire.mongo.backend import MISMATCH

pytestmark = pytest.mark.usefixtures("spans")
Program = Callable[[MongoClient[Any]], Any]


def recorded(server: MongoServer, program: Program) -> ListTape:
    with taps() as tape, MongoClient[Any](server.uri) as client:
        client.drop_database("matching")
        tape.captured.clear()
        program(client)
    return tape


def misses_of(tape: ListTape, program: Program) -> list[Any]:
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        try:
            program(client)
        except OperationFailure as error:
            assert error.code == MISMATCH  # noqa: PT017  whether it comes is what the caller looks at
        return replay.journal.of("miss")


def test_r32_equal_commands_are_answered_in_recorded_order_and_one_too_many_is_explained(server: MongoServer) -> None:
    def poll(client: MongoClient[Any], calls: int = 3) -> list[Any]:
        jobs, states = client.matching.jobs, []
        for number in range(calls):
            states.append(jobs.find_one({"_id": "job"}))
            if number < 2:
                jobs.update_one({"_id": "job"}, {"$set": {"state": number}}, upsert=True)
        return states

    tape = recorded(server, poll)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert poll(client) == [None, {"_id": "job", "state": 0}, {"_id": "job", "state": 1}]
        assert replay.misses == []
        with pytest.raises(OperationFailure, match="recorded 3 times, all used up: this is call number 4") as raised:
            client.matching.jobs.find_one({"_id": "job"})
    assert raised.value.code == MISMATCH
    assert [each["differences"][0]["path"] for each in replay.journal.of("miss")] == ["calls"]


def test_r35_an_id_made_by_the_driver_is_the_recorded_one_and_a_changed_field_is_a_miss(server: MongoServer) -> None:
    def store(client: MongoClient[Any], name: str = "ada") -> ObjectId:
        made: ObjectId = client.matching.people.insert_one({"name": name}).inserted_id
        assert client.matching.people.find_one({"_id": made}, {"_id": 1}) == {"_id": made}
        client.matching.links.insert_one({"_id": 1, "person": str(made), "ref": made})
        return made

    made: list[ObjectId] = []
    tape = recorded(server, lambda client: made.append(store(client)))
    for _ in range(2):
        with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
            assert [store(client)] == made
            assert (replay.misses, replay.journal.of("mapping")) == ([], [])
    (miss, *_) = misses_of(tape, lambda client: store(client, "eve"))
    assert [each["path"] for each in miss["differences"]] == ["command.documents[0].name"]


def test_r35_ids_in_another_order_are_renamed_one_to_one_in_what_comes_back(server: MongoServer) -> None:
    def store(client: MongoClient[Any], names: str = "abc") -> dict[str, bool]:
        made = {name: client.matching.renamed.insert_one({"name": name}).inserted_id for name in names}
        found = {each["name"]: each["_id"] for each in client.matching.renamed.find().sort("name", 1)}
        return {name: found[name] == made[name] for name in sorted(made)}

    tape = recorded(server, store)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert store(client, "cab") == {"a": True, "b": True, "c": True}
    assert replay.misses == []
    assert {event["kind"] for event in replay.journal.of("mapping")} == {"object_id"}


@pytest.mark.parametrize("is_read_first", [True, False])
def test_r35_an_id_that_the_process_made_in_an_earlier_request_is_given_to_nothing_new(
    server: MongoServer, is_read_first: bool
) -> None:
    def visit(client: MongoClient[Any], person: ObjectId) -> list[Any]:
        people, visits = client.matching.people, client.matching.visits
        read = people.find_one({"_id": person}) if is_read_first else None
        made = visits.insert_one({"person": person}).inserted_id
        return [read, made, people.find_one({"_id": person}), visits.find_one({"_id": made}), str(made)]

    with taps() as tape, MongoClient[Any](server.uri) as client:
        client.drop_database("matching")
        person, other = client.matching.people.insert_many([{"name": "ada"}, {"name": "bob"}]).inserted_ids
        tape.captured.clear()
        saw = visit(client, person)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert visit(client, person) == saw
        assert (replay.misses, replay.journal.of("mapping")) == ([], [])
    (miss, *_) = misses_of(tape, lambda client: visit(client, other))
    assert [each["path"] for each in miss["differences"]] == [
        "command.filter._id" if is_read_first else "command.documents[0].person"
    ]


QUERY: dict[str, Any] = {
    "a": 1,
    "b": {"x": 1, "y": [1, "2", None]},
    "c": ObjectId("6b070cb6a0fae5343faf121b"),
    "d": 1.5,
}
MUTANTS: dict[str, dict[str, Any]] = {
    "command.filter.a": {**QUERY, "a": 2},
    "command.filter.b.y[1]": {**QUERY, "b": {"x": 1, "y": [1, "3", None]}},
    "command.filter.b.y[2]": {**QUERY, "b": {"x": 1, "y": [1, "2", False]}},
    "command.filter.c": {**QUERY, "c": ObjectId("6b070cb6a0fae5343faf121c")},
    "command.filter.d": {**QUERY, "d": -1.5},
    "command.filter.e": {**QUERY, "e": 1},
    "command.filter.b.x": {**QUERY, "b": {"x": 1.0, "y": [1, "2", None]}},
}


@pytest.fixture(scope="module")
def found_one(server: MongoServer) -> ListTape:
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

    PymongoInstrumentor().instrument(skip_dep_check=True)
    return recorded(server, lambda client: client.matching.any.find_one(QUERY))


@pytest.mark.parametrize("path", MUTANTS)
def test_one_other_value_is_one_miss_that_names_it(found_one: ListTape, path: str) -> None:
    (miss,) = misses_of(found_one, lambda client: client.matching.any.find_one(MUTANTS[path]))
    assert [each["path"] for each in miss["differences"]] == [path]


@pytest.mark.parametrize(
    "query",
    [
        {"a": 1, "b": {"y": [1, "2", None], "x": 1}, "c": QUERY["c"], "d": 1.5},
        {"b": QUERY["b"], "a": 1, "c": QUERY["c"], "d": 1.5},
        {"a": 1, "b.x": 1, "b.y": [1, "2", None], "c": QUERY["c"], "d": 1.5},
        {},
    ],
)
def test_r38_the_order_and_the_nesting_of_keys_are_part_of_a_query(found_one: ListTape, query: dict[str, Any]) -> None:
    (miss,) = misses_of(found_one, lambda client: client.matching.any.find_one(query))
    assert miss["differences"]


def test_r38_an_integer_is_the_same_in_four_and_in_eight_bytes(found_one: ListTape) -> None:
    assert misses_of(found_one, lambda client: client.matching.any.find_one({**QUERY, "a": Int64(1)})) == []


def test_another_collection_database_or_command_is_a_miss(found_one: ListTape) -> None:
    (miss,) = misses_of(found_one, lambda client: client.matching.other.find_one(QUERY))
    assert miss["request"]["text"] == "matching.other.find(filter, limit, singleBatch)"
    assert miss["nearest"]["text"] == "matching.any.find(filter, limit, singleBatch)"
    assert misses_of(found_one, lambda client: client.matching.any.count_documents(QUERY))


def test_a_miss_is_not_retried_and_its_text_says_what_differs(found_one: ListTape) -> None:
    with (
        replayed(found_one) as replay,
        MongoClient[Any](PRODUCTION) as client,
        pytest.raises(UnrecordedCommand) as raised,
    ):
        client.matching.any.find_one(MUTANTS["command.filter.a"])
    assert str(raised.value).startswith(
        "timetracer: no recorded answer for matching.any.find(filter, limit, singleBatch); "
        f"nearest exchange {found_one.exchanges[0].id}, command.filter.a: recorded 1, asked 2"
    )
    assert len(replay.misses) == 1


ASKING: dict[str, Program] = {
    "find": lambda client: client.matching.any.find_one({"new": 1}),
    "aggregate": lambda client: list(client.matching.any.aggregate([{"$match": {"new": 1}}])),
    "insert": lambda client: client.matching.any.insert_one({"_id": "new"}),
    "bulk": lambda client: client.matching.any.bulk_write([InsertOne({"_id": "new"})]),
    "update": lambda client: client.matching.any.update_one({"new": 1}, {"$set": {"b": 1}}),
    "command": lambda client: client.matching.command("collStats", "any"),
}


@pytest.mark.parametrize("name", ASKING)
def test_a_miss_is_an_error_of_our_own_that_survives_pickling(found_one: ListTape, name: str) -> None:
    with (
        replayed(found_one) as replay,
        MongoClient[Any](PRODUCTION) as client,
        pytest.raises(UnrecordedCommand) as raised,
    ):
        ASKING[name](client)
    copy = pickle.loads(pickle.dumps(raised.value))  # noqa: S301  our own
    for error in (raised.value, copy):
        assert (type(error), error.code) == (UnrecordedCommand, MISMATCH)
        assert str(error).startswith("timetracer: no recorded answer for matching.any.")
    assert (copy.details, len(replay.misses)) == (raised.value.details, 1)


def test_a_miss_of_other_clients_is_ours_too_and_errors_of_the_server_are_not(server: MongoServer) -> None:
    async def ask() -> None:
        async with AsyncMongoClient[Any](PRODUCTION) as client:
            await client.matching.any.find_one({"new": 1})

    def fail(client: MongoClient[Any]) -> None:
        with pytest.raises(OperationFailure) as failed:
            client.matching.command("nonsense")
        assert (type(failed.value), failed.value.code) == (OperationFailure, 59)

    tape = recorded(server, fail)
    with replayed(tape), MongoClient[Any](PRODUCTION) as client:
        fail(client)
        with pytest.raises(UnrecordedCommand):
            asyncio.run(ask())
        with pytest.raises(ClientBulkWriteException) as bulk:
            client.bulk_write([InsertOne({"_id": 1}, namespace="matching.any")])
        assert type(bulk.value.error) is UnrecordedCommand


@pytest.mark.parametrize("names", [("ada", "bob"), ("bob", "ada")])
def test_r35_an_id_that_stands_for_another_is_never_taken_for_itself(server: MongoServer, names: Any) -> None:
    """The ids are given back in recorded order, and so to others where the order is another one."""

    def store(client: MongoClient[Any], names: Any = ("ada", "bob")) -> dict[str, Any]:
        people = client.matching.people
        made = {name: people.insert_one({"name": name}).inserted_id for name in names}
        return {name: people.find_one({"_id": made[name]}, {"_id": 0}) for name in names}

    tape = recorded(server, store)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert store(client, names) == {"ada": {"name": "ada"}, "bob": {"name": "bob"}}
    assert replay.misses == []


def test_r02_a_cursor_that_is_read_on_beyond_what_was_recorded_is_a_miss_that_names_it(server: MongoServer) -> None:
    def read(client: MongoClient[Any], most: int) -> list[int]:
        rows, found = client.matching.rows, list[int]()
        with rows.find(batch_size=4).sort("_id", 1) as cursor:
            for row in cursor:
                found.append(row["_id"])
                if len(found) == most:
                    break
        return found

    async def read_on() -> None:
        async with AsyncMongoClient[Any](PRODUCTION) as client:
            await client.matching.rows.find(batch_size=4).sort("_id", 1).to_list()

    def store_and_read(client: MongoClient[Any]) -> None:
        client.matching.rows.insert_many([{"_id": number} for number in range(20)])
        read(client, 6)
        client.matching.rows.find_one({"_id": 1})

    tape = recorded(server, store_and_read)
    with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
        assert read(client, 8) == list(range(8))  # what came with the last recorded batch
        assert replay.misses == []
    for read_beyond in (lambda: read(client, 9), lambda: asyncio.run(read_on())):
        with replayed(tape) as replay, MongoClient[Any](PRODUCTION) as client:
            with pytest.raises(UnrecordedCommand, match="all used up") as raised:
                read_beyond()
            (miss,) = replay.journal.of("miss")
            assert miss["request"]["text"].startswith("matching.rows.getMore(")
            assert "matching.rows.getMore(" in str(raised.value)


def test_housekeeping_is_never_a_miss(found_one: ListTape) -> None:
    def program(client: MongoClient[Any]) -> None:
        client.admin.command("ping")
        client.server_info()
        with client.start_session():
            client.matching.any.find_one(QUERY)

    assert misses_of(found_one, program) == []


def test_what_holds_a_password_is_never_recorded_and_leaves_the_verdict_open(found_one: ListTape) -> None:
    with replayed(found_one) as replay, MongoClient[Any](PRODUCTION) as client:
        client.matching.command("createUser", "ada", pwd="hunter22", roles=[])
    assert replay.misses == []
    assert "createUser is never recorded" in replay.journal.of("incomplete")[0]["reason"]
