"""What `audit` looks for: whatever the rules would mask, in every byte of a store and in what those bytes mean.

Each file is looked at twice. As it is, unpacked, in pieces: that holds for any file, whoever put it there. And if it is
a cassette's, decoded: values by the names of their columns, headers, coded bodies.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Final, TypeAlias

from timetracer_otel.capture.process import SET
from timetracer_otel.cassette import Cassette, Exchange, Loaded, Value, load
from timetracer_otel.config import MIB
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.errors import CassetteError
from timetracer_otel.redaction import MARKER, Redactor, Rules
from timetracer_otel.redaction.markers import MARKER_BYTES, find_markers
from timetracer_otel.store.files import read_regular
from timetracer_otel.store.names import BLOBS
from timetracer_otel.store.resolving import Resolver

_CHUNK: Final = MIB
_LONGEST_MARKER: Final = 128
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OURS: Final = re.compile(r"(?:[0-9a-f]{32}\.)?[0-9a-f]{16,32}(?:-[0-9a-f]{8})?\.\d+\.(?:json|json\.zst|spool)")
_BUNDLE: Final = (".cassette.json", ".cassette.json.zst")
_JSON: Final = (".json", ".json.zst", ".spool")
_TYPED: Final = re.compile(r"\.(?:parameters|values|rows)\[")
"""Where a stand-in of the value's own type may be in place of a marker."""
_VARIABLE: Final = re.compile(r"process(?:es\[\d+\])?\.variables\.")
_BODIES: Final = ("request.body", "result.body")
_MISFIT: Final = (LookupError, TypeError, ValueError, AttributeError, struct.error)
"""What a codec raises on a payload that is not its own: of a stranger's file, or one that was cut."""

Leaf: TypeAlias = "tuple[str, Value, Value]"


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that the rules would mask. The value itself is nowhere in it: `marker` stands for it."""

    file: str
    exchange: str | None
    """The id; None for what is beside the exchanges."""
    path: str
    """Inside the exchange or the file; empty where only bytes were seen."""
    rule: str
    marker: str


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that could not be looked into, or not to its end. What was there of it was searched."""

    file: str
    problem: str


def files_under(path: Path) -> list[Path]:
    """Every file in a folder, at any depth, or the file itself; links stand for themselves. Raises OSError."""
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=_raise):
        found += [Path(folder, name) for name in names]
        found += [link for name in folders if (link := Path(folder, name)).is_symlink()]
    return sorted(found)


