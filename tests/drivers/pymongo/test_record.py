"""What the taps hear: every command of the instrumentor's spans, and nothing of authentication."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from pymongo import CursorType, MongoClient

from tests.drivers.pymongo.taping import replayed, taps
from tests.drivers.traced import PROVIDER
from tests.servers.mongo import MongoServer
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.drivers.pymongo import adoption
from timetracer_otel.drivers.pymongo.forms import replies_of
from timetracer_otel.drivers.pymongo.record import PymongoRecording
from timetracer_otel.drivers.pymongo.replay import PymongoReplaying
from timetracer_otel.drivers.pymongo.servers import HELLO


def test_a_client_made_before_instrumentation_is_recorded_without_spans_after_one_warning(
    server: MongoServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(adoption, "_has_warned", False)
    monkeypatch.setattr("pymongo.monitoring._LISTENERS", type(_listeners())([], [], [], [], []))

    def program(client: MongoClient[Any]) -> Any:
        client.early.things.drop()
        client.early.things.insert_one({"_id": 1})
        return client.early.things.find_one()

    with MongoClient[Any](server.uri) as client, caplog.at_level(logging.WARNING):
        client.admin.command("ping")
        with taps() as tape, PROVIDER.get_tracer("tests").start_as_current_span("request") as span:
            recorded = program(client)
        assert tape.names == ["insert", "find"]
        assert {each.span_id for each in tape.captured} == {span.get_span_context().span_id}
    assert [each.message for each in caplog.records] == [f"timetracer: {adoption.WARNING}"]
    assert recorded == {"_id": 1}


def _listeners() -> Any:
    from pymongo import monitoring

    return vars(monitoring)["_LISTENERS"]


@pytest.mark.usefixtures("spans")
def test_what_a_server_says_of_itself_is_kept_once_and_without_its_clock(server: MongoServer) -> None:
    with taps() as tape, MongoClient[Any](server.uri) as client:
        for _ in range(3):
            client.app.things.find_one()
    (connection,) = tape.connections
    assert connection.target == f"mongodb://{server.address}"
    hello: Any = connection.parameters[HELLO]
    assert (hello["setName"], hello["isWritablePrimary"]) == ("secantus", True)
    assert not {"localTime", "$clusterTime", "connectionId", "speculativeAuthenticate", "lastWrite"} & set(hello)
    assert {each.connection for each in tape.captured} == {connection.number}


@pytest.mark.usefixtures("spans")
def test_suppressed_commands_are_not_recorded(server: MongoServer) -> None:
    with taps() as tape, MongoClient[Any](server.uri) as client:
        with suppress_instrumentation():
            client.app.things.find_one()
        client.app.things.find_one({"_id": 3})
    assert tape.names[0] == "find"
    assert len(tape.names) == 2  # and endSessions


@pytest.mark.usefixtures("spans")
def test_r02_the_batches_of_an_exhaust_cursor_belong_to_its_first_request(server: MongoServer) -> None:
    def program(uri: str) -> Any:
        with MongoClient[Any](uri) as client:
            rows = client.exhausting.rows
            rows.drop()
            rows.insert_many([{"_id": number} for number in range(50)])
            return list(rows.find(cursor_type=CursorType.EXHAUST, batch_size=10))

    with taps() as tape:
        recorded = program(server.uri)
    counts = [len(replies_of(each.result)) for each in tape.exchanges if each.signature.method == "getMore"]
    assert sum(counts) in (4, 5)
    assert len(counts) < 4
    with replayed(tape) as replay:
        assert program("mongodb+srv://c.example/") == recorded
    assert replay.misses == []


@pytest.mark.usefixtures("spans")
def test_listeners_of_the_application_may_use_the_client_themselves(server: MongoServer) -> None:
    from pymongo.monitoring import CommandListener

    class Auditing(CommandListener):
        def started(self, event: Any) -> None:
            if event.command_name == "insert":
                audit.nested.audit.find_one({"_id": "policy"})

        def succeeded(self, event: Any) -> None:
            """It looks at what begins."""

        failed = succeeded

    with (
        taps() as tape,
        MongoClient[Any](server.uri) as audit,
        MongoClient[Any](server.uri, event_listeners=[Auditing()]) as client,
    ):
        client.nested.things.delete_many({})
        client.nested.things.insert_one({"_id": 1})
    found = {name: tape.names.count(name) for name in ("delete", "insert", "find")}
    assert found == {"delete": 1, "insert": 1, "find": 1}
    assert all(replies_of(each.result) for each in tape.exchanges)


def test_the_instrumentor_may_go_in_twice() -> None:
    instrumentor = PymongoInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    instrumentor.uninstrument()
    with taps(), taps():
        pass
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_pymongo_that_is_too_old_is_named_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 4.9 it has no asynchronous half."""
    monkeypatch.setitem(sys.modules, "pymongo.asynchronous.pool", None)
    with pytest.raises(MissingNames, match=r"pymongo \S+ has no pymongo.asynchronous: it is recorded .* from 4.9 on"):
        PymongoRecording().install()


def test_a_pymongo_that_is_too_old_is_refused_by_replay_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pymongo.asynchronous.pool", "timetracer_otel.drivers.pymongo.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    host: Any = SimpleNamespace(serve=lambda name, backend: lambda: 0)
    with pytest.raises(MissingNames, match=r"from 4\.9 on"):
        PymongoReplaying().install(host)
