"""The report for people: plain text, misses first.

Whatever comes from a cassette or the app is printed with its control characters escaped: a hostile value cannot drive
the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from timetracer_otel.capture.process import SET
from timetracer_otel.cassette import values
from timetracer_otel.cassette.escaping import safe, shown
from timetracer_otel.replay.changes import in_words
from timetracer_otel.replay.report import Miss, Report

TEXT_MAX: Final = 1_000
VALUE_MAX: Final = 200
LISTED_MAX: Final = 50
ORDER: Final = "the same values in another order"
MOVED: Final = "asked in another transaction than was recorded, or on the other side of a savepoint"
TO_DO: Final = "replay the recorded request, or record this one"
TO_DO_NEW: Final = f"{TO_DO}; what the process had asked before and kept, ask when it starts"
TO_DO_KEPT: Final = "an earlier request of the process asked this too; if it kept the answer: --earlier {}"
TO_DO_USED_UP: Final = "make the call as often as it was recorded, or record again"
TO_DO_ORDER: Final = "sort them before the call; if a set gives the order, record and replay with PYTHONHASHSEED=0"
TO_DO_REFUSED: Final = "stub the call where TIMETRACER_MODE is replay, or let it through"
TO_DO_CUT: Final = "raise the limit that cut it (`timetracer-otel doctor` shows them), and record again"
TO_DO_NOT_KEPT: Final = "record again; answers of this kind may be beyond this release, see the README"
TO_DO_NO_ROOM: Final = "make room for the store (`timetracer-otel prune`), and record again"
TO_DO_LOST: Final = "record again: the recording lost it, and the log of the application says why"
TO_DO_UNREDACTABLE: Final = (
    "record again with a smaller body: text that is too large to be scrubbed of secrets is not kept"
)
TO_DO_BY_REASON: Final = {
    **dict.fromkeys(("limit", "trace", "in_flight", "environment"), TO_DO_CUT),
    **dict.fromkeys(("store", "store_max", "free_min"), TO_DO_NO_ROOM),
    **dict.fromkeys(("spill", "open", "encode", "interrupted"), TO_DO_LOST),
    "unredactable": TO_DO_UNREDACTABLE,
}
"""By the reason for which a payload is missing."""


def render(report: Report) -> str:
    """The whole report, one block for each thing to look at, the verdict at the end. Ends with a newline."""
    blocks = [
        [f"uncontrolled: {safe(line)}" for line in report.uncontrolled],
        *_misses(report.misses),
        _differences(report),
        _listed("recorded but not made", [_unused(each) for each in report.unused]),
        _listed(MOVED, [f"{_request(each)}   exchange {safe(each['exchange'])}" for each in report.moved]),
        _listed("ambiguous, answered in recorded order", [_request(each) for each in report.ambiguous]),
        _listed("made anew in the replay, taken for the recorded value", [_mapping(each) for each in report.mappings]),
        _listed("answers that hold redacted values", [_redacted(each) for each in report.redacted]),
        _listed("not compared", [f"{safe(each['path'])}: {safe(each['reason'])}" for each in report.ignored]),
        _changed(report),
        _traceback(report),
        [*(f"inconclusive: {safe(reason)}" for reason in report.reasons)],
        [ran_in(report.folder)] if report.folder else [],
        [verdict_line(report)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _misses(misses: Sequence[Miss]) -> Iterator[list[str]]:
    """One that a library tries again and again stands there once."""
    repeats = Counter(_repeated(miss) for miss in misses if miss.consequent)
    first: dict[str, Miss] = {}
    for miss in misses:
        first.setdefault(_repeated(miss) if miss.consequent else f"{len(first)}", miss)
    for key, miss in list(first.items())[:LISTED_MAX]:
        times = repeats[key]
        yield [*_miss(miss), *([f"  again     {times} times in all, from the same line"] if times > 1 else [])]
    if len(first) > LISTED_MAX:
        yield [f"and {len(first) - LISTED_MAX} more misses"]


def _repeated(miss: Miss) -> str:
    """Equal where one line of the application asks the same again."""
    return repr((miss.request, miss.frame, miss.span))


def _miss(miss: Miss) -> list[str]:
    shown = _request(miss.request)
    lines = [f"no recorded answer for  {shown}{'   (follows from an earlier miss)' if miss.consequent else ''}"]
    lines.append(
        f"  asked by  {safe(miss.frame) or 'no frame of the application'}      span {safe(miss.span) or '(none)'}"
    )
    lines.append(f"  nearest   {_nearest(miss)}")
    if miss.note:
        lines.append(f"  note      {safe(miss.note)}")
    if miss.is_reordered:
        lines.append(f"  note      {ORDER}")
    lines.append(f"  to do     {_to_do(miss)}")
    return lines


def _nearest(miss: Miss) -> str:
    if miss.nearest is None:
        return "nothing like it was recorded"
    parts = [f"exchange {safe(miss.nearest['exchange'])}, {'already used' if miss.nearest['used'] else 'not used yet'}"]
    if any(each["path"] == "statement" for each in miss.differences):
        parts.append(safe(miss.nearest["text"]))
    return "; ".join([*parts, *(_difference(each, "asked") for each in miss.differences)])


def _to_do(miss: Miss) -> str:
    if miss.is_cut:
        return TO_DO_BY_REASON.get(miss.note.rpartition(": ")[2], TO_DO_NOT_KEPT)
    if miss.is_reordered:
        return TO_DO_ORDER
    if miss.is_refused and miss.request["method"] != "run":
        return TO_DO_REFUSED if miss.request["lib"] == "socket" else f"{TO_DO_REFUSED}: --live {miss.request['lib']}"
    if miss.earlier:
        return TO_DO_KEPT.format(safe(miss.earlier))
    if miss.nearest is None:
        return TO_DO_NEW
    return TO_DO_USED_UP if any(each["path"] == "calls" for each in miss.differences) else TO_DO


def _differences(report: Report) -> list[str]:
    if not report.differences:
        return []
    follows = " (follows from the miss)" if all(each.get("consequent") for each in report.differences) else ""
    return [f"outcome differs{follows}", *(_outcome(each) for each in report.differences)]


def _outcome(each: Mapping[str, Any]) -> str:
    return f"  {_difference(each, 'replayed')}{f' ({ORDER})' if each.get('order_only') else ''}"


def _difference(each: Mapping[str, Any], now: str) -> str:
    return f"{safe(each['path'])}: recorded {_value(each['recorded'])}, {now} {_value(each[now])}"


def _changed(report: Report) -> list[str]:
    """Variables that are only gone stand in one line: a laptop lacks most of those of a server."""
    gone = [each for each in report.changed if each["recorded"] == SET and each["replayed"] is None]
    lines = [safe(in_words(each)) for each in report.changed if each not in gone]
    if gone:
        lines.append(f"set then, absent now: {safe(', '.join(each['name'].partition('.')[2] for each in gone))}")
    return _listed("changed since the recording", lines)


def _traceback(report: Report) -> list[str]:
    """What the replayed app raised: what one came to see."""
    if not report.traceback:
        return []
    return ["raised in replay", *(f"  {safe(line)}" for line in report.traceback.splitlines())]


def _unused(each: Mapping[str, Any]) -> str:
    follows = " (follows from the miss)" if each["consequent"] else ""
    return f"{_request(each)}   exchange {safe(each['exchange'])}{follows}"


def _mapping(each: Mapping[str, Any]) -> str:
    return f"{safe(each['kind'])}: recorded {_value(each['recorded'])}, replayed {_value(each['replayed'])}"


def _redacted(each: Mapping[str, Any]) -> str:
    return f"exchange {safe(each['exchange'])}: {safe(each['path'])}"


def _request(request: Mapping[str, Any]) -> str:
    shown = ", ".join(_value(each) for each in request["values"][:LISTED_MAX])
    comma = "," if len(request["values"]) == 1 else ""
    return f"{safe(' '.join(request['text'].split()))[:TEXT_MAX]}{f'   ({shown}{comma})' if shown else ''}"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  and {len(lines) - LISTED_MAX} more"] if len(lines) > LISTED_MAX else []
    return [title, *(f"  {line}" for line in lines[:LISTED_MAX]), *more]


def ran_in(folder: str) -> str:
    return f"ran the code of {safe(folder)}, where it was recorded, not of the current folder: --app runs what is here"


def verdict_line(report: Report) -> str:
    """`deviates  7f3a0000/52fd0000  GET /orders/{id}: 1 miss`"""
    counts = [
        _count(sum(not miss.consequent for miss in report.misses), "miss", "misses"),
        _count(len(report.differences), "difference of the outcome", "differences of the outcome"),
        _count(len(report.unused), "recorded request not made", "recorded requests not made"),
        _count(len(report.moved), "request in another transaction", "requests in another transaction"),
    ]
    found = ", ".join(filter(None, counts))
    return f"{report.verdict}  {safe(report.name)}  {safe(report.entry)}{f': {found}' if found else ''}".rstrip()


def _count(number: int, one: str, many: str) -> str:
    return "" if number == 0 else f"{number} {one if number == 1 else many}"


def _value(encoded: Any) -> str:
    text = shown(values.decode(encoded))
    return safe(text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}… ({len(text)} characters)")
