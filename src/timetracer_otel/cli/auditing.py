"""`timetracer-otel audit`"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from timetracer_otel.audit import Auditor, Damage, Finding, files_under
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import settings
from timetracer_otel.cli.output import json_text
from timetracer_otel.config import Settings
from timetracer_otel.errors import UsageError
from timetracer_otel.redaction import load_rules
from timetracer_otel.store.names import BLOBS, PROCESSES

FOUND, DAMAGED = 1, 2


def print_audit(store: str | None, wanted: Sequence[str], explain: bool, as_json: bool) -> int:
    """0 if there is nothing to mask, 1 if there is something, 2 if some file could not be searched to its end."""
    rules = load_rules(Settings.from_environment().redact)
    named, files = _files(store, wanted)
    with _progress(files) as on_bytes:
        auditor = Auditor(rules, on_bytes)
        found = [each for file in files for each in auditor.audit(file, file in named)]
    findings = [each for each in found if isinstance(each, Finding)]
    damaged = [each for each in found if isinstance(each, Damage)]
    if as_json:
        each = {"findings": [asdict(one) for one in findings], "damaged": [asdict(one) for one in damaged]}
        print(json_text({"files": len(files), **each}))
    else:
        _print(findings, damaged, len(files), explain)
    return FOUND if findings else DAMAGED if damaged else 0


def _files(store: str | None, wanted: Sequence[str]) -> tuple[set[Path], list[Path]]:
    """Those that must be cassettes because they were named, and all. Raises CassetteError, UsageError, OSError."""
    if not wanted:
        root = settings.store(store).root
        if not root.is_dir():
            raise UsageError(str(root), "there is no such store", "name one with --store or TIMETRACER_STORE")
        return set(), _not_empty(root, files_under(root))
    named: set[Path] = set()
    files: dict[Path, None] = {}
    for name in wanted:
        path = Path(settings.not_empty("CASSETTE", name))
        if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe would wait for its writer
            raise UsageError(name, "it is neither a file nor a folder", "name one of them, or a trace")
        found = _not_empty(path, files_under(path)) if path.exists() else _of_trace(store, name)
        named.update([path] if path.is_file() else [])
        files.update(dict.fromkeys(found))
    return named, list(files)


def _not_empty(folder: Path, files: list[Path]) -> list[Path]:
    """The files. Raises UsageError where there are none: what nobody has looked at is not clean."""
    if not files:
        raise UsageError(str(folder), "it holds no file to search", "name a folder of cassettes, or a cassette")
    return files


def _of_trace(store: str | None, name: str) -> list[Path]:
    """The parts of a trace, and what they need: environments and blobs, whoever else needs those."""
    cassette, _ = settings.store(store).open_cassette(name)
    folder = Path(cassette.path)
    beside = [folder.parent / PROCESSES, folder.parent / BLOBS]
    files = [path for each in beside if each.is_dir() for path in files_under(each)]
    needed = [path for path in files if path.parent.name == BLOBS or path.name[:32] in cassette.environments]
    return [*files_under(folder), *needed]


def _print(findings: Sequence[Finding], damaged: Sequence[Damage], files: int, explain: bool) -> None:
    by_file = Counter(finding.file for finding in findings)
    for file, count in by_file.items():
        inside = [finding for finding in findings if finding.file == file]
        rules = ", ".join(dict.fromkeys(finding.rule for finding in inside))
        print(f"{safe(file)}: {count} to mask ({rules})")
        for finding in inside if explain else ():
            where = " ".join(filter(None, (finding.exchange, finding.path))) or "its bytes"
            print(f"  {safe(where)}: {finding.rule}, would be {finding.marker}")
    for each in damaged:
        print(f"{safe(each.file)}: not searched to its end: {safe(each.problem)}")
    if not findings:
        counted = f"{files} file{'s' if files != 1 else ''}"
        print(f"{counted}: nothing to mask" + (f", {len(damaged)} not searched to their end" if damaged else ""))


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere: stdout belongs to the findings."""
    if not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import Progress

    total = sum(map(_size, files))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("audit", total=total)
        yield lambda size: progress.advance(task, size)


def _size(file: Path) -> int:
    """0 of one that is gone: a process that is recording renames and removes."""
    with suppress(FileNotFoundError):
        return file.lstat().st_size
    return 0
