"""What came of replays as Markdown, for a comment on a pull request.

Whatever comes from a cassette or the app stands in code, where GitHub makes neither a link nor a mention of it; the
text is `safe` and in fences that are longer than any in it.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from timetracer_otel.cassette import values
from timetracer_otel.cassette.escaping import safe, shown
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.replay.summary import Result, Summary, counted, found_in
from timetracer_otel.replay.text import render

LENGTH_MAX: Final = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
REPORT_MAX: Final = 12_000
CODE_MAX: Final = 200
FINDINGS_MAX: Final = 5
MARKS: Final = {"same": "✅", "deviates": "❌", "failed": "💥", "inconclusive": "❔"}
BACKTICKS: Final = re.compile("`+")


def render_markdown(summary: Summary) -> str:
    """What is not the same first, each with its report folded away. Ends with a newline."""
    blocks = [f"### {MARKS[summary.worst]} Replay: {counted(summary.counts)}\n"]
    found = found_in(summary.results)
    for number, result in enumerate(found):
        block = _block(result)
        if sum(map(len, blocks)) + len(block) > LENGTH_MAX:
            blocks.append(f"and {len(found) - number} more\n")
            break
        blocks.append(block)
    blocks += [f"Left out, without a request to make again: {summary.left_out}\n"] if summary.left_out else []
    blocks += [f"Interrupted, not replayed: {summary.not_run}\n"] if summary.not_run else []
    return "\n".join(blocks)


def _block(result: Result) -> str:
    if result.report is None:
        problem = result.problem.removeprefix(f"{result.name}: ")
        return f"- {MARKS['failed']} {code(result.name)}: {code(problem)}\n"
    head = f"- {MARKS[result.ending]} {code(result.name)} {code(result.report.entry)}: {result.ending}"
    findings = itertools.islice(_findings(result.report), FINDINGS_MAX)
    return "\n".join([head, *(f"  - {each}" for each in findings), "", _folded(result.report), ""])


def _findings(report: Report) -> Iterator[str]:
    """What does not follow from something else, misses first."""
    yield from (_miss(each) for each in report.misses if not each.consequent)
    yield from (f"outcome: {_difference(each, 'replayed')}" for each in report.differences if not each["consequent"])
    yield from (f"recorded but not made: {code(each['text'])}" for each in report.unused if not each["consequent"])
    yield from (f"in another transaction or part of it: {code(each['text'])}" for each in report.moved)
    yield from (f"inconclusive: {code(each)}" for each in report.reasons)


def _miss(miss: Miss) -> str:
    told = [f"no recorded answer for {code(miss.request['text'])}"]
    told += [f"asked by {code(miss.frame)}"] if miss.frame else []
    told += [_difference(each, "asked") for each in miss.differences[:1]]
    return ", ".join([*told, *([code(miss.note)] if miss.note else [])])


def _difference(each: Mapping[str, Any], now: str) -> str:
    return f"{code(each['path'])}: recorded {_value(each['recorded'])}, {now} {_value(each[now])}"


def _value(encoded: Any) -> str:
    return code(shown(values.decode(encoded)))


def _folded(report: Report) -> str:
    text = render(report)
    cut = f"{text[:REPORT_MAX]}\n… ({len(text)} characters; --json has all)\n" if len(text) > REPORT_MAX else text
    fence = "`" * max(3, _longest(cut) + 1)
    title = html.escape(safe(f"{report.name} {report.entry}"[:CODE_MAX]))
    return f"<details><summary><code>{title}</code></summary>\n\n{fence}text\n{cut}{fence}\n\n</details>"


def code(text: str) -> str:
    """A code span that shows the text, in one line, whatever is in it."""
    line = safe(" ".join(text.split()))
    line = f"{line[:CODE_MAX]}…" if len(line) > CODE_MAX else line or " "
    fence = "`" * (_longest(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def _longest(text: str) -> int:
    return max((len(each) for each in BACKTICKS.findall(text)), default=0)
