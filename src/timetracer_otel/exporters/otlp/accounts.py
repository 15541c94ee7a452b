"""What has come back of one segment, or of one environment: heads, spans, exchanges, and what of them is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from timetracer_otel.cassette import FORMAT, EnvironmentPart, Part, Value, load_environment, load_part
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.cassette.values import DOCUMENT_DEPTH, dumps
from timetracer_otel.exporters.otlp import names
from timetracer_otel.exporters.otlp.heads import (
    CUT,
    Document,
    Head,
    chosen,
    read_head,
    refuse_blob,
    say_cut,
    whole_text,
)
from timetracer_otel.exporters.otlp.records import Cut, Reader
from timetracer_otel.exporters.otlp.span_messages import read_span
from timetracer_otel.exporters.otlp.texts import load_text

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """One span, as it came back."""

    message: SpanMessage
    scope: tuple[str, str]
    attributes: Mapping[str, Value]

    def text(self, name: str) -> str | None:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else None

    def __str__(self) -> str:
        return f"span {self.message.span_id.hex()} {self.message.name[:60]!r}"


class Account:
    """Records by the span that brought each, as JSON text. Of two copies of a span the one that is whole counts."""

    def __init__(self) -> None:
        self._heads: list[Head] = []
        self._exchanges: dict[bytes, bytes] = {}
        self._problems: dict[tuple[bytes, str], str] = {}

    def add(self, one: Found, kind: str | None, reader: Reader) -> None:
        """Raises ValueError."""
        head = reader.record(one.attributes, names.HEAD)
        if isinstance(head, bytes):
            self._heads.append(read_head(head, is_root=kind is None))
        elif head is not None:
            self._tell(one, head)
        self._add_exchange(one, reader)

    def _add_exchange(self, one: Found, reader: Reader) -> None:
        head, span_id = reader.record(one.attributes, names.EXCHANGE), one.message.span_id
        if head is None and not any(name + names.SIZE in one.attributes for name in names.PAYLOADS):
            return
        if isinstance(head, bytes):
            self._forget(one, names.EXCHANGE, *names.PAYLOADS)
            document = load_text(head)
            request, result = [self._payload(one, name, document, reader) for name in names.PAYLOADS]
            self._exchanges[span_id] = whole_text(document, {}, {"request": request, "result": result})
        elif span_id not in self._exchanges:
            self._tell(one, head or Cut(names.EXCHANGE, 0, None))

    def _payload(self, one: Found, name: str, document: Document, reader: Reader) -> bytes:
        """Its text; of one that is not whole nothing is kept, and the exchange says so."""
        text = reader.record(one.attributes, name)
        if isinstance(text, bytes):
            return text
        cut = text or Cut(name, 0, None)
        document.update(dropped={"reason": CUT, "size": cut.size or 0}, complete=False)
        self._tell(one, cut, f"exchange {document.get('id')} on {one}")
        return b"{}"

    def _tell(self, one: Found, cut: Cut, who: str = "") -> None:
        self._problems[one.message.span_id, cut.name] = f"{who or one}: {cut}"

    def _forget(self, one: Found, *records: str) -> None:
        for name in records:
            self._problems.pop((one.message.span_id, name), None)


class SegmentAccount(Account):
    """One segment of one process."""

    def __init__(self, trace_id: str, segment: str, process: str) -> None:
        super().__init__()
        self._trace_id, self._segment, self._process = trace_id, segment, process
        self._spans: dict[bytes, bytes] = {}

    def add(self, one: Found, kind: str | None, reader: Reader) -> None:
        """Raises ValueError."""
        super().add(one, kind, reader)
        if kind is None:
            self._add_span(one, reader)

    def _add_span(self, one: Found, reader: Reader) -> None:
        residue, span_id = reader.record(one.attributes, names.RESIDUE), one.message.span_id
        known: Document = {}
        if isinstance(residue, bytes):
            self._forget(one, names.RESIDUE)
            known = load_text(residue)
        elif span_id in self._spans:
            return
        else:
            self._tell(one, residue or Cut(names.RESIDUE, 0, None))
        self._spans[span_id] = dumps(read_span(one.message, one.scope, one.attributes, known), DOCUMENT_DEPTH)

    def parts(self, where: str, tell: Tell) -> list[Part]:
        """Raises CassetteError, and ValueError for a head that is of another segment."""
        heads = chosen(self._heads)
        problems = [*self._problems.values(), *self._missing(heads)]
        documents = [head.document for head in heads] or [self._headless()]
        main = next((head.document for head in heads if head.is_root), documents[0])
        if problems:
            main["complete"] = False
            say_cut(main, len(problems))
            for problem in problems:
                tell(problem)
        allowance = Allowance()
        return [self._part(document, document is main, where, allowance) for document in documents]

    def _part(self, document: Document, is_main: bool, where: str, allowance: Allowance) -> Part:
        content = {"spans": self._spans.values(), "exchanges": self._exchanges.values()}
        part = load_part(whole_text(document, content if is_main else {}), where, refuse_blob, allowance)
        if (part.trace_id, part.segment, part.process.id) != (self._trace_id, self._segment, self._process):
            raise ValueError(f"a head of segment {part.segment} on a span of segment {self._segment}")
        return part

    def _missing(self, heads: list[Head]) -> list[str]:
        name = f"segment {self._trace_id[:8]}/{self._segment[:8]}"
        if not heads:
            return [f"{name}: its head did not come back"]
        return [
            *_lacks(name, "spans", len(self._spans), sum(head.spans for head in heads)),
            *_lacks(name, "exchanges", len(self._exchanges), sum(head.exchanges for head in heads)),
        ]

    def _headless(self) -> Document:
        return {
            "timetracer": FORMAT,
            "trace_id": self._trace_id,
            "segment": self._segment,
            "process": {"id": self._process},
            "part": 0,
            "complete": False,
        }


class EnvironmentAccount(Account):
    """One process's environment."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def parts(self, where: str, tell: Tell) -> list[EnvironmentPart]:
        """Raises CassetteError, and ValueError for a head that is of another process."""
        heads = chosen(self._heads)
        problems = [*self._problems.values(), *self._missing(heads)]
        documents = [head.document for head in heads]
        documents = documents or [{"timetracer": FORMAT, "process": {"id": self._process}, "part": 0}]
        if problems:
            say_cut(documents[0], len(problems))
            for problem in problems:
                tell(problem)
        allowance = Allowance()
        return [self._part(document, document is documents[0], where, allowance) for document in documents]

    def _part(self, document: Document, is_main: bool, where: str, allowance: Allowance) -> EnvironmentPart:
        content = {"exchanges": self._exchanges.values()} if is_main else {}
        part = load_environment(whole_text(document, content), where, refuse_blob, allowance)
        if part.process.id != self._process:
            raise ValueError(f"a head of process {part.process.id} on a span of process {self._process}")
        return part

    def _missing(self, heads: list[Head]) -> list[str]:
        name = f"environment of process {self._process[:8]}"
        if not heads:
            return [f"{name}: its head did not come back"]
        return _lacks(name, "exchanges", len(self._exchanges), sum(head.exchanges for head in heads))


def _lacks(name: str, what: str, found: int, expected: int) -> list[str]:
    return [f"{name}: {expected - found} of {expected} {what} did not come back"] if found < expected else []
