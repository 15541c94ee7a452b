"""Every way to send and to read, on each pool, broker and result backend; arguments under each serializer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import started
from tests.drivers.celery.harness import Payments, until
from tests.drivers.celery.test_lifecycle import GEVENT
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Segment
from timetracer_otel.replay.library import entry_of

CLIENT = """
import ways
from ways import *
sent = [sends.delay(3), sends_pieces.delay(), sends_chords.delay(), asks.delay(3), stores.delay()]
sent += [waits_too_short.delay(3, False), waits_too_short.delay(3, True), waits_too_short_for_a_chord.delay(3)]
moment = datetime(2024, 2, 29, 12)
sent.append(given.apply_async((1, [1.5, None], uuid.UUID(int=5), moment), {"k": True}, serializer="json"))
sent.append(given.apply_async((1, [1.5, None], moment), {"k": "\u00e9"}, serializer="yaml"))
sent.append(given.apply_async((1, [1.5, None], b"bytes"), {"k": {"a": 1}}, serializer="msgpack"))
for each in sent:
    each.get(timeout=60, propagate=False)
given.apply_async(((1, 2), {3}, {4: timedelta(1)}), serializer="pickle")
given.apply_async((Declined(3, "no card"),), serializer="pickle")
"""
ENDED = {
    **{"sends": 1, "sends_pieces": 1, "sends_chords": 1, "asks": 1, "stores": 1, "waits_too_short": 2},
    **{"waits_too_short_for_a_chord": 1, "given": 5},
}
ASKED = [
    *(["4", "ValueError('refused 3')", "5"], True, False, True, False, 2, 6, True, 6, 6, "payments.add", [3, 3]),
    *("ValueError('refused 3')", True, True, [7, 8], 9, [11], [11]),
]
TIMED_OUT = "The operation timed out."
WAYS = ("-c", "6", "-I", "ways")


@contextlib.contextmanager
def servers(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    if kind == "filesystem":
        for name in ("queue", "control"):
            (folder / name).mkdir()
        yield {"BROKER": "filesystem://", "BACKEND": f"db+sqlite:///{folder}/results.db"}
        return
    server: RabbitServer | RedisServer = started(RabbitServer) if kind == "rabbitmq" else started(RedisServer)
    try:
        yield {"BROKER": server.url(), "BACKEND": server.url(1) if isinstance(server, RedisServer) else "rpc://"}
    finally:
        server.stop()


GONE = {
    "redis": {},
    "filesystem": {"BROKER": "filesystem://", "BACKEND": "db+sqlite:////nowhere/results.db"},
    "rabbitmq": {"BROKER": "amqp://app@broker.prod.example//", "BACKEND": "rpc://"},
}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "pool"),
    [("redis", "prefork"), ("redis", "gevent"), ("filesystem", "prefork"), ("rabbitmq", "prefork")],
)
def test_every_way_to_send_and_to_read_replays(
    tmp_path: Path, kind: str, pool: str, rounds: Callable[[int], int]
) -> None:
    if (kind, pool) != ("redis", "prefork") and rounds(10) < 10:
        pytest.skip("with --long only")
    with servers(kind, tmp_path) as urls:
        payments = Payments.at(tmp_path, **urls)
        with payments.worker("-P", pool, *WAYS, **(GEVENT if pool == "gevent" else {})):
            payments.client(CLIENT)
            until(lambda: {task: len(payments.segments(task)) for task in ENDED} == ENDED, "all tasks")
            until(lambda: is_done(payments, kind), "what they have sent")
    assert_told(payments, kind)
    unkept, *chosen = sorted(relevant(payments), key=lambda each: not has_unkept(each))
    replayed = payments.replay_all(chosen, **GONE[kind])
    assert {each.name: replayed[each.id].output for each in chosen if replayed[each.id].status} == {}
    refused = payments.replay(unkept, **GONE[kind])
    assert refused.status == 2
    assert "args[0], a payments.Declined, could not be kept when it was recorded" in refused.output


def is_done(payments: Payments, kind: str) -> bool:
    """The last of all that they have sent: a chain of six after a countdown, and the group of a chord's body."""
    if kind == "rabbitmq":  # rpc refuses chords
        return bool(payments.segments("sends_chords"))
    return len(payments.segments("total")) >= 5 and payments.log.count("Task celery.starmap") >= 14


def assert_told(payments: Payments, kind: str) -> None:
    def result(task: str) -> list[object]:
        found = [entry.result.get("return_value") for each in payments.segments(task) if (entry := entry_of(each))]
        return [[*each] if isinstance(each, (list, tuple)) else each for each in found]

    (sends,) = payments.segments("sends")
    sent = [each for each in sends.exchanges if each.type == "task.publish"]
    assert len(sent) >= 14, [each.request for each in sent]
    assert result("asks") == [ASKED]
    assert result("waits_too_short") == [[TIMED_OUT, [4, 3, 5]]] * 2
    if kind != "rabbitmq":
        assert result("waits_too_short_for_a_chord") == [[TIMED_OUT, 7]]
        assert result("stores") == [["OWN", "HALF"]]


def relevant(payments: Payments) -> list[Segment]:
    """All that the client sent, and whoever sent something: among them those that completed a chord."""
    named = {f"run/payments.{task}" for task in ENDED}
    found = []
    for each in payments.segments():
        has_sent = any(exchange.type == "task.publish" for exchange in each.exchanges)
        if each.entry is not None and (each.entry.name in named or has_sent):
            found.append(each)
    return found


def has_unkept(segment: Segment) -> bool:
    entry = entry_of(segment)
    return entry is not None and "payments.Declined" in str(entry.request["args"])
