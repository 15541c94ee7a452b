"""OTLP spans, of whatever backend or stranger -> parts of cassettes. What did not come back whole is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timetracer_otel.cassette import Cassette, EnvironmentPart, Part, merge
from timetracer_otel.cassette.compression import MAX_BYTES
from timetracer_otel.errors import DamagedCassette, UnsupportedVersion
from timetracer_otel.exporters.otlp import names
from timetracer_otel.exporters.otlp.accounts import EnvironmentAccount, Found, SegmentAccount
from timetracer_otel.exporters.otlp.attributes import read_attributes
from timetracer_otel.exporters.otlp.records import Get, Parts, Reader

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, TracesData


@dataclass(frozen=True, slots=True)
class Pulled:
    """One trace as a backend gave it back."""

    trace_id: str
    parts: tuple[Part, ...]
    """None if nobody recorded anything but plain spans."""
    environments: tuple[EnvironmentPart, ...]
    problems: tuple[str, ...]
    """One line for each thing that was cut or is missing; replay of what needs it is inconclusive."""
    others: int
    """Spans of the trace that were not recorded by us."""

    def cassette(self, path: str = "") -> Cassette:
        """Raises DamagedCassette."""
        try:
            return merge(self.trace_id, self.parts, self.environments, path)
        except ValueError as error:
            raise DamagedCassette(path, str(error)) from None


def decode(data: TracesData, where: str, get: Get | None = None) -> dict[str, Pulled]:
    """The traces in it, by id. `get` gives what was stored outside. Raises DamagedCassette, UnsupportedVersion."""
    by_trace: dict[str, list[Found]] = {}
    for one in _found(data):
        by_trace.setdefault(_trace_id(one, where), []).append(one)
    return {trace_id: _decode_trace(trace_id, spans, where, get) for trace_id, spans in by_trace.items()}


def _trace_id(one: Found, where: str) -> str:
    """Source: opentelemetry-proto, `Span.trace_id`: 16 bytes, not all zero."""
    trace_id = one.message.trace_id
    if len(trace_id) != 16 or not any(trace_id):
        raise DamagedCassette(where, f"the span {one.message.name!r} has no trace id of 16 bytes")
    return trace_id.hex()


def _found(data: TracesData) -> Iterator[Found]:
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            yield from _found_in(scope)


def _found_in(scope: ScopeSpans) -> Iterator[Found]:
    name = (scope.scope.name, scope.scope.version)
    for message in scope.spans:
        yield Found(message, name, read_attributes(message.attributes))


def _decode_trace(trace_id: str, spans: Sequence[Found], where: str, get: Get | None) -> Pulled:
    ours = [one for one in spans if names.SCHEMA in one.attributes]
    _check_versions(ours, where)
    accounts = _Accounts(trace_id, _reader(ours, get))
    problems: list[str] = []
    try:
        for one in ours:
            accounts.add(one)
        parts = [part for each in accounts.segments.values() for part in each.parts(where, problems.append)]
        environments = [part for each in accounts.environments.values() for part in each.parts(where, problems.append)]
    except (ValueError, RecursionError) as error:
        raise DamagedCassette(where, " ".join(str(error).split())) from None
    others = {one.message.span_id for one in spans} - {one.message.span_id for one in ours}
    return Pulled(trace_id, tuple(parts), tuple(environments), tuple(problems), len(others))


def _check_versions(ours: Sequence[Found], where: str) -> None:
    for one in ours:
        version = one.attributes[names.SCHEMA]
        if type(version) is int and version > names.VERSION:
            raise UnsupportedVersion(where, version, names.VERSION)


def _reader(ours: Sequence[Found], get: Get | None) -> Reader:
    parts = Parts()
    for one in ours:
        parts.learn(one.attributes)
    return Reader(parts, get, MAX_BYTES)


class _Accounts:
    """Spans of one trace, each told to whom it belongs."""

    def __init__(self, trace_id: str, reader: Reader) -> None:
        self._trace_id, self._reader = trace_id, reader
        self.segments: dict[tuple[str, str], SegmentAccount] = {}
        self.environments: dict[str, EnvironmentAccount] = {}

    def add(self, one: Found) -> None:
        kind, process = one.text(names.KIND), one.text(names.PROCESS)
        if kind == names.PAYLOAD_SPAN or process is None:
            return
        segment = one.text(names.SEGMENT)
        if segment is None:
            self._environment(process).add(one, kind, self._reader)
        else:
            self._segment(segment, process).add(one, kind, self._reader)

    def _segment(self, segment: str, process: str) -> SegmentAccount:
        key = (segment, process)
        if key not in self.segments:
            self.segments[key] = SegmentAccount(self._trace_id, segment, process)
        return self.segments[key]

    def _environment(self, process: str) -> EnvironmentAccount:
        if process not in self.environments:
            self.environments[process] = EnvironmentAccount(process)
        return self.environments[process]
