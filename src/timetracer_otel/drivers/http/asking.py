"""A request under replay: the question that it is, and the recorded exchange that answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import AnswerSource, ReplayHost
from timetracer_otel.drivers.http.calls import Origin
from timetracer_otel.drivers.http.questions import connect_question, question
from timetracer_otel.drivers.http.requests import body_of, connect_request, pairs

Miss: TypeAlias = Callable[[str], BaseException]
"""The client's own exception that says so."""
UNREAD: Final = "the recorded application did not read on here"


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded response, or the error that came instead of it."""

    exchange: Exchange
    source: AnswerSource

    @property
    def error(self) -> Value:
        return self.exchange.result.get("error")

    @property
    def has_head(self) -> bool:
        return isinstance(self.exchange.result.get("status"), int)

    @property
    def is_given_up(self) -> bool:
        """Nothing had come when the recorded application stopped waiting."""
        return not (self.has_head or self.reads or self.error)

    @property
    def status(self) -> int:
        status = self.exchange.result.get("status")
        return status if isinstance(status, int) else 0

    @property
    def version(self) -> bytes:
        return body_of(self.exchange.result.get("version", "HTTP/1.1"))

    @property
    def reason(self) -> bytes | None:
        reason = self.exchange.result.get("reason")
        return None if reason is None else body_of(reason)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return pairs(self.exchange.result.get("headers"))

    @property
    def pieces(self) -> list[bytes]:
        body = self.exchange.result.get("body")
        return [body_of(each) for each in body] if isinstance(body, (list, tuple)) else [body_of(body)]

    @property
    def reads(self) -> list[bytes]:
        """Of a response that did not come apart."""
        reads = self.exchange.result.get("reads")
        return [body_of(each) for each in reads] if isinstance(reads, (list, tuple)) else []

    @property
    def chunks(self) -> Sequence[int] | None:
        chunks = self.exchange.result.get("chunks")
        return [each for each in chunks if isinstance(each, int)] if isinstance(chunks, (list, tuple)) else None

    @property
    def ended(self) -> str:
        """`complete`, `server`, `client` or `error`."""
        return str(self.exchange.result.get("ended", "error"))

    def refuse(self) -> str:
        """More is wanted than was read: whether that is right cannot be told. What the application is told."""
        reason = f"exchange {self.exchange.id}: {self.exchange.signature.url}: {UNREAD}"
        self.source.undecided(reason)
        return f"timetracer: {reason}"


def answer(host: ReplayHost, request: Payload, miss: Miss) -> Answer:
    """For a request that was sent. Raises what `miss` makes of a request that nobody recorded."""
    source, asked = host.current()
    wanted = question(request)
    found = source.take(wanted, asked)
    if found is None and "unsent" not in request:  # the server may have answered, or gone, before it had the body
        found = source.take(question({**request, "unsent": True}), asked)
    if found is None:  # nobody knew yet that this connection is one that was not made
        found = source.take(connect_question(request), asked)
    if found is None:
        raise miss(source.miss(wanted, asked))
    return Answer(found, source)


def failure(host: ReplayHost, client: str, origin: Origin) -> Answer | None:
    """A connection is about to be made: one that was not made then, if its turn has come."""
    source, asked = host.current()
    found = source.due(connect_question(connect_request(client, origin)), asked)
    return Answer(found, source) if found is not None else None
