"""No server that can be selected: no command is made and no span, and the failure is recorded and comes again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, CursorType, MongoClient
from pymongo.errors import PyMongoError

from tests.drivers.pymongo.dropping import DroppingProxy
from tests.drivers.pymongo.harness import record, replay, trace_of
from tests.drivers.pymongo.taping import replayed, taps
from tests.drivers.pymongo.test_versions import VERSIONS
from tests.drivers.pymongo.unreachable import said
from tests.launching import free_port
from tests.servers.mongo import MongoServer
from timetracer_otel.capture import guard
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.pymongo import selecting
from timetracer_otel.drivers.pymongo.describe import DESCRIBING
from timetracer_otel.store import Store

pytestmark = pytest.mark.usefixtures("spans")
PROGRAM = "tests.drivers.pymongo.unreachable"
NOBODY = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300"
PRODUCTION = "mongodb+srv://user:pw@cluster.example/app?tls=true"
KINDS = ["sync", "async", "motor"]
FOUND = ("verdict", "misses", "unused", "uncontrolled")
SAME = {"verdict": "same", "misses": [], "unused": [], "uncontrolled": []}


def exchanges_in(store: Path) -> tuple[Exchange, ...]:
    (segment,) = Store(store).open_cassette(trace_of(store).name)[0].segments
    return segment.exchanges


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", [NOBODY.replace("300", "30000"), PRODUCTION])
def test_a_selection_that_failed_fails_again_at_once(tmp_path: Path, kind: str, address: str) -> None:
    recorded = record(tmp_path, kind, NOBODY, program=PROGRAM)
    assert [each[0] for each in recorded.saw["saw"]] == ["ServerSelectionTimeoutError"] * 3
    failed = exchanges_in(tmp_path)
    assert [(each.type, each.request["operation"], each.request["call"]) for each in failed] == [
        ("mongo.select", "find", 0),
        ("mongo.select", "insert", 1),
        ("mongo.select", "find", 2),
    ]
    assert failed[0].request["timeout_ms"] == 300
    replayed = replay(tmp_path, kind, address, program=PROGRAM)
    assert replayed.saw == recorded.saw
    assert {name: replayed.report[name] for name in FOUND} == SAME
    assert "failed" not in recorded.stderr, recorded.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_was_stopped_midway_is_gone_again(mongo: MongoServer, tmp_path: Path, kind: str) -> None:
    uri = f"mongodb://{mongo.address}/?replicaSet=secantus&serverSelectionTimeoutMS=300"
    recorded = record(tmp_path, kind, uri, str(mongo._server.pid), program=PROGRAM)
    assert recorded.saw["saw"][0] == ["NoneType"]
    assert recorded.saw["saw"][2][0] == "ServerSelectionTimeoutError"
    replayed = replay(tmp_path, kind, f"{PRODUCTION}&replicaSet=rs0", program=PROGRAM)
    assert [each[0] for each in replayed.saw["saw"]] == [each[0] for each in recorded.saw["saw"]]
    assert replayed.saw["saw"][2] == recorded.saw["saw"][2]
    assert {name: replayed.report[name] for name in FOUND} == SAME


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_older_pymongo_fails_again_too(older: Callable[[str], str], tmp_path: Path, version: str, kind: str) -> None:
    path, store = older(version), tmp_path / "store"
    recorded = record(store, kind, NOBODY, program=PROGRAM, PYTHONPATH=path)
    assert [each.type for each in exchanges_in(store)] == ["mongo.select"] * 3
    replayed = replay(store, kind, PRODUCTION, program=PROGRAM, PYTHONPATH=path)
    assert replayed.saw == recorded.saw
    assert {name: replayed.report[name] for name in FOUND} == SAME


# ---- in one process --------------------------------------------------------------------------------------------------


def tried(call: Callable[[], Any]) -> list[str]:
    try:
        return ["given", repr(call())]
    except PyMongoError as error:
        return said(error)


def addressed(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=300"


def types_of(exchanges: list[Exchange], method: str) -> list[str]:
    return [each.type for each in exchanges if each.signature.method == method]


def tried_nobody() -> list[str]:
    with MongoClient[Any](NOBODY) as client:
        return tried(client.unreachable.others.find_one)


def test_a_selection_that_failed_twice_and_then_worked_does_so_again(server: MongoServer) -> None:
    def program(uri: str, begin: Callable[[], Any]) -> list[list[str]]:
        with MongoClient[Any](uri) as client:
            find = client.unreachable.others.find_one
            saw = [tried(find), tried(find)]
            begin()
            return [*saw, tried(find)]

    port, begun = free_port(), list[DroppingProxy]()
    uri = addressed(port).replace("300", "1000")  # pymongo looks every half second whether a server has come
    with taps() as tape:
        recorded = program(uri, lambda: begun.append(DroppingProxy(server.port, on=port)))
    begun[0].stop()
    assert types_of(tape.exchanges, "find") == ["mongo.select", "mongo.select", "db.command"]
    with replayed(tape) as replay:
        assert program(uri, lambda: None) == recorded
    assert (replay.misses, len(replay.journal.of("take"))) == ([], 3)


def test_a_failure_that_is_not_met_again_is_left_over(server: MongoServer) -> None:
    with taps() as tape:
        tried_nobody()
    with replayed(tape) as replay, MongoClient[Any](NOBODY) as client:
        assert tried(lambda: client.unreachable.others.insert_one({}))[0] == "UnrecordedCommand"
    assert (len(replay.misses), replay.sessions["trace"].is_used_up) == (1, False)


def test_of_two_clients_the_same_one_fails_again(server: MongoServer) -> None:
    """The one that works asks less often in replay."""

    def program(times: int) -> list[list[str]]:
        with MongoClient[Any](server.uri) as up, MongoClient[Any](NOBODY) as down:
            for _ in range(times):
                up.unreachable.others.find_one()
            return [tried(down.unreachable.others.find_one), tried(up.unreachable.others.find_one)]

    with taps() as tape:
        recorded = program(2)
    with replayed(tape) as replay:
        assert program(1) == recorded
    assert replay.misses == []


POLLING: dict[str, Any] = {"heartbeatFrequencyMS": 60_000, "serverMonitoringMode": "poll"}
"""A monitor that does not hear of it when its server goes."""


def idle_and_cut(proxy: DroppingProxy) -> None:
    time.sleep(1.5)  # the driver looks at connections that were idle for a second, and its monitor twice at the start
    proxy.cut()
    time.sleep(0.2)


def polled(uri: str, cut: Callable[[], Any]) -> list[list[str]]:
    with MongoClient[Any](uri, **POLLING) as client:
        saw = [tried(client.unreachable.others.find_one)]
        cut()
        return [*saw, *(tried(client.unreachable.others.find_one) for _ in range(2))]


def test_connects_that_a_command_needed_fail_again(server: MongoServer) -> None:
    """A connection was idle and broke, and a new one is refused, which the driver's monitor has not heard of."""
    proxy = DroppingProxy(server.port)
    uri = addressed(proxy.port)
    with taps() as tape:
        recorded = polled(uri, lambda: idle_and_cut(proxy))
    types = types_of(tape.exchanges, "find")  # how often pymongo tries to connect depends on its version
    assert types[:2] == ["db.command", "net.connect"]
    assert [each[0] for each in recorded[:2]] == ["given", "AutoReconnect"]
    with replayed(tape) as replay:
        assert polled(uri, lambda: None) == recorded
    assert (replay.misses, len(replay.journal.of("take"))) == ([], len(types))


