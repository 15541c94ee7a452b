"""The recorded answer against the replayed one, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from typing import Any, Final, cast

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.asgi.bodies import Deviation, compare_bodies
from timetracer_otel.drivers.asgi.content import Content, boundary, content_of
from timetracer_otel.drivers.asgi.delivery import PATIENCE_S
from timetracer_otel.drivers.asgi.masking import redact_result
from timetracer_otel.drivers.asgi.noise import REDACTED, Allowance, excuse, excuse_header
from timetracer_otel.drivers.asgi.websocket.compare import compare_conversations
from timetracer_otel.drivers.base import Comparison, Difference, Ignored
from timetracer_otel.drivers.markers import digits_in
from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.markers import MARKER_BYTES

INTERNAL_ERROR: Final = 500
CUT: Final = "the client had gone: compared as far as it was sent"
NOT_KEPT: Final = "not kept, so it cannot be compared"
CHUNKS_MAX: Final = 100
"""Differing chunks that are told."""
FOLLOWS_BODY: Final = "follows from the body"


def compare(recorded: Exchange, replayed: Exchange) -> Comparison:
    """What differs, and what differs but is ignored, by name and reason.

    Both are redacted first, with one key: secrets compare by value where both have them, else by rule and place.
    `recorded` has the request that was sent.
    """
    if (lost := _lost(recorded)) is not None:
        return Comparison(ignored=(Ignored("result", f"{NOT_KEPT} ({lost})"),))
    if (lost := _lost(replayed)) is not None:
        return Comparison((Difference("result", "an answer", f"none ({lost})"),))
    window_s = max(recorded.duration_ns, replayed.duration_ns) / 1e9
    sent = _digits(recorded.request)
    allowance = Allowance(window_s, sent, sent | _digits(replayed.request))
    redactor = Redactor()
    was, _ = redact_result(recorded.result, redactor)
    now, masked = redact_result(replayed.result, redactor)
    found = [
        *_status(was, now),
        *headers_and_body(was, now, allowance),
        *compare_conversations(was, now, allowance),
        *_exception(was, now, allowance),
    ]
    deviations = [_unexcused(each, (*replayed.redacted, *masked)) for each in found]
    return Comparison(
        tuple(Difference(each.path, each.recorded, each.replayed) for each in deviations if each.excuse is None),
        tuple(Ignored(each.path, each.excuse) for each in deviations if each.excuse is not None),
        tuple(_chunks(was, now)),
    )


def _unexcused(deviation: Deviation, masked: Sequence[str]) -> Deviation:
    """A marker that was not made in this replay came out of a recorded answer: it is another secret, and we know it."""
    is_fresh = any(path.startswith(f"result.{_part(deviation.path)}") for path in masked)
    return deviation if is_fresh or deviation.excuse != REDACTED else replace(deviation, excuse=None)


def _part(path: str) -> str:
    """The header, or all of the body or the exception: redaction names places in a body in words of its own."""
    return path if path.startswith("headers.") else path.partition(".")[0].partition("[")[0]


def _lost(exchange: Exchange) -> str | None:
    """Why there is no answer to compare; None if there is one."""
    if exchange.result:
        return None
    return str((exchange.dropped or {}).get("reason", "the recording ends before the answer"))


def _digits(request: Payload) -> frozenset[str]:
    """Of its markers."""
    chunks = [chunk for _, chunk in cast("Sequence[Sequence[Any]]", request.get("body", ()))]
    body = b"".join(chunks) if all(isinstance(chunk, bytes) for chunk in chunks) else b""
    return digits_in([headers_of(request), body, request.get("query_string"), request.get("raw_path")])


def status_of(result: Payload) -> int | None:
    """As the client saw it: above the tap an exception becomes a 500, if nothing had been sent."""
    status = cast("int | None", result.get("status"))
    if status is None and isinstance(result.get("exception"), dict) and not _is_cancelled(result):
        return INTERNAL_ERROR
    return status


def body_of(result: Payload) -> bytes:
    return b"".join(chunk for _, chunk in cast("Sequence[Sequence[Any]]", result.get("body", ())))


def headers_of(result: Payload) -> Sequence[Sequence[bytes]]:
    return cast("Sequence[Sequence[bytes]]", result.get("headers", ()))


def _is_cancelled(result: Payload) -> bool:
    exception = result.get("exception")
    return isinstance(exception, dict) and bool(exception.get("cancelled"))


def _is_cut(result: Payload) -> bool:
    """The client, or the server in its place, ended the answer: how far the app came is a matter of timing.

    A middleware may have ended it once more, for nobody.
    """
    if result.get("ended", False):
        return bool(result.get("left_before_end"))
    return _is_cancelled(result) or result.get("disconnected_ns") is not None


def _left_in_vain(recorded: Payload, replayed: Payload) -> bool:
    """True where the client waited for what it had heard when it left, and got no more of it."""
    then, now = _last_pause_s(recorded), _last_pause_s(replayed)
    return now is not None and now >= (then or 0) + PATIENCE_S


def _last_pause_s(result: Payload) -> float | None:
    """Between what was heard last and the moment at which the client left."""
    left_ns = cast("int | None", result.get("disconnected_ns"))
    if left_ns is None:
        return None
    times = [at for at, _ in cast("Sequence[Sequence[Any]]", result.get("body", ())) if at <= left_ns]
    return (left_ns - max(times, default=0)) / 1e9


def _status(recorded: Payload, replayed: Payload) -> Iterator[Deviation]:
    was, now = status_of(recorded), status_of(replayed)
    if was != now:
        yield Deviation("status", was, now, CUT if was is None and _is_cut(recorded) else None)


# ---- headers ---------------------------------------------------------------------------------------------------------


def headers_and_body(recorded: Payload, replayed: Payload, allowance: Allowance) -> Iterator[Deviation]:
    """Of two responses, or of two requests."""
    if recorded.get("status") is None and _is_cut(recorded):
        return
    was, now = body_of(recorded), body_of(replayed)
    is_same_body = was == now
    for deviation in _headers(headers_of(recorded), headers_of(replayed), allowance):
        if deviation.path in ("headers.content-length", "headers.etag") and not is_same_body:
            yield Deviation(deviation.path, deviation.recorded, deviation.replayed, FOLLOWS_BODY)
        else:
            yield deviation
    yield from _body(recorded, replayed, (was, now), allowance)
    yield from _trailers(recorded, replayed, allowance)
    yield from _end(recorded, replayed)


def _end(recorded: Payload, replayed: Payload) -> Iterator[Deviation]:
    """An answer that breaks off has the same bytes as one that is whole, and no client takes it for that."""
    was, now = recorded.get("ended"), replayed.get("ended")
    is_excused = _is_cut(recorded) or _is_cut(replayed) or "exception" in replayed or "exception" in recorded
    if None not in (was, now) and was != now and not is_excused:
        yield Deviation("body.ended", was, now)


def _headers(
    recorded: Sequence[Sequence[bytes]], replayed: Sequence[Sequence[bytes]], allowance: Allowance
) -> Iterator[Deviation]:
    """Values of one name in their order; names in any order and case, as HTTP has it."""
    was, now = _by_name(recorded), _by_name(replayed)
    for name in dict.fromkeys([*was, *now]):
        pairs = list(zip_longest(was.get(name, ()), now.get(name, ())))
        for index, (old, new) in enumerate(pairs):
            if old != new:
                reason = excuse_header(name, old, new, allowance) if old is not None and new is not None else None
                yield Deviation(f"headers.{name}[{index}]" if len(pairs) > 1 else f"headers.{name}", old, new, reason)


def _trailers(recorded: Payload, replayed: Payload, allowance: Allowance) -> Iterator[Deviation]:
    was, now = (cast("Sequence[Sequence[bytes]]", each.get("trailers", ())) for each in (recorded, replayed))
    if not _is_cut(recorded):
        for each in _headers(was, now, allowance):
            yield replace(each, path=each.path.replace("headers.", "trailers.", 1))


def _by_name(headers: Sequence[Sequence[bytes]]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return named


# ---- body and exception ----------------------------------------------------------------------------------------------


def _body(recorded: Payload, replayed: Payload, bodies: tuple[bytes, bytes], allowance: Allowance) -> list[Deviation]:
    if lost := recorded.get("body_dropped"):
        return [Deviation("body", recorded.get("body_size"), replayed.get("body_size"), f"{NOT_KEPT} ({lost!s})")]
    if lost := replayed.get("body_dropped"):
        size = replayed.get("body_size")
        return [Deviation("body", f"{len(bodies[0])} bytes", f"{size} bytes, not kept ({lost!s})")]
    was, now = (content_of(headers_of(one), body) for one, body in zip((recorded, replayed), bodies, strict=True))
    now = _by_recorded_boundary(now, boundary(headers_of(recorded)), boundary(headers_of(replayed)))
    is_shorter = was.data.startswith(now.data) and (_is_cut(replayed) or not replayed.get("ended", False))
    is_shorter = is_shorter and not _left_in_vain(recorded, replayed)
    if _is_cut(recorded) and (is_shorter or now.data.startswith(was.data)):
        return [Deviation("body", len(was.data), len(now.data), CUT)] if was.data != now.data else []
    return compare_bodies(was, now, allowance)


def _by_recorded_boundary(content: Content, was: bytes, now: bytes) -> Content:
    """Ranges of a file stand between boundaries that are drawn for each answer: the header tells of a difference."""
    return replace(content, data=content.data.replace(b"--" + now, b"--" + was)) if was and now else content


def _chunks(recorded: Payload, replayed: Payload) -> Iterator[Difference]:
    """Chunk by chunk; nothing where not every border was kept, the client had gone, or secrets were masked."""
    if any(_is_cut(each) or "body_chunks" in each or "body_dropped" in each for each in (recorded, replayed)):
        return
    pairs = zip_longest(_chunks_of(recorded), _chunks_of(replayed))
    differing = ((number, was, now) for number, (was, now) in enumerate(pairs) if was != now)
    for number, was, now in islice(differing, CHUNKS_MAX):
        if not any(MARKER_BYTES.search(each or b"") for each in (was, now)):
            yield Difference(f"body.chunk[{number}]", was, now)


def _chunks_of(result: Payload) -> list[bytes]:
    return [chunk for _, chunk in cast("Sequence[Sequence[Any]]", result.get("body", ()))]


def _exception(recorded: Payload, replayed: Payload, allowance: Allowance) -> Iterator[Deviation]:
    was, now = recorded.get("exception"), replayed.get("exception")
    if was == now:
        return
    if _is_cancelled(recorded):
        yield Deviation("exception", _field(was, "type"), _field(now, "type"), CUT)
        return
    if _field(was, "type") != _field(now, "type"):
        yield Deviation("exception.type", _field(was, "type"), _field(now, "type"))
    old, new = _field(was, "message"), _field(now, "message")
    if old != new:
        yield Deviation("exception.message", old, new, excuse(old, new, allowance))


def _field(exception: Value, name: str) -> Value:
    return cast(Value, exception.get(name)) if isinstance(exception, dict) else None
