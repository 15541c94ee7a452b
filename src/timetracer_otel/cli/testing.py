"""`timetracer-otel test`: a regression test of a recorded request or task, which passes as it is written."""

from __future__ import annotations

import keyword
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from timetracer_otel.cassette import Cassette, Segment, start_ns
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import replaying, settings
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.drivers import registry
from timetracer_otel.errors import ReplayError, UsageError
from timetracer_otel.regression import replayed
from timetracer_otel.replay.library import entry_of, heads, question_of, requests_of
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.supplying import FUNCTION, Supply
from timetracer_otel.replay.text import render
from timetracer_otel.store import Store, bundle_name, dump_bundle, save_bundle, write_atomically, write_bundle

FOLDER: Final = "cassettes"
REQUESTS_MAX: Final = 30
TEXT_MAX: Final = 100
SHOWN: Final = ("status", "state", "return_value")
VALUE_MAX: Final = 200
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")


def print_test(
    store: str | None,
    wanted: str,
    output: str,
    app: str | None,
    timeout: str | None,
    secrets: Sequence[str],
    is_forced: bool,
) -> int:
    """Writes the test and its cassette, prints their paths. Where the replay deviates, nothing is written: the exit
    code is that of the report, which goes to stderr. Raises TimetracerError, OSError."""
    target = _target(output)
    cassette, segment = replaying.chosen(store, wanted)
    name, supplied = _app(app, segment), settings.secrets(secrets)
    called = _called(supplied, segment)
    bundle = target.parent / FOLDER / bundle_name(cassette)
    readable = in_readable_form(cassette)
    _check(target, bundle, readable, is_forced)
    report = _tried(readable, segment, name, settings.timeout_s(timeout), supplied)
    if report.verdict != "same":
        print(render(report), end="", file=sys.stderr)
        return report.exit_code
    bundle.parent.mkdir(exist_ok=True)
    write_bundle(readable, bundle)
    text = source(cassette, segment, name, bundle.name, report, called)
    write_atomically(target, text.encode(), durable=True)
    print(safe(str(target)))
    print(safe(str(bundle)))
    return 0


def _target(output: str) -> Path:
    target = settings.file_to_write("--output", output)
    if target.is_dir() or target.suffix != ".py":
        raise UsageError("--output", f"{output!r} is no Python file", "name one, such as tests/test_orders.py")
    return target


def _app(option: str | None, segment: Segment) -> str:
    if entry_of(segment) is None:
        advice = "mark a test of your own with @pytest.mark.timetracer(cassette=...)"
        raise ReplayError(segment.name, "it has no recorded request or task that could run again", advice)
    if option is not None:
        return settings.not_empty("--app", option)
    recorded = segment.entry.app if segment.entry is not None else None
    if not (name := settings.project().app or recorded):
        raise ReplayError(
            segment.name, "the recording does not say which app answered", "name it: --app module:attribute"
        )
    return name


def _called(secrets: Mapping[str, str], segment: Segment) -> Mapping[str, str]:
    """Of the secrets those that the request has. Raises UsageError for a value, which would stand in the test."""
    entry = entry_of(segment)
    if entry is None:
        return {}
    called = Supply(secrets, registry.entry(entry.signature.lib).supplied, entry).named
    for name, source in called.items():
        if FUNCTION.fullmatch(source) is None:
            raise UsageError(
                f"--secret {name}", "a value would stand in the test", "name a function: module:function()"
            )
    return called


def _check(target: Path, bundle: Path, cassette: Cassette, is_forced: bool) -> None:
    if is_forced:
        return
    if target.exists():
        raise UsageError("--output", f"{str(target)!r} is there already", "name another file, or --force")
    if bundle.exists() and bundle.read_bytes() != dump_bundle(cassette):
        raise UsageError("--output", f"{str(bundle)!r} is there already and differs", "move it away, or --force")