POOL_OF_ONE: dict[str, Any] = {"maxPoolSize": 1, "waitQueueTimeoutMS": 100}
EXHAUST: dict[str, Any] = {"cursor_type": CursorType.EXHAUST, "batch_size": 2}
"""A cursor that keeps its connection."""


def crowded(uri: str) -> list[list[str]]:
    with MongoClient[Any](uri, **POOL_OF_ONE) as client:
        rows = client.unreachable.rows
        with rows.find(**EXHAUST) as cursor:
            return [tried(lambda: next(cursor)), tried(rows.find_one)]


async def _async_crowded(uri: str) -> list[list[str]]:
    async with AsyncMongoClient[Any](uri, **POOL_OF_ONE) as client:
        rows = client.unreachable.rows
        async with rows.find(**EXHAUST) as cursor:
            saw = ["given", repr(await cursor.next())]
            try:
                return [saw, ["given", repr(await rows.find_one())]]
            except PyMongoError as error:
                return [saw, said(error)]


def async_crowded(uri: str) -> list[list[str]]:
    return asyncio.run(_async_crowded(uri))


@pytest.mark.parametrize("program", [crowded, async_crowded])
def test_a_pool_without_a_free_connection_has_none_again(server: MongoServer, program: Any) -> None:
    with MongoClient[Any](server.uri) as client:
        client.unreachable.rows.drop()
        client.unreachable.rows.insert_many([{"_id": number} for number in range(9)])
    with taps() as tape:
        recorded = program(server.uri)
    assert recorded[1][0] == "WaitQueueTimeoutError"
    with replayed(tape) as replay:
        assert program(server.uri) == recorded
    assert replay.misses == []


