"""What a store says of the requests that were made: which are in it, and what it counts as lost."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.promises.running import run
from tests.soak.contestants import CHILD
from timetracer_otel.cassette import Part, load_environment
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.store.names import BLOBS, PROCESSES, environment_files, part_files, trace_folders
from timetracer_otel.store.reading import read_part
from timetracer_otel.store.untold import untold_losses

WHOLE: Final = ("store_max", "free_min", "part", "queue")
"""Reasons for which a part, and with it a request, may be missing as a whole."""
NO_LOSS: Final = ("not_entry", "no_span")
"""Queries of the pollers, which are nobody's."""
PARTS_OF_CHILD: Final = 2
"""Its span, and the connections that it inherited."""


@dataclass(slots=True)
class Account:
    """Of a store, or of several together."""

    requests: set[int] = field(default_factory=set)
    """Numbers of those that are recorded."""
    children: int = 0
    """Parts of forked children that are recorded: each child makes `PARTS_OF_CHILD`."""
    counted: Counter[str] = field(default_factory=Counter)
    """Losses that parts and environments count, by reason."""
    seen: Counter[str] = field(default_factory=Counter)
    """Exchanges that are recorded without their payload, by reason."""

    def add(self, store: Path) -> None:
        """What is in it. Payloads that lie beside the parts are not read."""
        for folder in trace_folders(store):
            for path in part_files(folder):
                self._add(read_part(path, Allowance()))
        for files in environment_files(store / PROCESSES).values():
            for path in files:
                part = load_environment(path.read_bytes(), str(path), None, Allowance())
                self.counted += losses(part.dropped)
                self.children += part.process.parent is not None
        self.counted += losses(untold_losses(store))

    def _add(self, part: Part) -> None:
        self.counted += losses(part.dropped)
        self.seen.update(str(each.dropped["reason"]) for each in part.exchanges if each.dropped)
        self.children += sum(span.name == CHILD for span in part.spans)
        for each in part.exchanges:
            if each.type == "http.server":
                self.requests.add(int(str(each.request["path"]).rpartition("/")[2]))

    def unaccounted(self, made: int, children: int) -> int:
        """Requests, children and payloads that are missing, less those that are counted: 0 if all is told."""
        missing = made - len(self.requests) + children * PARTS_OF_CHILD - self.children
        missing += sum(self.seen[reason] for reason in WHOLE)
        return missing - sum(self.counted[reason] for reason in WHOLE)


def losses(dropped: Mapping[str, int]) -> Counter[str]:
    """Without failures inside the guard, which count the same ones again."""
    return Counter({name: count for name, count in dropped.items() if name not in NO_LOSS and "guard." not in name})


def set_aside(store: Path, archive: Path) -> None:
    """Moves what is recorded out of the store, while the service goes on: it has room again."""
    (archive / BLOBS).mkdir(parents=True, exist_ok=True)
    for folder in trace_folders(store):
        _move(folder, archive / folder.name)
    for path in (store / BLOBS).glob("*"):
        path.rename(archive / BLOBS / path.name)


def parts(store: Path) -> int:
    """How many there are."""
    return sum(len(part_files(folder)) for folder in trace_folders(store))


def _move(path: Path, target: Path) -> None:
    if not target.is_dir():
        path.rename(target)
        return
    for part in path.iterdir():  # of a trace whose first parts are there already
        part.rename(target / part.name)
    path.rmdir()


def doctor(store: Path) -> Counter[str]:
    """The losses that `timetracer-otel doctor` names."""
    variables = {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(store)}
    done = run(["timetracer-otel", "doctor", "--json"], variables)
    texts = [each["text"] for each in json.loads(done.stdout) if each["topic"] == "losses"]
    named = Counter[str]()
    for text in texts:
        for name, count in re.findall(r"([a-z_.A-Z]+) (\d+)(?:,|$)", text.partition(": ")[2]):
            named[name] += int(count)
    return named
