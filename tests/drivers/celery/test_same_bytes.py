"""What a worker and a client put on the broker is the same with and without us, to the byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kombu
import pytest

from tests.conftest import started
from tests.drivers.celery.harness import Payments, until
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer

SEND = """
from celery import chain, chord, group
def fixed(number):
    return f"00000000-0000-0000-0000-{number:012}"
kept = {"queue": "kept"}
late = told.s("late").set(queue="kept")
# By the client.
about_me.apply_async((1, "two"), {"three": 3.0}, headers={"tenant": "t"}, priority=3, **kept)
add.apply_async((1, 2), eta=datetime(2040, 1, 1, tzinfo=timezone.utc), **kept)
app.send_task("nobody.knows", ({"a": [1.5, None]},), link=add.s(1), link_error=told.s("x"), **kept)
chain(add.s(1, 2).set(**kept), add.s(3)).apply_async()
chord([add.s(1, 2).set(**kept), add.s(3, 4).set(**kept)], total.s()).apply_async()
add.apply_async((b"bytes", {1, 2}), serializer="pickle", compression="zlib", **kept)
# By the worker: retry, link, errback, chain, chord, chord that failed.
sent = [retries_elsewhere.apply_async(("r",), task_id=fixed(1))]
sent += [add.apply_async((1, 2), task_id=fixed(2), link=add.s(10).set(**kept))]
sent += [refuse.apply_async((1,), task_id=fixed(3), link_error=late)]
sent += [add.apply_async((3, 4), task_id=fixed(4), chain=[add.s(3).set(countdown=3600, **kept)])]
chord([add.s(1, 1), add.s(1, 2)], total.s().set(link=add.s(4), **kept)).apply_async()
chord([refuse.s(4), add.s(1, 3)], total.s().on_error(late)).apply_async()
"""
COUNT = 7 + 6
KOMBU: Any = kombu
"""It has no types."""
VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|gen\d+@|00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]"
    r"|202\d-\d\d-\d\dT[\d:.]+(?:\+00:00|Z)?"
)
"""Ids, the process, the trace, the time."""


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_every_message_is_the_same_with_and_without_us(broker: str, redis: RedisServer, tmp_path: Path) -> None:
    rabbit = started(RabbitServer) if broker == "rabbitmq" else None
    try:
        servers = {"BROKER": redis.url() if rabbit is None else rabbit.url(), "BACKEND": redis.url(1)}
        seen = [kept(tmp_path / exporter, exporter, servers) for exporter in ("none", "timetracer")]
    finally:
        if rabbit is not None:
            rabbit.stop()
    assert len(seen[0]) == COUNT
    assert seen[1] == seen[0]


def kept(folder: Path, exporter: str, servers: dict[str, str]) -> list[str]:
    """The messages of a queue that nobody works on."""
    folder.mkdir()
    payments = Payments.at(folder, **servers)
    found: list[str] = []
    with (
        payments.worker("-c", "1", OTEL_TRACES_EXPORTER=exporter),
        KOMBU.Connection(servers["BROKER"]) as connection,
        connection.channel() as channel,
    ):
        payments.client(SEND, is_traced=True, OTEL_TRACES_EXPORTER=exporter)
        queue = KOMBU.Queue("kept", channel=channel)

        def is_there() -> bool:
            while (message := queue.get(no_ack=True)) is not None:
                found.append(normal(message, folder))
            return len(found) >= COUNT

        until(is_there, f"{COUNT} messages")
    return sorted(found)


def normal(message: Any, folder: Path) -> str:
    parts = [message.content_type, message.content_encoding, message.headers, message.properties]
    where = {name: message.delivery_info.get(name) for name in ("exchange", "routing_key", "priority")}
    body = message.body if isinstance(message.body, bytes) else message.body.encode()
    text = json.dumps([*parts, where, body.decode("latin-1")], default=str)
    return VARYING.sub("*", text.replace(str(folder), "*"))
