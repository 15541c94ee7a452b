"""A connection that a pool makes in replay, while it is made ready: the recorded pool made one then too, or the process
had before its entry, or its pool had one to give and asked nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from timetracer_otel.wire.postgres.answers import Answer

if TYPE_CHECKING:
    from timetracer_otel.drivers.base import Asked, Question
    from timetracer_otel.drivers.postgres.answers import Claim


class Readying:
    """Of one connection."""

    def __init__(self) -> None:
        self._begin: Question | None = None
        """The BEGIN of the pool: a recorded one answers it when something recorded comes after it in its
        transaction."""
        self.has_joined = False
        """That has come while the connection was made ready."""

    def follow(self, claim: Claim, asked: Asked, is_idle: bool) -> None:
        """Before each statement. A pool may leave its transaction to the work, which began one of its own where the
        recorded pool made no connection."""
        if is_idle:
            self._begin, self.has_joined = None, False
        elif not claim.is_making:
            self.join(claim, asked)

    def answer(self, claim: Claim, wanted: Question, asked: Asked, is_begin: bool) -> Answer | None:
        """What was recorded of a pool that made a connection ready, in the segment or before it."""
        exchange = claim.source.take_ready(wanted, _anywhere(asked))
        if exchange is None:
            self._begin = wanted if is_begin else self._begin
            exchange = None if claim.early is None else claim.early.take(wanted, _anywhere(asked))
        elif not is_begin:
            self.join(claim, asked)
        return None if exchange is None else Answer(exchange.request, exchange.result)

    def join(self, claim: Claim, asked: Asked) -> None:
        """Something of the segment stands in the transaction that the pool began: it began there as well."""
        begin, self._begin, self.has_joined = self._begin, None, True
        if begin is not None:
            claim.source.take(begin, _anywhere(asked))


def _anywhere(asked: Asked) -> Asked:
    """Not on a connection: which one a pool made ready then, its number does not say."""
    return replace(asked, connection=None)
