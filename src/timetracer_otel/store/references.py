"""Which environments and blobs the files of a store name: more rather than less, since the others are deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.cassette.compression import decompress
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.store.files import read_regular

_QUOTED: Final = re.compile(rb'"([0-9a-f]{64}|[0-9a-f]{32})"')
"""A hash, a process id; and whatever in a payload looks like one."""

_JSON: Final = re.compile(r"\.json(\.zst)?$")


class References:
    """What is named by the files that were looked at, among the environments and blobs that there are.

    `found` has process ids and hashes; `unreadable` a line for each file of which nobody knows what it names.
    """

    def __init__(self, environments: Mapping[str, Sequence[Path]], blobs: Mapping[str, Path]) -> None:
        self._environments, self._blobs = environments, blobs
        self.found: set[str] = set()
        self.unreadable: list[str] = []

    def look_at(self, path: Path) -> None:
        """The file names what is found in it; and what that names in its turn. One that is gone names nothing."""
        waiting = [path]
        while waiting:
            new = self._named_by(waiting.pop()) - self.found
            self.found |= new
            waiting += self._files_of(new)

    def keep(self, names: Iterable[str]) -> None:
        """As if a file named these."""
        new = set(names) - self.found
        self.found |= new
        for path in self._files_of(new):
            self.look_at(path)

    def _files_of(self, names: Iterable[str]) -> list[Path]:
        environments = [path for name in names for path in self._environments.get(name, ())]
        return environments + [self._blobs[name] for name in names if name in self._blobs]

    def _named_by(self, path: Path) -> set[str]:
        try:
            text = _text(path)
        except FileNotFoundError:
            return set()
        except DamagedCassette as error:
            self.unreadable.append(str(error))
            return set()
        except ValueError as error:
            self.unreadable.append(str(DamagedCassette(str(path), " ".join(str(error).split()))))
            return set()
        if path.name in self._blobs and not text.startswith(b"{"):  # a body; a payload is an object
            return set()
        named = {match.decode() for match in _QUOTED.findall(text)}
        return named & (self._environments.keys() | self._blobs.keys())


def _text(path: Path) -> bytes:
    """Raises DamagedCassette, FileNotFoundError, and ValueError if something is missing or too much."""
    data = read_regular(path)
    text = decompress(data)
    if text is data and _JSON.search(path.name):  # without a checksum: it could be cut
        Allowance().take(text)
        orjson.loads(text)
    return text
