"""Failures replay as the same exception of the driver at the same call; the whole of them: the matrix of drivers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import asyncpg
import pytest
from opentelemetry.sdk.trace import TracerProvider

from tests.drivers.asyncpg import failure_scenarios
from tests.drivers.asyncpg.taping import taps
from tests.drivers.asyncpg.test_replay import PRODUCTION
from tests.drivers.psycopg.replaying import replaying
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.asyncpg.codec import CODEC
from timetracer_otel.drivers.asyncpg.failures import can_raise, error_of, failure_of
from timetracer_otel.drivers.asyncpg.replay import REPLAYING
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

# ---- which call of `connect` it is -----------------------------------------------------------------------------------


async def connects(*places: str) -> list[Any]:
    """Connections to these places, one after the other, by a trace of their own."""
    return [await failure_scenarios.outcome(_connected(place)) for place in places]


async def _connected(place: str) -> Any:
    connection = await asyncpg.connect(place)
    try:
        return await connection.fetchval("select 1")
    finally:
        await connection.close()


def recorded(*places: str) -> tuple[list[Any], list[Exchange], list[Connection]]:
    with taps() as tape, TracerProvider().get_tracer("tests").start_as_current_span("recorded"):
        given = asyncio.run(connects(*places))
    return given, [each for each in tape.exchanges if each.request.get("op") != "prepare"], tape.connections


def replayed(exchanges: list[Exchange], connections: list[Connection], *places: str) -> tuple[list[Any], bool, Any]:
    """What the same calls give again, whether all was used, and the misses."""
    with (
        replaying({"trace": exchanges}, connections, REPLAYING) as replay,
        TracerProvider().get_tracer("tests").start_as_current_span("replayed") as span,
    ):
        replay.bindings.bind(span.get_span_context().trace_id, replay.sessions["trace"])
        given = asyncio.run(connects(*places))
    return given, replay.sessions["trace"].is_used_up, replay.misses


def test_a_connect_fails_again_whatever_pools_connect_before_it(postgres: PostgresServer) -> None:
    """A pool that was warm when it was recorded is cold in replay."""
    nothing = _nothing(postgres)
    given, exchanges, connections = recorded(postgres.dsn, nothing, nothing)
    assert given[0] == 1
    assert [each.request["call"] for each in exchanges if each.type == "net.connect"] == [1, 2]
    again, is_used_up, misses = replayed(exchanges, connections, postgres.dsn, nothing, nothing)
    assert (again, is_used_up, misses) == (given, True, [])
    colder = [each for each in exchanges if each.type == "net.connect"]
    again, is_used_up, _ = replayed(colder, connections, postgres.dsn, nothing, postgres.dsn, nothing)
    assert ([again[1], again[3]], is_used_up) == (given[1:], True)
    assert not any("nothing" in repr(each) for each in (again[0], again[2]))


def _nothing(server: PostgresServer) -> str:
    return server.dsn.rpartition("/")[0] + "/nothing"


def test_a_connect_to_a_place_that_nobody_recorded_counts_by_its_number(postgres: PostgresServer) -> None:
    given, exchanges, connections = recorded(postgres.dsn, _nothing(postgres))
    again, is_used_up, _ = replayed(exchanges, connections, PRODUCTION, PRODUCTION)
    assert (again, is_used_up) == (given, True)


def test_a_failure_that_another_driver_recorded_is_a_miss_that_says_so(postgres: PostgresServer) -> None:
    _, [exchange], connections = recorded(_nothing(postgres))
    foreign = Exchange(
        id="test-0",
        type="net.connect",
        signature=type(exchange.signature)("psycopg", "CONNECT", "nothing"),
        request=exchange.request,
        result={"failures": [{"type": "OperationalError", "text": "connection failed"}]},
    )
    [(raised, text, *_)], _, misses = replayed([foreign], connections, _nothing(postgres))
    assert raised.startswith("InternalServerError(")
    assert "asyncpg cannot raise what psycopg raised" in text
    assert misses == ["connect 127.0.0.1"]


# ---- exceptions ------------------------------------------------------------------------------------------------------

RAISED: list[BaseException] = [
    asyncpg.PostgresError.new({"S": "FATAL", "V": "FATAL", "C": "53300", "M": "too many", "H": "wait"}),
    asyncpg.PostgresError.new({"S": "FATAL", "C": "28P01", "M": "no"}),
    asyncpg.PostgresError.new({"S": "FATAL", "C": "ZZ999", "M": "unheard of"}),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.ClientConfigurationError("no file", hint="make one", detail="there is none"),
    asyncpg.TargetServerAttributeNotMatched("none of the hosts"),
    asyncpg.InterfaceError("what"),
    ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"),
    ConnectionResetError(),
    ConnectionError("rejected SSL upgrade"),
    OSError("Multiple exceptions: one, another"),
    TimeoutError(110, "Connection timed out"),
    socket.gaierror(-2, "Name or service not known"),
    ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
]


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_an_exception_is_the_same_again(error: BaseException) -> None:
    failure = failure_of(error)
    assert failure is not None
    recorded = {"type": failure.type, "text": failure.text, **failure.more}
    assert can_raise(recorded)
    again = error_of(recorded)
    assert (type(again), repr(again), str(again), again.args) == (type(error), repr(error), str(error), error.args)
    assert {name: value for name, value in vars(again).items() if value is not None} == {
        name: value for name, value in vars(error).items() if value is not None
    }


class Own(ConnectionError):
    """Of the app, such as its function for the password raises."""


@pytest.mark.parametrize("error", [Own("no vault"), KeyError("password"), KeyboardInterrupt()], ids=repr)
def test_what_is_the_apps_own_is_not_recorded(error: BaseException) -> None:
    assert failure_of(error) is None


@pytest.mark.parametrize("kind", ["Own", "KeyError", "SystemExit", "os.system", "", None, 7, []])
def test_a_recording_chooses_no_other_exception(kind: Any) -> None:
    assert not can_raise({"type": kind})
    assert type(error_of({"type": kind, "text": "x"})) is asyncpg.InternalServerError


def test_a_secret_in_the_text_of_a_failure_is_masked() -> None:
    text = "invalid DSN postgresql://app:hunter2-hunter2@db/shop"
    failures: Any = [
        {"type": "ClientConfigurationError", "text": text, "hint": text},
        {"type": "InvalidPasswordError", "text": "no", "error": {"C": "28P01", "M": text}},
    ]
    encoded = Encoded("net.connect", "asyncpg", "CONNECT", "", {}, {"failures": failures})
    masked, paths = CODEC.redact(encoded, Redactor())
    assert "hunter2" not in repr(masked.result)
    assert paths == ("result.failures[0].text", "result.failures[0].hint", "result.failures[1].error")