class Auditor:
    """One key for all files: equal secrets have equal markers."""

    def __init__(self, rules: Rules, on_bytes: Callable[[int], None] = lambda size: None) -> None:
        """`on_bytes` hears of each file's size, and of pieces of it, while it is read."""
        self._redactor = Redactor(rules=rules)
        self._on_bytes = on_bytes
        self._set = self._redactor.marker("variable", SET)[-7:]

    def audit(self, file: Path, is_cassette: bool = False) -> Iterator[Finding | Damage]:
        """What is in the file; each secret once per place, and once more at most where only its bytes were seen.

        `is_cassette`: it must be one. In a store those are whose names say so; of others only the bytes count then.
        """
        if not is_cassette and (reason := _not_looked_into(file)) is not None:
            yield Damage(str(file), reason)
            return
        found, problem = list[Finding](), None
        try:
            if is_cassette or file.name.endswith(_JSON):
                found += self._decoded(file)
        except CassetteError as error:
            is_ours = is_cassette or file.name.endswith(_BUNDLE) or _OURS.fullmatch(file.name) is not None
            problem = getattr(error, "problem", str(error)) if is_ours else None
        yield from (each for each in found if not self._is_set(each))
        if problem is not None:
            yield Damage(str(file), problem)
        yield from self._raw(file, {self._set, *(each.marker[-7:] for each in found)}, problem is not None)

    def _is_set(self, finding: Finding) -> bool:
        """It is a variable of the process, of which only this is kept that it was set."""
        return finding.marker[-7:] == self._set and _VARIABLE.search(finding.path) is not None

    # ---- bytes -------------------------------------------------------------------------------------------------------

    def _raw(self, file: Path, seen: set[str], is_known_as_damaged: bool) -> Iterator[Finding | Damage]:
        scrubber, before, after = self._redactor.stream(), _Markers(), _Markers()
        try:
            for piece in _pieces(file, self._on_bytes):
                before.take(piece)
                after.take(scrubber.feed(piece))
        except OSError as error:
            yield Damage(str(file), f"it cannot be read ({error.strerror})")
        except ValueError as error:
            if not is_known_as_damaged and not file.name.startswith("."):  # a temporary file has no end as yet
                yield Damage(str(file), str(error))
        after.take(scrubber.end())
        for marker in after.found:
            if marker not in before.found and marker[-7:] not in seen:
                yield _finding(str(file), None, "", marker)

    # ---- meaning -----------------------------------------------------------------------------------------------------

    def _decoded(self, file: Path) -> Iterator[Finding]:
        """Raises CassetteError."""
        try:
            data = read_regular(file)
        except FileNotFoundError:  # a spool whose part was written meanwhile
            return
        text = _as_part(data) if file.name.endswith(".spool") else data
        if not text and file.name.endswith(".spool"):
            return
        loaded = load(text, str(file), Resolver(_store_of(file)))
        for exchange in _exchanges(loaded):
            yield from self._exchange(str(file), exchange)
        about = asdict(_without_exchanges(loaded))
        yield from self._leaves(str(file), None, _changed("", about, self._redactor.value(about, "")[0]), ())

    def _exchange(self, file: str, exchange: Exchange) -> Iterator[Finding]:
        old: Mapping[str, Value] = {"request": exchange.request, "result": exchange.result}
        new, paths = self._masked(exchange, old)
        found = list(self._leaves(file, exchange.id, _changed("", old, new), exchange.redacted))
        yield from found
        for path in paths:  # a body that is coded shows no marker, nor does a value that is compressed
            side = ".".join(path.split(".")[:2])
            is_body = side in _BODIES
            hides = not any(each.path.startswith(side) for each in found) if is_body else not found
            if hides and (is_body or path not in exchange.redacted):
                rule = self._redactor.rule_of(path) or ("body" if is_body else "compressed")
                yield Finding(file, exchange.id, path, rule, self._redactor.marker(rule, f"{file} {exchange.id}"))
        words = {"target": exchange.target, "url": exchange.signature.url}
        yield from self._leaves(file, exchange.id, _changed("", words, self._redactor.value(words, "")[0]), ())

    def _masked(self, exchange: Exchange, old: Mapping[str, Value]) -> tuple[Value, Sequence[str]]:
        """As its codec masks it, or by the names alone; and where."""
        signature = exchange.signature
        if signature.lib not in registry.DRIVERS or not exchange.request:
            return self._redactor.value(old, "")
        plain = Encoded(
            exchange.type, signature.lib, signature.method, signature.url, exchange.request, exchange.result
        )
        try:
            masked, paths = registry.codec(signature.lib).redact(plain, self._redactor)
        except _MISFIT:
            return self._redactor.value(old, "")
        return self._redactor.value({"request": masked.request, "result": masked.result}, "")[0], paths

    def _leaves(
        self, file: str, exchange: str | None, leaves: Iterable[Leaf], redacted: Sequence[str]
    ) -> Iterator[Finding]:
        for path, old, new in leaves:
            markers = [marker for marker in _markers_in(new) if marker not in _markers_in(old)]
            for marker in markers:
                yield _finding(file, exchange, path, marker)
            if not markers and _TYPED.search(path) and not path.startswith(tuple(redacted)):
                yield Finding(file, exchange, path, "typed", self._redactor.marker("typed", repr(old)))


