"""`timetracer-otel replay --all`"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.cli import settings
from timetracer_otel.cli.letting import libraries
from timetracer_otel.cli.listing import Wanted
from timetracer_otel.cli.replaying import app_of, is_own
from timetracer_otel.cli.reports import Files, print_report
from timetracer_otel.errors import UsageError
from timetracer_otel.replay import many
from timetracer_otel.replay.ignoring import NONE, Wishes
from timetracer_otel.replay.runner import Options
from timetracer_otel.replay.summary_text import render_all
from timetracer_otel.store import Store, summary_of
from timetracer_otel.store.names import part_files, trace_folders

INTERRUPTED: Final = 130
ENDINGS: Final = (".cassette.json", ".cassette.json.zst")
"""Of the names of bundles."""
ENDING_US: Final = (signal.SIGTERM, signal.SIGHUP) if os.name == "posix" else (signal.SIGTERM,)


@dataclass(frozen=True, slots=True)
class All:
    """The options of `replay` that hold for each cassette."""

    store: str | None
    wanted: Wanted
    app: str | None
    timeout: str | None
    files: Files
    live: tuple[str, ...] = ()
    wishes: Wishes = NONE
    secrets: Mapping[str, str] = field(default_factory=dict)


def print_all(where: str | None, options: All) -> int:
    """The exit code of the worst; 130 after an interrupt. `where`: a folder, a file or a trace; the store if None.

    Raises UsageError where there is nothing to replay.
    """
    options.wanted.check()
    options.files.check()
    if options.app is not None:
        settings.not_empty("--app", options.app)
    timeout_s, store = settings.timeout_s(options.timeout), settings.store(options.store)
    store.adopt()
    batch = many.Batch(
        opening=store.open_cassette,
        choosing=partial(_is_wanted, options.wanted, time.time_ns()),
        placing=partial(_options, options, timeout_s, libraries(options.live)),
        jobs=many.cores(),
    )
    began_s = time.monotonic()
    paths = found(store, where)
    with _interrupted_by_signals(), _progress(len(paths)) as done:
        summary, was_interrupted = many.replay(paths, batch, done)
    options.files.save(summary, summary.to_json())
    if not options.files.takes_stdout:
        print_report(render_all(summary, time.monotonic() - began_s))
    return INTERRUPTED if was_interrupted else summary.exit_code


def _is_wanted(wanted: Wanted, now_ns: int, cassette: Cassette) -> bool:
    return bool(wanted.choose([summary_of(cassette)], now_ns))


def _options(all_: All, timeout_s: float, live: tuple[str, ...], cassette: Cassette, segment: Segment) -> Options:
    own = is_own(cassette.path)
    app = app_of(all_.app, segment, own)
    return Options(app, timeout_s, is_own=own, wishes=all_.wishes, live=live, secrets=all_.secrets)


# ---- which cassettes -------------------------------------------------------------------------------------------------


def found(store: Store, where: str | None) -> list[str]:
    """Paths of all cassettes of the store, or in a folder; what is no folder of cassettes is one itself.

    Raises UsageError for a folder that holds none.
    """
    root = store.root if where is None else Path(settings.not_empty("CASSETTE", where))
    if where is not None and (not root.is_dir() or part_files(root)):
        return [where]
    paths = [*(path for path in trace_folders(root) if part_files(path)), *sorted(_bundles(root))]
    if not paths:
        problem = "it holds no cassette" if root.is_dir() else "there is no such folder"
        raise UsageError(str(root), problem, f"name a folder of traces, or of files that end in {ENDINGS[0]}")
    return [str(path) for path in paths]


def _bundles(root: Path) -> Iterator[Path]:
    """At any depth; links are not followed."""
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names if name.endswith(ENDINGS))


# ---- meanwhile -------------------------------------------------------------------------------------------------------


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """What ends us ends the replays too, and what has come of them is still told."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING_US}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, where that is a terminal; what is called after each cassette."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("replaying", total=total)
        yield lambda: progress.advance(task)
