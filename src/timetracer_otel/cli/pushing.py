"""`timetracer-otel push`"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import backends, settings
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.cli.output import json_text
from timetracer_otel.diagnosis import size_text
from timetracer_otel.errors import UsageError
from timetracer_otel.store import write_atomically

ENDINGS: Final = (".jsonl", ".pb")
"""Of the files that are written."""


def print_push(
    store: str | None, wanted: Sequence[str], to: str, payloads: str | None, viewer: str | None, as_json: bool
) -> int:
    """Raises TimetracerError: what was sent before stays there, and may be sent again."""
    backends.check_extra("push")
    file = None if "://" in to else _file(to, viewer, as_json)
    from timetracer_otel.exporters.otlp.masking import masked

    rules = backends.rules()
    # All are opened before the first is sent: a name that was mistyped sends nothing.
    cassettes = [settings.open_named(store, name) for name in wanted]
    ready = (in_readable_form(masked(each, rules)) for each in cassettes)
    if file is not None:
        return _save(list(ready), file, payloads)
    from timetracer_otel.exporters.otlp.transfer import checked_url

    url, base = checked_url(to, "--to"), checked_url(viewer, "--ui") if viewer is not None else None
    lines = [_push(each, url, payloads, base, as_json) for each in ready]
    if as_json:
        print(json_text(lines))
    return 0


def _push(cassette: Cassette, url: str, payloads: str | None, viewer: str | None, as_json: bool) -> dict[str, object]:
    from timetracer_otel.exporters.otlp.push import push

    with _progress(cassette.trace_id) as on_sent:
        pushed = push(cassette, url, backends.connection(), backends.put_into(payloads), on_sent)
    page = None if viewer is None else f"{viewer}/trace/{pushed.trace_id}"
    if not as_json:
        requests = "1 request" if pushed.requests == 1 else f"{pushed.requests} requests"
        sent = f"{pushed.spans} spans in {requests}, {size_text(pushed.size)}"
        print(safe(f"{pushed.trace_id}: {sent}{'' if page is None else f', {page}'}"))
    return {**asdict(pushed), "url": page}


def _file(to: str, viewer: str | None, as_json: bool) -> Path:
    """Raises UsageError, also for an address without its `http://`: it would become a file of that name."""
    path = settings.file_to_write("--to", to)
    if path.suffix not in ENDINGS:
        problem = f"{to!r} is neither a URL nor a file that ends in {' or '.join(ENDINGS)}"
        raise UsageError("--to", problem, "write one such as http://127.0.0.1:4318, or trace.jsonl")
    if path.exists() and not path.is_file():
        raise UsageError("--to", f"{to!r} is no file", "name another")
    if viewer is not None or as_json:
        raise UsageError("--ui, --json", "they are for the summary of what a backend got", f"leave them out with {to}")
    return path


def _save(cassettes: Sequence[Cassette], path: Path, payloads: str | None) -> int:
    """As the Collector's file exporter would: a line of OTLP JSON for each request, or protobuf for a `.pb`."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    from timetracer_otel.exporters.otlp import otlp_json
    from timetracer_otel.exporters.otlp.bridge import spans_of
    from timetracer_otel.exporters.otlp.packing import packages

    put = backends.put_into(payloads)
    messages = [package.message() for each in cassettes for package in packages(spans_of(each, put))]
    if path.suffix == ".pb":
        data = TracesData(resource_spans=[one for each in messages for one in each.resource_spans]).SerializeToString()
    else:
        data = b"".join(otlp_json.dumps(each) + b"\n" for each in messages)
    write_atomically(path, data, durable=True)
    print(safe(str(path)))
    return 0


@contextmanager
def _progress(trace_id: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere: stdout belongs to the summary."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"push {trace_id[:8]}", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
