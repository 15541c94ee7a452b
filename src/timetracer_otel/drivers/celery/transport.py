"""The broker of a replay: a transport of kombu that every URL leads to. Serialising, routing and pools are real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kombu.exceptions import KombuError, OperationalError
from kombu.transport import virtual

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question, ReplayHost
from timetracer_otel.drivers.celery import chords, publishing
from timetracer_otel.drivers.celery.codec import encode_publish
from timetracer_otel.drivers.celery.heard import HeardPublish
from timetracer_otel.drivers.celery.names import LIB, PUBLISH
from timetracer_otel.drivers.celery.questions import as_recorded, question

EVENTS = "celeryev"
CONTROL = (".pidbox", ".reply.")
CONTROL_REASON = "a remote control command was sent to workers, which is not recorded"


class UnrecordedPublish(KombuError):
    """A message without a recorded counterpart. No OperationalError: Celery and applications try those again."""


class Broker:
    """Answers each message from the cassette."""

    def __init__(self, host: ReplayHost) -> None:
        self._host = host

    def publish(self, exchange: str, routing_key: str) -> None:
        """Raises UnrecordedPublish, or OperationalError as it was recorded."""
        if _is_news(exchange):  # Celery tells of a task that was sent while it is still sending it
            return
        source, asked = self._host.current()
        sending = publishing.current()
        if sending is not None and sending.heard is not None:
            self._answer(source, asked, sending.heard)
        elif any(word in exchange for word in CONTROL):
            if not chords.are_revoked():
                source.undecided(CONTROL_REASON)
        else:
            unknown = Question(LIB, "publish", exchange, (PUBLISH, exchange), f"publish to {exchange or routing_key}")
            raise UnrecordedPublish(source.miss(unknown, asked, "messages of kombu itself are not recorded"))

    def _answer(self, source: AnswerSource, asked: Asked, heard: HeardPublish) -> None:
        encoded = encode_publish(heard)
        shape = question(encoded.type, encoded.method, encoded.url, {}).shape
        requests = as_recorded(encoded.request, source.known(LIB, shape))
        questions = [question(encoded.type, encoded.method, encoded.url, request) for request in requests]
        taken = (source.take(wanted, asked) for wanted in questions)
        found = next((each for each in taken if each is not None), None)
        if found is None:
            raise UnrecordedPublish(source.miss(questions[0], asked))
        if (message := _refusal(found)) is not None:
            raise OperationalError(message)


def _is_news(exchange: str) -> bool:
    """For monitors: whether anybody listens changes nothing."""
    from celery import current_app

    return exchange in (EVENTS, current_app.conf.event_exchange)


def _refusal(exchange: Exchange) -> str | None:
    """What the broker said when it refused the message."""
    exception = exchange.result.get("exception")
    return str(exception.get("message", "")) if isinstance(exception, Mapping) else None


def transport_of(broker: Broker) -> type[virtual.Transport]:
    """The transport class by which kombu reaches `broker`."""

    class Channel(virtual.Channel):
        do_restore = False

        def basic_publish(self, message: Any, exchange: str, routing_key: str, **options: Any) -> None:
            broker.publish(exchange or "", routing_key or "")

        def exchange_declare(self, *args: Any, **kwargs: Any) -> None: ...
        def queue_bind(self, *args: Any, **kwargs: Any) -> None: ...
        def _has_queue(self, queue: str, **kwargs: Any) -> bool:
            return True

        def _new_queue(self, queue: str, **kwargs: Any) -> None: ...
        def _put(self, queue: str, message: Any, **kwargs: Any) -> None: ...
        def _size(self, queue: str) -> int:
            return 0

        def close(self) -> None:
            self.closed = True

    class Transport(virtual.Transport):
        driver_type = driver_name = "timetracer"

        def driver_version(self) -> str:
            return "1"

    Transport.Channel = Channel
    return Transport