class _Markers:
    """All markers in data that comes in pieces."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}
        self._tail = b""

    def take(self, piece: bytes) -> None:
        data = self._tail + piece
        for match in MARKER_BYTES.finditer(data):
            self.found.update(dict.fromkeys(find_markers(match[0].decode())))
        self._tail = data[-_LONGEST_MARKER:]


def _pieces(file: Path, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """The file, unpacked if it is zstd. Raises OSError, ValueError if it is damaged or cut."""
    import zstandard

    try:
        with file.open("rb") as opened:
            is_packed = opened.read(len(_ZSTD)) == _ZSTD
            opened.seek(0)
            source = (
                zstandard.ZstdDecompressor().stream_reader(opened, read_across_frames=True) if is_packed else opened
            )
            yield from _read(source, opened, on_bytes)
    except FileNotFoundError:  # a process that is recording renames and removes
        return
    except zstandard.ZstdError as error:
        raise ValueError(f"damaged zstd ({error})") from None


def _read(source: IO[bytes], opened: IO[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    position = 0
    while piece := source.read(_CHUNK):
        yield piece
        on_bytes(opened.tell() - position)
        position = opened.tell()


def _as_part(spool: bytes) -> bytes:
    """A spool as the part that it becomes: its first line is a part without exchanges, the others are exchanges."""
    first, *lines = spool.split(b"\n")
    if not first.endswith(b'"exchanges":[]}'):
        return b""
    return first.removesuffix(b"]}") + b",".join(line for line in lines[:-1] if line.endswith(b"}")) + b"]}"


def _exchanges(loaded: Loaded) -> Iterator[Exchange]:
    if isinstance(loaded, Cassette):
        for segment in loaded.segments:
            yield from segment.exchanges
        for environment in loaded.environments.values():
            yield from environment.exchanges
    else:
        yield from loaded.exchanges


def _without_exchanges(loaded: Loaded) -> Loaded:
    if not isinstance(loaded, Cassette):
        return replace(loaded, exchanges=())
    segments = tuple(replace(segment, exchanges=()) for segment in loaded.segments)
    environments = {key: replace(each, exchanges=()) for key, each in loaded.environments.items()}
    return replace(loaded, segments=segments, environments=environments)


def _changed(path: str, old: Value, new: Value) -> Iterator[Leaf]:
    """The leaves that differ. Masking keeps the structure, so the two are walked side by side."""
    waiting = [(path, old, new)]
    while waiting:
        where, was, now = waiting.pop()
        if was is now:
            continue
        inside = list(_inside(where, was, now))
        waiting += reversed(inside)
        if not inside and was != now:
            yield where, was, now


def _inside(where: str, was: Value, now: Value) -> Iterator[Leaf]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        yield from ((f"{where}.{key}".lstrip("."), was[key], now[key]) for key in was if key in now)
    elif isinstance(was, list | tuple) and isinstance(now, list | tuple):
        yield from ((f"{where}[{at}]", *pair) for at, pair in enumerate(zip(was, now, strict=False)))


def _markers_in(value: Value) -> list[str]:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return find_markers(text) if isinstance(text, str) else []


def _finding(file: str, exchange: str | None, path: str, marker: str) -> Finding:
    match = MARKER.fullmatch(marker)
    return Finding(file, exchange, path, match[1] if match else "", marker)


def _store_of(file: Path) -> Path:
    """The folder with the blobs: of a trace's or a process's file one up, of a held part two."""
    above = list(file.absolute().parents)[1:3]
    return next((folder for folder in above if (folder / BLOBS).is_dir()), above[0] if above else file.parent)


def _not_looked_into(file: Path) -> str | None:
    """Why not. A link may lead anywhere and have no end; but whoever opens the cassette is led there, so it is told."""
    try:
        mode = file.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        return "it is a link, which is not followed; name it, or what it leads to"
    return None if stat.S_ISREG(mode) else "it is no regular file"


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a trace that is pruned meanwhile
        raise error
