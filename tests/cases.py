"""The real-world cases R01 to R52, each with the tests that show it, as `scripts/cases` prints them.

A test shows a case if its name has the number: `test_r24_...`, `test_r05_r07_...`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
TITLES: Final = {
    "R01": "Every command, whole, also the odd-shaped ones",
    "R02": "Cursors over many batches",
    "R03": "Replica-set, SRV and TLS addresses in replay",
    "R04": "Prepared statements, directly and through SQLAlchemy",
    "R05": "Cursors with many rows",
    "R06": "Pool and session housekeeping is not the app's work",
    "R07": "COPY in both directions, notices and notifications",
    "R08": "Pools and async connections",
    "R09": "Every kind of cursor and every kind of query object",
    "R10": "Streaming bodies stay the app's",
    "R11": "Work in other threads belongs to the request",
    "R12": "Recording changes nothing that is sent",
    "R13": "No credentials, no region, no metadata service in replay",
    "R14": "Workers that are recycled after a few tasks",
    "R15": "Retries of one task id",
    "R16": "Tasks without an incoming trace, and eager tasks",
    "R17": "Arguments as the worker saw them",
    "R18": "Canvas, send_task and calls to other apps",
    "R19": "Work after the response",
    "R20": "The recorder only listens",
    "R21": "Bytes that are not UTF-8",
    "R22": "Repeated and oddly cased headers, cookies, redirects",
    "R23": "Started without a distro, or with a missing piece",
    "R24": "Servers that spawn workers",
    "R25": "Fork after import",
    "R26": "Our failure is never the app's failure",
    "R27": "Span limits set by operations",
    "R28": "Not sampled, suppressed, switched off",
    "R29": "When is a trace complete?",
    "R30": "Several writers",
    "R31": "Cassettes from strangers, names from tests",
    "R32": "Same call, different answers, and one call too many",
    "R33": "A miss that the app swallows",
    "R34": "Parallel calls in another order",
    "R35": "Ids made by the client",
    "R36": "Trace context inside statements and messages",
    "R37": "What counts as a different response",
    "R38": "Equal meaning, different bytes",
    "R39": "Request bodies that can be read once",
    "R40": "Payloads without end",
    "R41": "PostgreSQL values",
    "R42": "MongoDB values",
    "R43": "AWS values and service names",
    "R44": "Compressed and chunked bodies",
    "R45": "Freezing the clock must not stop the loop",
    "R46": "Both directions, any case",
    "R47": "Redaction that survives real bodies",
    "R48": "Payloads only where they were asked for",
    "R49": "Typos and contradictions are refused",
    "R50": "No network means none, and loopback still works",
    "R51": "Calls no recorder covers",
    "R52": "One test does not disturb the next",
}

_NUMBERS: Final = re.compile(r"(?<=_)r[0-9]{2}(?=_)")


def shown_by(folder: Path = TESTS) -> dict[str, list[str]]:
    """Of each case, known or not, the tests as pytest names them: path from above `folder`, `::`, name; sorted."""
    found: dict[str, list[str]] = {number: [] for number in TITLES}
    for path in sorted(folder.rglob("test_*.py")):
        for name in _tests(path):
            for number in _NUMBERS.findall(name):
                found.setdefault(number.upper(), []).append(f"{path.relative_to(folder.parent)}::{name}")
    return {number: sorted(set(tests)) for number, tests in found.items()}


def main() -> int:
    """Prints them all; 1 if a case has no test, or a test names no case."""
    found = shown_by()
    for number, tests in found.items():
        print(f"{number} {TITLES.get(number, 'there is no such case')}", *(f"    {test}" for test in tests), sep="\n")
    missing = [number for number in found if not found[number] or number not in TITLES]
    print(f"{len(TITLES)} cases; not shown: {', '.join(missing) or 'none'}")
    return 1 if missing else 0


def _tests(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            yield node.name


if __name__ == "__main__":
    sys.exit(main())
