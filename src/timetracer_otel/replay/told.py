"""Which secrets the application had from answers: in replay it holds their markers, and no real value. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question
from timetracer_otel.drivers.markers import digits_in
from timetracer_otel.redaction.markers import MARKER


def told_first(recorded: Iterable[tuple[Exchange, Question]], elsewhere: Iterable[Exchange]) -> frozenset[str]:
    """Digits of the markers that an answer told before any request had them. `elsewhere`: recorded at another time.

    What a request had first may be the application's own, and only come back in the answer: a real value may be it.
    """
    had = {digit for exchange in elsewhere for digit in digits_in(exchange.request)}
    told: set[str] = set()
    events = [event for exchange, question in recorded for event in _events(exchange, question)]
    for _, is_answer, digits in sorted(events, key=lambda event: event[:2]):  # of two at once the request counts first
        if is_answer:
            told |= digits - had
        else:
            had |= digits - told
    return frozenset(told)


def _events(exchange: Exchange, question: Question) -> Iterator[tuple[int, bool, frozenset[str]]]:
    """A request may be packed: its question is not."""
    texts = (slot.text for slot in question.slots if slot.text)
    unpacked = frozenset(match[2] for text in texts for match in MARKER.finditer(text))
    yield exchange.at_ns, False, digits_in(exchange.request) | unpacked
    yield exchange.at_ns + exchange.duration_ns, True, digits_in(exchange.result)
