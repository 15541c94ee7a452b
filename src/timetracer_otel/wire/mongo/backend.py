"""The server's side of one connection: client bytes in, server bytes out, answers from `Answers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from timetracer_otel.errors import WireError
from timetracer_otel.wire.mongo import bson
from timetracer_otel.wire.mongo.messages import MORE_TO_COME, Message, MessageReader, reply

GREETINGS: Final = frozenset({"hello", "ismaster", "isMaster"})
MISMATCH: Final = 29812
"""Code of an answer that says that nothing is recorded: no driver retries it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`documents`: one, or all the batches of an exhaust cursor."""

    documents: Sequence[bytes]
    is_lost: bool = False
    """The recorded connection broke here; this one does, too."""


class Answers(Protocol):
    def hello(self) -> Mapping[str, Any]:
        """What the server says of itself."""

    def answer(self, name: str, message: Message) -> Answer:
        """To one command of this name."""


class MongoBackend:
    """Implements `drivers.base.ServerCore`."""

    def __init__(self, answers: Answers) -> None:
        self._answers, self._reader, self._is_closing = answers, MessageReader(), False

    @property
    def is_closing(self) -> bool:
        """True when the connection is to be closed after what `receive` returned was sent."""
        return self._is_closing

    def receive(self, data: bytes) -> bytes:
        """What the server sends after `data`. Raises WireError on bytes that are not the protocol."""
        said: list[bytes] = []
        for message in self._reader.receive(data):
            if self._is_closing:
                break
            said += self._said(message)
        return b"".join(said)

    def _said(self, message: Message) -> Sequence[bytes]:
        name = command_name(message.document)
        # A client's monitor says hello on its own clock; taking an exchange for it would tie the replay to timing.
        if name in GREETINGS:
            return [reply(message, bson.encode(self._answers.hello()))]
        answer = self._answers.answer(name, message)
        self._is_closing = answer.is_lost
        if message.wants_no_reply or answer.is_lost:
            return ()
        last = len(answer.documents) - 1
        return [
            reply(message, document, MORE_TO_COME if number < last else 0)
            for number, document in enumerate(answer.documents)
        ]


def command_name(document: bytes) -> str:
    """The name of its first element. Raises WireError."""
    first = next(bson.elements(document), None)
    if first is None:
        raise WireError("MongoDB message: an empty command")
    return first.text


def refusal(text: str) -> bytes:
    """The document that says that nothing is recorded."""
    return bson.encode({"ok": 0.0, "errmsg": text, "code": MISMATCH, "codeName": "TimetracerReplayMismatch"})
