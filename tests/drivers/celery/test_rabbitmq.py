"""The same worker on RabbitMQ, with results by rpc: a backend of other abilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import started
from tests.drivers.celery import mix
from tests.drivers.celery.harness import Payments, until
from tests.launching import instrumented
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer

CLIENT = """
sent = [process_payment.delay(12345), reads_on_the_way.delay(False), with_chord.delay(5), joins.delay(5)]
sent += [parent.delay(20), waits_in_vain.delay(), chained.delay(1)]
for each in sent:
    try:
        each.get(timeout=60)
    except Exception:
        pass
"""
ENDED = {
    "process_payment": ["FAILURE"],
    "reads_on_the_way": ["SUCCESS"],
    "joins": ["FAILURE"],
    "with_chord": ["FAILURE"],
    "parent": ["SUCCESS"],
    "waits_in_vain": ["FAILURE"],
    "chained": ["SUCCESS"],
}


@pytest.mark.long
def test_tasks_on_rabbitmq_with_rpc_replay_with_both_stopped(
    rabbitmq: RabbitServer, tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    payments = Payments.at(tmp_path, BROKER=rabbitmq.url(), BACKEND="rpc://")
    with payments.worker("-c", "4"):
        payments.client(CLIENT)
        until(lambda: len(payments.states().get("add", ())) == 9, "all tasks")
    rabbitmq.stop()
    assert {name: payments.states().get(name) for name in ENDED} == ENDED
    chosen = [segment for task in ENDED for segment in payments.segments(task)]
    chosen = chosen if rounds(10) == 10 else chosen[1:3]
    replayed = payments.replay_all(chosen, BROKER="amqp://app@broker.prod.example//", BACKEND="rpc://")
    assert {segment.name: replayed[segment.id].output for segment in chosen if replayed[segment.id].status} == {}


MIXED = 40


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.timeout(900)
def test_each_of_40_mixed_tasks_on_rabbitmq_replays_with_broker_backend_and_database_stopped(
    rabbitmq: RabbitServer, redis: RedisServer, tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    if rounds(10) < 10:
        pytest.skip("with --long only: test_replay has the same tasks on Redis")
    loaded = instrumented("celery", "psycopg")
    database = started(PostgresServer)
    try:
        payments = Payments.at(tmp_path, BROKER=rabbitmq.url(), BACKEND=redis.url(), DSN=database.dsn)
        with payments.worker("-c", "4", **loaded):
            payments.client(mix.CLIENT + "end(*[books.delay(number) for number in range(5)])")
            until(lambda: mix.has_ended(payments) and len(payments.states().get("books", ())) == 5, "all tasks")
    finally:
        for server in (rabbitmq, redis, database):
            server.stop()
    segments = payments.segments()
    assert len(segments) >= MIXED
    assert all(each.complete and not each.dropped for each in segments)
    assert all(each.exchanges[1].type == "db.query" for each in payments.segments("books"))
    replayed = payments.replay_all(segments, BROKER="amqp://app@broker.prod.example//", **loaded)
    assert {each.name: replayed[each.id].output for each in segments if replayed[each.id].status} == {}
