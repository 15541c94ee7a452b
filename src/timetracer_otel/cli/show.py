"""`timetracer-otel show`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from timetracer_otel.cassette import (
    NOT_SAMPLED,
    Acquire,
    Cassette,
    Exchange,
    Process,
    Segment,
    Value,
    as_json,
    partly_sampled,
    service_of,
    start_ns,
)
from timetracer_otel.cassette.escaping import safe, shown, words
from timetracer_otel.cassette.values import encode
from timetracer_otel.cli import settings
from timetracer_otel.cli.describe import describe, description
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.cli.output import json_text, one_line, print_table, safe_lines
from timetracer_otel.cli.transactions import Transaction, transactions
from timetracer_otel.drivers.base import Table
from timetracer_otel.errors import UsageError
from timetracer_otel.replay.uncovered import in_words, uncovered

HEADINGS: Final = ("exchange", "at ms", "ms", "tx", "call", "request", "values", "outcome")
TRANSACTION: Final = ("tx", "at ms", "ms", "connection", "requests", "end", "savepoints")
POOLS: Final = ("pool", "at ms", "waited ms", "size", "idle", "waiting", "connection", "error")
ROWS_MAX: Final = 1_000
"""Rows of one result that are printed; `--json` has all."""


def print_text(store: str | None, wanted: str, exchange: str | None) -> int:
    whole, chosen = _open(store, wanted)
    cassette = in_readable_form(chosen)
    if exchange is not None:
        _print_exchange(_chosen(cassette, exchange))
        return 0
    _print_head(cassette)
    partly = partly_sampled(whole)
    for segment in cassette.segments:
        _print_segment(segment, (segment.id, segment.process.id) in partly)
    return 0


def print_json(store: str | None, wanted: str, exchange: str | None) -> int:
    print(json_text(_document(in_readable_form(_open(store, wanted)[1]), exchange)))
    return 0


def print_raw(store: str | None, wanted: str, exchange: str | None) -> int:
    print(json_text(_document(_open(store, wanted)[1], exchange)))
    return 0


def _open(store: str | None, wanted: str) -> tuple[Cassette, Cassette]:
    """The trace; and again the trace, or of it the one segment that was named."""
    cassette, segment_id = settings.open_cassette(store, wanted)
    if segment_id is None:
        return cassette, cassette
    return cassette, replace(cassette, segments=tuple(each for each in cassette.segments if each.id == segment_id))


def _chosen(cassette: Cassette, wanted: str) -> Exchange:
    """The exchange of that id, or whose id ends in `-<wanted>`. Raises UsageError."""
    exchanges = [each for segment in cassette.segments for each in segment.exchanges]
    found = [each for each in exchanges if wanted in (each.id, each.id.rpartition("-")[2])]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(each.id for each in found or exchanges)
    problem = f"{wanted!r} fits {len(found)} exchanges" if found else f"there is no exchange {wanted!r}"
    raise UsageError("--exchange", problem, f"name one of {ids}" if ids else "this trace has none")


def _document(cassette: Cassette, exchange: str | None) -> Any:
    document = as_json(cassette)
    if exchange is None:
        return document
    wanted = _chosen(cassette, exchange).id
    documents = (each for segment in document["segments"] for each in segment["exchanges"])
    return next(each for each in documents if each["id"] == wanted)


# ---- text ------------------------------------------------------------------------------------------------------------


def _print_head(cassette: Cassette) -> None:
    _print_fields({"trace": cassette.trace_id, "path": cassette.path, "service": service_of(cassette) or ""})


def _print_segment(segment: Segment, is_partly_sampled: bool) -> None:
    print()
    labels = ["incomplete"] * (not segment.complete) + [NOT_SAMPLED] * is_partly_sampled
    _print_fields({"segment": "   ".join([segment.name, ", ".join(labels)]).rstrip(), **_segment_fields(segment)})
    _print_uncovered(segment)
    print()
    if segment.exchanges:
        _print_exchanges(segment)
    if segment.pools:
        print()
        print_table(POOLS, [_pool_row(each) for each in segment.pools])
    for exchange in segment.exchanges:
        _print_traceback(exchange)


def _segment_fields(segment: Segment) -> Mapping[str, str]:
    entry, root = segment.entry, segment.root
    dropped = ", ".join(f"{reason}: {count}" for reason, count in segment.dropped.items())
    return {
        "entry": f"{entry.name}   {entry.outcome}" if entry else "",
        "app": (entry.app or "") if entry else "",
        "started": _started(segment),
        "took": f"{(root.end_ns - root.start_ns) / 1e6:.1f} ms" if root else "",
        "process": _process(segment.process),
        "dropped": dropped,
    }


def _print_uncovered(segment: Segment) -> None:
    """Before a replay refuses them (R51)."""
    for call in uncovered(segment):
        _print_fields({"unanswered": f"{in_words(call)}; not recorded, a replay refuses it"})


def _process(process: Process) -> str:
    where = f"{process.pid} on {process.host}" if process.host else str(process.pid)
    python = f", Python {process.python}" if process.python else ""
    folder = f", in {process.cwd}" if process.cwd else ""
    return f"{where}{python}{folder}: {' '.join(process.argv)}"


def _print_exchanges(segment: Segment) -> None:
    known = transactions(segment)
    rows = [_row(each, known.places.get(each.id, "")) for each in segment.exchanges]
    at = HEADINGS.index("tx")
    headings = HEADINGS if known.found else _without(HEADINGS, at)
    print_table(
        headings, rows if known.found else [_without(row, at) for row in rows], ("request", "values", "outcome")
    )
    if known.found:
        print()
        print_table(TRANSACTION, [_transaction_row(each) for each in known.found], ("end", "savepoints"))


def _without(row: Sequence[str], at: int) -> Sequence[str]:
    return (*row[:at], *row[at + 1 :])


def _row(exchange: Exchange, transaction: str) -> Sequence[str]:
    about = describe(exchange)
    times = _times(exchange.at_ns, exchange.duration_ns)
    return (safe(exchange.id), *times, transaction, about.call, about.text, about.values, about.outcome)


def _transaction_row(transaction: Transaction) -> Sequence[str]:
    connection, times = transaction.exchanges[0].connection, _times(transaction.at_ns, transaction.duration_ns)
    savepoints = ", ".join(f"{one_line(each.name)} {each.fate}" for each in transaction.savepoints)
    return (
        str(transaction.number),
        *times,
        "" if connection is None else str(connection),
        str(len(transaction.exchanges)),
        transaction.end,
        savepoints,
    )


def _pool_row(acquire: Acquire) -> Sequence[str]:
    return (
        one_line(f"{acquire.driver} {acquire.pool}"),
        *_times(acquire.at_ns, acquire.wait_ns),
        f"{acquire.size}/{acquire.max_size}",
        str(acquire.idle),
        str(acquire.waiting),
        "" if acquire.connection is None else str(acquire.connection),
        one_line(acquire.error or ""),
    )


def _times(at_ns: int, duration_ns: int) -> tuple[str, str]:
    return f"{at_ns / 1e6:.1f}", f"{duration_ns / 1e6:.1f}"


def _print_traceback(exchange: Exchange) -> None:
    if (text := description(exchange).traceback) is not None:
        print("\nraised")
        print("\n".join(f"  {line}" for line in safe_lines(text.rstrip("\n"))))


def _print_exchange(exchange: Exchange) -> None:
    line, about = describe(exchange), description(exchange)
    _print_fields({"exchange": exchange.id, "target": exchange.target or ""})
    _print_fields({"call": line.call, "at": f"{exchange.at_ns / 1e6:.1f} ms, took {exchange.duration_ns / 1e6:.1f} ms"})
    _print_fields({"outcome": line.outcome, "redacted": ", ".join(exchange.redacted)})
    if about.results is None:
        print(f"\nrequest\n{json_text(encode(exchange.request))}\n\nresult\n{json_text(encode(exchange.result))}")
        _print_traceback(exchange)
        return
    print("\n" + "\n".join(safe_lines(about.text.strip("\n"))))
    for number, value in enumerate(about.values, start=1):
        print(f"  ${number} = {safe(shown(value))}")
    for result in about.results:
        print()
        _print_result(result)


def _print_result(result: Table | str) -> None:
    if isinstance(result, str):
        print(safe(result))
        return
    headings = [safe(name) for name in result.columns]
    print_table(headings, [[_cell(value) for value in row] for row in result.rows[:ROWS_MAX]], elastic=headings)
    if len(result.rows) > ROWS_MAX:
        print(f"... {len(result.rows) - ROWS_MAX} more rows; --json has all")


def _cell(value: Value) -> str:
    return "NULL" if value is None else safe(words(value))


def _started(segment: Segment) -> str:
    from datetime import datetime, timezone

    if not segment.spans:
        return ""
    return datetime.fromtimestamp(start_ns(segment) / 1e9, timezone.utc).isoformat(sep=" ", timespec="milliseconds")


def _print_fields(fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if value:
            print(f"{name:<9} {safe(value)}")