def _tried(cassette: Cassette, segment: Segment, app: str, timeout_s: float, secrets: Mapping[str, str]) -> Report:
    """As the test will do it: from a bundle."""
    with tempfile.TemporaryDirectory(prefix="timetracer-") as folder:
        path = save_bundle(cassette, Path(folder))
        opened, _ = Store(folder).open_cassette(str(path))
        same = next(each for each in opened.segments if each.id == segment.id)
        return replayed(opened, same, app, timeout_s, secrets)


# ---- the text --------------------------------------------------------------------------------------------------------


def source(
    cassette: Cassette, segment: Segment, app: str, bundle: str, report: Report, secrets: Mapping[str, str]
) -> str:
    """The test. What comes from the cassette stands in comments and literals: it cannot become code."""
    named = f", segment={_literal(segment.name)}" if len(heads(cassette)) > 1 else ""
    if secrets:
        pairs = (f"{_literal(name)}: {_literal(value)}" for name, value in secrets.items())
        named += f", secrets={{{', '.join(pairs)}}}"
    return "\n".join(_lines(segment, app, named, bundle, report)) + "\n"


def _lines(segment: Segment, app: str, named: str, bundle: str, report: Report) -> Iterator[str]:
    yield '"""What was recorded comes out again, without its servers. Written by `timetracer-otel test`."""'
    yield ""
    yield "from pathlib import Path"
    yield ""
    yield "from timetracer_otel import assert_same"
    yield ""
    yield f'CASSETTE = Path(__file__).parent / "{FOLDER}" / {_literal(bundle)}'
    yield ""
    yield ""
    yield f"def {function_name(segment)}() -> None:"
    yield from (f"    # {line}" for line in _comments(segment))
    yield f"    outcome = assert_same(CASSETTE, app={_literal(app)}{named})"
    yield from (f"    {line}" for line in _asserts(report))


def function_name(segment: Segment) -> str:
    """`test_get_orders_id_500_keyerror`"""
    entry = segment.entry
    words = f"{entry.name} {entry.outcome.partition(':')[0]}" if entry is not None else segment.name
    name = f"test_{_UNSAFE.sub('_', words.lower()).strip('_')[:80]}".rstrip("_")
    return f"{name}_" if keyword.iskeyword(name) else name


def _comments(segment: Segment) -> Iterator[str]:
    began = datetime.fromtimestamp(start_ns(segment) // 10**9, timezone.utc)
    entry = segment.entry
    if entry is not None:
        yield _shortened(f"{entry.name}: {entry.outcome}")
    yield f"Recorded {began:%Y-%m-%d %H:%M:%S} UTC. Answered from the cassette:"
    asked = sorted(requests_of(segment.exchanges), key=lambda each: each.at_ns)
    for exchange in asked[:REQUESTS_MAX]:
        yield _shortened(f"  {exchange.signature.lib}: {question_of(exchange).text}")
    if len(asked) > REQUESTS_MAX:
        yield f"  and {len(asked) - REQUESTS_MAX} more"
    if not asked:
        yield "  nothing"


def _shortened(text: str) -> str:
    line = safe(" ".join(text.split()) if not text.startswith("  ") else f"  {' '.join(text.split())}")
    return line if len(line) <= TEXT_MAX else f"{line[: TEXT_MAX - 3]}..."


def _asserts(report: Report) -> Iterator[str]:
    outcome: dict[str, Any] = dict(report.replayed)
    for name in SHOWN:
        if name in outcome and len(repr(outcome[name])) <= VALUE_MAX:
            yield f"assert outcome[{_literal(name)}] {_equals(outcome[name])}"
    exception = outcome.get("exception")
    if isinstance(exception, dict):
        yield f'assert outcome["exception"]["type"] == {_literal(exception.get("type"))}'


def _equals(value: object) -> str:
    return f"is {value}" if value is None or isinstance(value, bool) else f"== {_literal(value)}"


def _literal(value: object) -> str:
    """Python's, with the quotes that formatters like."""
    written = repr(value)
    is_plain = isinstance(value, str) and written.startswith("'") and '"' not in written
    return f'"{written[1:-1]}"' if is_plain else written
