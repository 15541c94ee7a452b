"""A request under replay: the question that it is, and the recorded exchange that answers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import AnswerSource, Asked, ReplayHost
from timetracer_otel.drivers.http.calls import Origin
from timetracer_otel.drivers.http.names import LIBRARY
from timetracer_otel.drivers.http.questions import SENT, connect_question, question
from timetracer_otel.drivers.http.requests import begun, body_of, connect_request, pairs

Miss: TypeAlias = Callable[[str], BaseException]
"""The client's own exception that says so."""
UNREAD: Final = "the recorded application did not read on here"
SPARE_S: Final = 5.0
"""Beyond the time that the recorded request took."""


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

    @property
    def patience_s(self) -> float:
        """How long more of the body is waited for, where the recorded application waited until it was cancelled: it
        is cancelled once more, by a client that leaves or a timeout, or goes another way now."""
        given_up = self.ended == "client" and self.exchange.result.get("given_up") is True
        return self.exchange.duration_ns / 1e9 + SPARE_S if given_up else 0

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
    if found is None and "unsent" not in request:
        found = _broken_off(source, request, asked)
    if found is None:  # nobody knew yet that this connection is one that was not made
        found = source.take(connect_question(request), asked)
    if found is None:
        raise miss(source.miss(wanted, asked))
    return Answer(found, source)


def _broken_off(source: AnswerSource, request: Payload, asked: Asked) -> Exchange | None:
    """One whose body was not sent to its end, and is the beginning of this one: its server answered, or went, early."""
    known = source.known(LIBRARY, question({**request, "unsent": None}).shape)
    recorded = (each.request.get("unsent") for each in known)
    for unsent in {str(each): each for each in recorded if isinstance(each, dict)}.values():
        size = unsent.get("size")
        digest = begun(request, size) if isinstance(size, int) else None
        if digest is None or digest != unsent.get("sha256"):
            continue
        found = source.take(question({**request, "unsent": unsent}), asked)
        if found is not None:
            return found
    return None


def give_up(host: ReplayHost, request: Payload) -> None:
    """The application stops before it has sent all, or before it has read anything: as it did then."""
    source, asked = host.current()
    source.take(question(request), asked)


def marks(host: ReplayHost) -> Callable[[], Collection[int]]:
    """Where recorded bodies broke off, for who asks."""

    def asked() -> Collection[int]:
        source, _ = host.current()
        slots = (slot for each in source.questions(LIBRARY) for slot in each.slots if slot.path == SENT)
        sizes = (slot.key[1] for slot in slots if isinstance(slot.key, tuple))
        return {size for size in sizes if isinstance(size, int)}

    return asked


def failure(host: ReplayHost, client: str, origin: Origin) -> Answer | None:
    """A connection is about to be made: one that was not made then, if its turn has come."""
    source, asked = host.current()
    found = source.due(connect_question(connect_request(client, origin)), asked)
    return Answer(found, source) if found is not None else None
