"""The stub's answers, from the session for which the application asks. They are found on the client's side, in its
context, before the bytes leave: so they are taken in the order in which they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question, ReplayHost
from timetracer_otel.drivers.redis.connecting import again
from timetracer_otel.drivers.redis.exceptions import refusal
from timetracer_otel.drivers.redis.forms import partial_of, replies_of
from timetracer_otel.drivers.redis.handshake import greeted
from timetracer_otel.drivers.redis.housework import DISCOVERY, synthesised
from timetracer_otel.drivers.redis.messages import MESSAGE
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.questions import connect_question, question, question_of
from timetracer_otel.drivers.redis.servers import label, servers
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.wire.redis.backend import Answer
from timetracer_otel.wire.redis.frames import split
from timetracer_otel.wire.redis.topics import CONFIRMED, MONITOR, Topics
from timetracer_otel.wire.redis.versions import turned

CLOSED: Final = "closed"
VERSIONS: Final = (2, 3)
"""Of the protocol."""
PRIVATE: Final = (b"AUTH", b"HELLO")
LISTENING: Final = frozenset({*CONFIRMED, MONITOR})
"""Who listens keeps its connection, so that it tells whose messages are meant. Any other command takes one that a pool
hands out: where it went says nothing about which of equal ones it is."""


class Unsendable(Exception):
    """The recorded client could not send it, or got no connection: `error` is what it raised."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class RedisAnswers:
    """For one connection."""

    def __init__(self, host: ReplayHost, number: int, server: str, database: int, protocol: int) -> None:
        self._host, self._number = host, number
        self._database, self._protocol = database, protocol
        self._label = label(server, database)

    def answer(self, batch: Sequence[Sequence[bytes]], size: int) -> Answer:
        """To a batch of so many bytes. Raises Unsendable where the recorded client got no further than here."""
        if len(batch) == 1 and batch[0] and batch[0][0].upper() in PRIVATE:
            return Answer(size, greeted(batch[0], self._protocol))
        source, asked = self._host.current()
        if batch and batch[0] and batch[0][0].upper() in LISTENING:
            asked = replace(asked, connection=self._number)
        wanted = question(batch, self._label)
        exchange = self._first(source, wanted, lambda each: source.take(each, asked)) or _known(source, wanted, batch)
        if exchange is not None:
            return self._recorded(exchange, wanted, source, asked, batch, size)
        made_up = [synthesised(command) for command in batch]
        if all(each is not None for each in made_up):
            return Answer(size, b"".join(each for each in made_up if each is not None))
        return Answer(size, refusal(source.miss(wanted, asked)) * len(batch))

    def _first(
        self, source: AnswerSource, wanted: Question, taking: Callable[[Question], Exchange | None]
    ) -> Exchange | None:
        """What one of the servers gives that this one may stand for."""
        labels = servers(source).of(self._label, wanted)
        found = (taking(replace(wanted, database=each)) for each in labels)
        return next((each for each in found if each is not None), None)

    def _recorded(
        self,
        exchange: Exchange,
        wanted: Question,
        source: AnswerSource,
        asked: Asked,
        batch: Sequence[Sequence[bytes]],
        size: int,
    ) -> Answer:
        try:
            reply, lost = replies_of(exchange.result) + partial_of(exchange.result), exchange.result.get("lost")
        except DamagedCassette as error:
            source.undecided(str(error))
            return Answer(size, refusal(str(error)) * len(batch))
        if (met := again(exchange.result.get("error"))) is not None:
            raise Unsendable(met)
        recorded = exchange.request.get("protocol")
        if recorded in VERSIONS and recorded != self._protocol:
            turned_reply = _turned(batch, reply, self._protocol)
            if turned_reply is None:
                note = (
                    f"recorded over RESP{recorded}, asked over RESP{self._protocol}: connect with protocol={recorded}"
                )
                return Answer(size, refusal(source.miss(wanted, asked, note)) * len(batch))
            reply = turned_reply
        return Answer(size, reply, is_last=lost == CLOSED)

    def messages(self, topics: Topics) -> tuple[list[bytes], bool]:
        """What the server has sent by itself until now to a client that listens to these, and whether the connection
        broke after it."""
        source, asked = self._host.current()
        asked = replace(asked, connection=self._number)
        wanted = question(topics.listened(), self._label, MESSAGE)
        found: list[bytes] = []
        while (exchange := self._first(source, wanted, lambda each: source.due(each, asked))) is not None:
            found.append(replies_of(exchange.result))
            if exchange.result.get("lost") == CLOSED:
                return found, True
        return found, False

    def refuses(self, op: str) -> BaseException | None:
        """What the recorded client met when it connected here; None where it got through."""
        source, asked = self._host.current()
        exchange = source.due(connect_question(op, self._database), asked)
        return None if exchange is None else again(exchange.result.get("error"))


def _turned(batch: Sequence[Sequence[bytes]], reply: bytes, version: int) -> bytes | None:
    try:
        frames, rest = split(reply)
    except WireError:
        return None
    return None if rest else turned(batch, frames, version)


def _known(source: AnswerSource, wanted: Question, batch: Sequence[Sequence[bytes]]) -> Exchange | None:
    """Where keys live and who the primary is: the recorded answer once more."""
    if len(batch) != 1 or not batch[0] or batch[0][0].upper() not in DISCOVERY:
        return None
    keys = [slot.key for slot in wanted.slots]
    same = (
        each
        for each in source.known(LIBRARY, wanted.shape)
        if each.complete and not each.dropped and [slot.key for slot in question_of(each).slots] == keys
    )
    return next(same, None)
