"""`timetracer-otel prune`"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import settings
from timetracer_otel.cli.output import json_text
from timetracer_otel.diagnosis import size_text
from timetracer_otel.errors import UsageError
from timetracer_otel.store.pruning import Pruned, prune


def print_prune(store_option: str | None, older: str, is_dry_run: bool, as_json: bool) -> int:
    """1 if something could not be deleted or read. Raises UsageError for a bad duration, and if there is no store."""
    older_s = settings.positive_s(older, "--older")
    store = settings.store(store_option)
    if not store.root.is_dir():
        problem = "it is a file, not a folder of cassettes" if store.root.exists() else "there is no such folder"
        raise UsageError(str(store.root), problem, "name a --store, or set TIMETRACER_STORE")
    pruned = prune(store.root, older_s, is_dry_run, _track)
    for problem in pruned.problems:
        print(safe(problem), file=sys.stderr)
    if as_json:
        print(json_text({"dry_run": is_dry_run, **asdict(pruned)}))
    else:
        print(safe(_summary(pruned, is_dry_run, older, store.root)))
    return 1 if pruned.problems else 0


def _summary(pruned: Pruned, is_dry_run: bool, older: str, root: Path) -> str:
    counts = [(len(pruned.traces), "trace"), (pruned.environments, "environment"), (pruned.blobs, "blob")]
    counts.append((pruned.temporary_files, "temporary file"))
    things = [f"{count} {name}{'s' * (count != 1)}" for count, name in counts if count] or ["nothing"]
    begin = "would delete" if is_dry_run else "deleted"
    return f"{begin} {', '.join(things)} older than {older} from {root}: {size_text(pruned.bytes)}"


def _track(paths: Sequence[Path], what: str) -> Iterable[Path]:
    """With a bar on a terminal."""
    if not sys.stderr.isatty():
        return paths
    from rich.console import Console
    from rich.progress import track

    return track(paths, what, console=Console(stderr=True), transient=True)
