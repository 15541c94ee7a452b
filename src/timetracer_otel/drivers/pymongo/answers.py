"""The stub's answers: from the session for which the driver asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question
from timetracer_otel.drivers.pymongo.forms import replies_of
from timetracer_otel.drivers.pymongo.housework import BY_ITSELF, NEVER_MISSED
from timetracer_otel.drivers.pymongo.names import LIBRARY, SENSITIVE
from timetracer_otel.drivers.pymongo.object_ids import ObjectIds
from timetracer_otel.drivers.pymongo.questions import question, question_of
from timetracer_otel.drivers.pymongo.transactions import Transactions
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.backend import Answer, refusal
from timetracer_otel.wire.mongo.messages import Message

SUCCESS: Final = bson.encode({"ok": 1.0})
_transactions: Final = Transactions()


@dataclass(frozen=True, slots=True)
class Claim:
    """For whom a command is sent."""

    source: AnswerSource
    asked: Asked
    ids: ObjectIds | None = None


class PymongoAnswers:
    """Implements `wire.mongo.backend.Answers` for one connection."""

    def __init__(self, hello: Callable[[], Mapping[str, Any]], claim: Callable[[int], Claim], process: bytes) -> None:
        """`claim` gives the claim of a request id; `process` marks the ObjectIds that this process makes."""
        self._hello, self._claim, self._process = hello, claim, process

    def hello(self) -> Mapping[str, Any]:
        return self._hello()

    def answer(self, name: str, message: Message) -> Answer:
        claim = self._claim(message.request_id)
        database = message.database or _database(message.document)
        marks = {self._process, *(claim.ids.marks if claim.ids is not None else ())}
        wanted = question(message.document, database, marks)
        if claim.ids is not None:
            claim.ids.met(message.document)
            wanted = claim.ids.as_known(wanted)
        path = (*claim.asked.span_path, f"{database}.{name}")
        asked = replace(claim.asked, span_path=path, transaction=_transactions.of_document(message.document))
        if name.lower() in SENSITIVE:
            claim.source.undecided(f"{name} is never recorded, since it holds a password: it was answered with success")
            return Answer([SUCCESS])
        if name in BY_ITSELF:
            return Answer([_known(claim.source, wanted)])
        exchange = claim.source.take(wanted, asked)
        if exchange is not None:
            return _recorded(exchange, wanted, claim)
        if name in NEVER_MISSED:
            return Answer([SUCCESS])
        return Answer([refusal(claim.source.miss(wanted, asked))])


def _database(command: bytes) -> str:
    found = next((part for part in bson.elements(command) if part.name == b"$db" and part.kind == bson.STRING), None)
    return "" if found is None else bson.string_of(found.value).decode("utf-8", "replace")


def _recorded(exchange: Exchange, wanted: Question, claim: Claim) -> Answer:
    try:
        replies = replies_of(exchange.result)
    except DamagedCassette as error:
        claim.source.undecided(str(error))
        return Answer([refusal(str(error))])
    if claim.ids is not None:
        if any(slot.made for slot in wanted.slots):
            claim.ids.bind(question_of(exchange), wanted)
        replies = [claim.ids.renamed(each) for each in replies]
    is_lost = not replies and "lost" in exchange.result
    return Answer(replies or [SUCCESS], is_lost)


def _known(source: AnswerSource, wanted: Question) -> bytes:
    """What was recorded of the same, if it was; who asks for it hardly ever looks."""
    keys = [slot.key for slot in wanted.slots]
    for exchange in source.known(LIBRARY, wanted.shape):
        if [slot.key for slot in question_of(exchange).slots] == keys and (found := replies_of(exchange.result)):
            return found[0]
    return SUCCESS
