"""One API call under replay: the question that it is, and the recorded attempts that answer its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.base import AnswerSource, Asked, Question, ReplayHost
from timetracer_otel.drivers.botocore.exceptions import UnreadBodyError, UnrecordedCallError
from timetracer_otel.drivers.botocore.names import GIVEN_UP
from timetracer_otel.drivers.botocore.parameters import snapshot
from timetracer_otel.drivers.botocore.questions import question
from timetracer_otel.drivers.botocore.requests import request
from timetracer_otel.drivers.botocore.responses import Answer, answer_of, error_of
from timetracer_otel.drivers.botocore.uploads import Upload


class Asking:
    """Begins with the call; the first attempt asks, since only then the body is known."""

    def __init__(self, host: ReplayHost, service: str, operation: str, region: str, params: Mapping[str, Any]) -> None:
        self._host, self._params = host, snapshot(params)
        self._service, self._operation, self._region = service, operation, region
        self._source: AnswerSource | None = None
        self._exchange: Exchange | None = None
        self._attempts: Sequence[Mapping[str, Any]] = ()
        self._made = 0

    def answer(self, upload: Upload | None) -> Answer | None:
        """The response to the next attempt; None where the recorded application was cancelled before it came.

        Raises UnrecordedCallError, or what the recorded attempt ended with.
        """
        exchange = self._exchange or self._ask(upload)
        index, self._made = self._made, self._made + 1
        if index >= len(self._attempts):
            source, asked = self._host.current()
            note = f"recorded with {len(self._attempts)} attempts, this is number {index + 1}"
            raise UnrecordedCallError(reason=source.miss(self._question(upload), asked, note))
        answer = answer_of(self._attempts[index])
        if answer is None and not self._attempts[index].get(GIVEN_UP):
            raise error_of(self._attempts[index], exchange.id)
        return answer

    def end(self) -> None:
        """The call is over. One that gave up earlier than it did then has gone another way."""
        if self._source is not None and self._exchange is not None and self._made < len(self._attempts):
            made = f"{self._made} of {len(self._attempts)} recorded attempts were made"
            self._source.undecided(f"exchange {self._exchange.id}: {self._service}.{self._operation}: {made}")

    def refuse(self) -> BaseException:
        """More is wanted of a body than was recorded: whether that is right cannot be told."""
        return UnreadBodyError(reason=f"timetracer: {self._undecided('did not read on here')}")

    def unanswered(self) -> BaseException:
        """What was given up then was asked by who cannot be cancelled."""
        return UnrecordedCallError(reason=f"timetracer: {self._undecided('was cancelled before an answer came')}")

    def _undecided(self, what: str) -> str:
        name = self._exchange.id if self._exchange is not None else ""
        reason = f"exchange {name}: {self._service}.{self._operation}: the recorded application {what}"
        if self._source is not None:
            self._source.undecided(reason)
        return reason

    def _ask(self, upload: Upload | None) -> Exchange:
        self._source, asked = self._host.current()
        exchange = self._take(self._source, asked, upload)
        self._exchange, attempts = exchange, exchange.result.get("attempts")
        if isinstance(attempts, (list, tuple)):
            self._attempts = [each for each in attempts if isinstance(each, Mapping)]
        return exchange

    def _take(self, source: AnswerSource, asked: Asked, upload: Upload | None) -> Exchange:
        wanted = self._question(upload)
        found = source.take(wanted, asked)
        if found is None and upload is not None:  # the service may have answered before it had the body
            found = source.take(self._question(upload, is_unsent=True), asked)
        if found is None:
            raise UnrecordedCallError(reason=source.miss(wanted, asked))
        return found

    def _question(self, upload: Upload | None, is_unsent: bool = False) -> Question:
        about: Payload = request(self._service, self._operation, self._region, self._params, upload)
        return question({**about, "unsent": True} if is_unsent else about)