def test_an_app_that_gave_up_waiting_gives_up_again() -> None:
    async def program(uri: str) -> str:
        async with AsyncMongoClient[Any](uri) as client:
            try:
                await asyncio.wait_for(client.unreachable.others.find_one(), 0.2)
            except asyncio.TimeoutError:
                return "gave up"
        return "given"

    patient = NOBODY.replace("300", "30000")
    with taps() as tape:
        assert asyncio.run(program(patient)) == "gave up"
    [exchange] = tape.exchanges
    assert exchange.result == {"failure": {"type": "unanswered", "text": ""}}
    with replayed(tape) as replay:
        assert asyncio.run(program(patient)) == "gave up"
    assert (replay.misses, replay.sessions["trace"].is_used_up) == ([], True)


def test_an_exception_that_is_not_pymongos_is_never_raised(server: MongoServer) -> None:
    with taps() as tape:
        tried_nobody()
    tape.captured[0].result = selecting.Failure("SystemExit", "of a stranger")
    with replayed(tape) as replay:
        raised = tried_nobody()
    assert (raised[0], replay.misses) == ("UnrecordedCommand", ["select a server for find"])
    assert "pymongo cannot raise what was recorded" in raised[1]


def test_what_the_driver_does_by_itself_is_not_recorded(server: MongoServer) -> None:
    proxy = DroppingProxy(server.port)
    with taps() as tape:
        client = MongoClient[Any](addressed(proxy.port))
        client.unreachable.others.find_one()
        proxy.cut()
        client.close()  # ends its session, and finds no server
    assert [each.type for each in tape.exchanges if each.signature.method != "endSessions"] == ["db.command"]


def test_secrets_in_the_message_are_masked_and_it_is_told_to_people() -> None:
    with taps() as tape:
        tried_nobody()
    text = "no primary: mongodb://app:hunter2@db.prod.example:27017"
    tape.captured[0].result = selecting.Failure("ServerSelectionTimeoutError", text)
    [exchange] = tape.exchanges
    assert "hunter2" not in repr(exchange)
    assert exchange.redacted == ("result.failure.text",)
    told = DESCRIBING.describe(exchange)
    assert told is not None
    assert told.text == "select a server for find"
    assert told.outcome.startswith("ServerSelectionTimeoutError: no primary: mongodb://")


def cut_and_tried_nobody(server: MongoServer) -> list[str]:
    proxy = DroppingProxy(server.port)
    saw = polled(addressed(proxy.port), lambda: idle_and_cut(proxy))
    return [each[0] for each in (*saw, tried_nobody())]


@pytest.fixture(scope="module")
def without(server: MongoServer) -> list[str]:
    """What the program sees without us."""
    return cut_and_tried_nobody(server)


@pytest.mark.parametrize("name", ["selecting", "unselected", "unconnected"])
def test_a_tap_that_raises_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, server: MongoServer, without: list[str], name: str
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("of the tap")

    monkeypatch.setattr(selecting, name, broken)
    guard.failures.clear()
    with taps(strict=False):
        assert cut_and_tried_nobody(server) == without
    assert guard.failures["pymongo"] > 0
    guard.failures.clear()
