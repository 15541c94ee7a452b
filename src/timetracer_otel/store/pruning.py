"""Old traces are deleted, and what only they needed. Writers, readers and others who prune may be at work meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from timetracer_otel.store import locking
from timetracer_otel.store.adoption import adopt
from timetracer_otel.store.deleting import delete_file, delete_parts, delete_trace, newest_s, size_of_parts
from timetracer_otel.store.names import (
    BLOBS,
    PENDING,
    PROCESSES,
    blob_files,
    environment_files,
    is_temporary,
    linked_folders,
    part_files,
    pending_files,
    process_folders,
    trace_folders,
)
from timetracer_otel.store.references import References

GRACE_S: Final = 3600.0
"""Younger environments, blobs and temporary files stay: the part that names them may not be written yet."""

Track: TypeAlias = Callable[[Sequence[Path], str], Iterable[Path]]
"""Gives the paths one by one, and shows how far it is; the text says what they are."""


@dataclass(slots=True)
class Pruned:
    """What was deleted, or would be: trace ids, numbers of files, bytes; and a line for each thing that went wrong."""

    traces: list[str] = field(default_factory=list)
    environments: int = 0
    blobs: int = 0
    temporary_files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def prune(root: Path, older_s: float, is_dry_run: bool, track: Track) -> Pruned:
    """Deletes traces whose newest file is older than that, and what no other trace needs.

    What dead processes left is adopted first. A dry run changes nothing, nor is anything done behind a link: whose it
    is, nobody knows. Raises OSError if the store cannot be read.
    """
    if linked := linked_folders(root):
        return Pruned(problems=[f"{linked[0]}: it is a link, so nothing is deleted from this store"])
    if not is_dry_run:
        adopt(root)
    return _Pruning(root, older_s, is_dry_run).run(track)


class _Pruning:
    def __init__(self, root: Path, older_s: float, is_dry_run: bool) -> None:
        now_s = time.time()
        self._root, self._is_dry_run = root, is_dry_run
        self._trace_s, self._rest_s, self._temporary_s = now_s - older_s, now_s - max(older_s, GRACE_S), now_s - GRACE_S
        self._pruned = Pruned()

    def run(self, track: Track) -> Pruned:
        environments, blobs = environment_files(self._root / PROCESSES), blob_files(self._root)
        references = References(environments, blobs)
        self._prune_traces(references, track)
        references.keep(name for name, paths in environments.items() if self._is_in_use(name, paths))
        if references.unreadable:
            advice = "what these files need is not known, so all environments and blobs stay; fetch or delete them"
            self._pruned.problems += [*references.unreadable, advice]
        else:
            self._pruned.environments = self._prune_files(_unused(environments, references))
            unused = [path for name, path in blobs.items() if name not in references.found]
            self._pruned.blobs = self._prune_files(track(unused, "blobs"))
        for folder in (self._root, self._root / PROCESSES, self._root / BLOBS):
            self._prune_temporary(folder)
        return self._pruned

    def _prune_traces(self, references: References, track: Track) -> None:
        # Before the traces: a part that is kept meanwhile goes from here to there, and would be seen in neither.
        pending = [path for folder in process_folders(self._root) for path in pending_files(folder)]
        for path in pending:
            references.look_at(path)
        unfinished = {path.name[:32] for path in pending}
        for folder in track(trace_folders(self._root), "traces"):
            if folder.name in unfinished or not self._is_pruned(folder):
                for path in part_files(folder):
                    references.look_at(path)
                if not folder.is_symlink():
                    self._prune_temporary(folder)

    def _is_pruned(self, folder: Path) -> bool:
        try:
            if folder.is_symlink() or not folder.is_dir() or newest_s(folder) >= self._trace_s:
                return False
            size = size_of_parts(folder) if self._is_dry_run else delete_trace(folder, self._trace_s)
        except FileNotFoundError:  # somebody else deletes it
            return False
        except OSError as error:
            self._failed(error)
            return False
        if size:  # one without a part is what a writer left who was killed before it wrote anything
            self._pruned.traces.append(folder.name)
            self._pruned.bytes += size
        return size is not None

    def _is_in_use(self, process_id: str, paths: Sequence[Path]) -> bool:
        """By a process that may record another trace, or has just begun."""
        lives = self._root / PENDING / process_id
        return any(map(self._is_young, paths)) or (lives.is_dir() and locking.is_alive(lives))

    def _is_young(self, path: Path) -> bool:
        try:
            return path.lstat().st_mtime >= self._rest_s
        except FileNotFoundError:
            return False

    def _prune_files(self, paths: Iterable[Path]) -> int:
        """How many."""
        sizes = [size for path in paths if (size := self._prune_file(path)) is not None]
        self._pruned.bytes += sum(sizes)
        return len(sizes)

    def _prune_file(self, path: Path) -> int | None:
        try:
            found = path.lstat()
            if found.st_mtime >= self._rest_s:
                return None
            return found.st_size if self._is_dry_run else delete_file(path, self._rest_s)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._failed(error)
            return None

    def _prune_temporary(self, folder: Path) -> None:
        """What writers left who died; and a trace that somebody was deleting."""
        try:
            for name in os.listdir(folder):
                if is_temporary(name) and (folder / name).lstat().st_mtime < self._temporary_s:
                    self._prune_leftover(folder / name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._failed(error)

    def _prune_leftover(self, path: Path) -> None:
        is_folder = path.is_dir() and not path.is_symlink()
        self._pruned.temporary_files += 1
        self._pruned.bytes += size_of_parts(path) if is_folder else path.lstat().st_size
        if self._is_dry_run:
            return
        if is_folder:
            delete_parts(path)
            path.rmdir()
        else:
            path.unlink()

    def _failed(self, error: OSError) -> None:
        self._pruned.problems.append(f"{error.filename}: {error.strerror}")


def _unused(environments: Mapping[str, Sequence[Path]], references: References) -> list[Path]:
    return [path for name, paths in environments.items() if name not in references.found for path in paths]
