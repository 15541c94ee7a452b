"""Batches -> redacted parts of a cassette -> the store. Imported with the first batch, for what it imports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_span_id, format_trace_id

from timetracer_otel.capture import process
from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.segments import EnvironmentBatch, KeepDecision, SegmentBatch, SpoolBatch
from timetracer_otel.cassette import (
    EnvironmentPart,
    Part,
    Process,
    compress,
    dump_environment,
    dump_part,
    part_pieces,
)
from timetracer_otel.cassette.pieces import give_way
from timetracer_otel.cassette.values import dumps
from timetracer_otel.exporters.entries import entry_again, entry_of, unfinished
from timetracer_otel.exporters.exchanges import Coded, ExchangeEncoder, Owner
from timetracer_otel.exporters.heads import HeadEncoder
from timetracer_otel.exporters.ids import seen
from timetracer_otel.exporters.outlets import Outlets
from timetracer_otel.exporters.quick_spans import QuickSpans
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import SECRETS, Redactor
from timetracer_otel.store import Store
from timetracer_otel.store.adoption import adopt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from timetracer_otel.capture.segments import Batch, Made
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.cassette import Entry, Exchange, Generated
    from timetracer_otel.config import Settings
    from timetracer_otel.exporters.entries import Root
    from timetracer_otel.redaction import Rules, Scrubber
    from timetracer_otel.store.blobs import BlobWriter
    from timetracer_otel.store.pending import Pending, Spool

ADOPT_S: Final = 0.05
TRACES_MAX: Final = 256
"""Traces whose secrets are remembered for their later parts."""


class Encoder:
    """One per process; several threads may use it at once. All but the redaction raises OSError where it writes."""

    def __init__(self, settings: Settings, rules: Rules = SECRETS, outlets: Outlets | None = None) -> None:
        self._settings = settings
        self._outlets = outlets or Outlets()
        self._redactor = Redactor(rules=rules)
        self._of_traces: dict[int, Redactor] = {}
        self._spans = SpanEncoder(self._redactor)
        self._quick_spans = QuickSpans(self._spans)
        self._heads = HeadEncoder(self._redactor, self._spans)
        self._exchanges = ExchangeEncoder(settings.payload_max_bytes, self._put)
        self.after_fork()
        # With all that they import, while a fork waits for it (`Writer`).
        compress(dumps(None))
        self._heads.process()
        rules.patterns.compile()

    def after_fork(self) -> None:
        """The child has no spools, and takes part in no lock of the parent's threads."""
        settings = self._settings
        self._store = Store(settings.store, settings.store_max_bytes, settings.free_min_bytes)
        self._spools: dict[tuple[int, int], _Spooling] = {}

    def save(self, batch: Batch) -> None:
        if isinstance(batch, SegmentBatch):
            self._save_segment(batch)
        elif isinstance(batch, EnvironmentBatch):
            self._save_environment(batch)
        elif isinstance(batch, SpoolBatch):
            self._spool(batch)
        else:
            self._settle(batch)

    def adopt(self) -> Counter[str]:
        """What dead processes left in the store becomes part of its traces, as far as an app has time for it.

        What comes back is what they lost and could not say.
        """
        losses: Counter[str] = Counter()
        adopt(Path(self._settings.store), ADOPT_S, losses)
        return losses

    def save_losses(self, losses: Mapping[str, int]) -> None:
        """What no part says yet, where others find it if this process ends before. Raises OSError."""
        if self._outlets.has_store:
            self._pending().save_losses(losses)

    # ---- parts -------------------------------------------------------------------------------------------------------

    def _save_segment(self, batch: SegmentBatch) -> None:
        identity, losses = self._heads.process(), Counter(batch.dropped)
        is_decided = not (batch.is_held or self._outlets.keeps_inline)
        owner = Owner(f"{identity.id[:8]}-", _start_ns(batch), is_decided)
        redactor = self._redactor_of(batch.trace_id)
        coded = self._exchanges.encode_all(batch.exchanges, redactor, owner, losses)
        spans, root = self._quick_spans.dump(batch.spans, redactor, _place_of_root(batch))
        give_way()
        part = self._part(batch, identity, root, coded, losses)
        texts = {"spans": spans, "process": self._heads.process_text(identity)}
        if batch.spans:
            texts["resource"] = self._heads.resource_text(batch.spans[0].resource)
        pieces = part_pieces(part, [one.text for one in coded], texts)
        give_way()
        self._part_to_live(part, pieces, owner.start_ns, batch.is_held)
        if not self._outlets.has_store:
            return
        if batch.is_held:
            self._pending().hold(part.trace_id, part.segment, batch.part, pieces)
        else:
            self._store.write_part(part.trace_id, part.segment, identity.id, batch.part, pieces)
        self._remove_spool(batch.trace_id, batch.root_id)

    def _part(
        self,
        batch: SegmentBatch,
        identity: Process,
        root: Root | None,
        coded: Sequence[Coded],
        losses: Counter[str],
    ) -> Part:
        """Without spans and exchanges, which are text already."""
        entry = self._entry(batch, root, [one.entry for one in coded if one.entry is not None])
        generated: tuple[Generated, ...] = ()
        if batch.generated:
            outcome = (entry.outcome if entry else "").encode("utf-8", "replace")
            generated = seen(batch.generated, [*(one.text for one in coded), outcome])
        return Part(
            trace_id=format_trace_id(batch.trace_id),
            segment=format_span_id(batch.root_id),
            process=identity,
            part=batch.part,
            complete=batch.complete,
            entry=entry,
            parent_segment=None if batch.parent_segment is None else format_span_id(batch.parent_segment),
            resource=self._heads.resource(batch.spans[0].resource) if batch.spans else {},
            resource_schema_url=self._heads.schema_url(batch.spans[0].resource) if batch.spans else "",
            connections=self._heads.connections(batch.connections),
            generated=generated,
            pools=self._heads.pools(batch.pools, _start_ns(batch)),
            dropped=losses,
        )

    def _entry(self, batch: SegmentBatch, root: Root | None, heard: Sequence[Exchange]) -> Entry | None:
        if root is not None:
            return entry_of(root, heard)
        if batch.part > 0:
            return entry_again(self._spans.text(batch.name), format_span_id(batch.root_id), heard) if heard else None
        return unfinished(self._spans.text(batch.name)) if batch.name else None

    def _save_environment(self, batch: EnvironmentBatch) -> None:
        identity, losses = self._heads.process(), Counter(batch.dropped)
        owner = Owner(f"{identity.id[:8]}-", identity.started_ns, is_decided=not self._outlets.keeps_inline)
        coded = self._exchanges.encode_all(batch.exchanges, self._redactor, owner, losses)
        connections = self._heads.connections(batch.connections)
        part = EnvironmentPart(process=identity, part=batch.part, connections=connections, dropped=losses)
        text = dump_environment(part, [one.text for one in coded])
        self._environment_to_live(text)
        if self._outlets.has_store:
            self._store.write_environment(identity.id, batch.part, text)

    # A fault on the way out of one outlet leaves the other as it is.

    @guarded("otlp")
    def _part_to_live(self, part: Part, pieces: Sequence[bytes], start_ns: int, is_held: bool) -> None:
        if self._outlets.live is not None:
            self._outlets.live.part(part, pieces, start_ns, is_held)

    @guarded("otlp")
    def _environment_to_live(self, text: bytes) -> None:
        if self._outlets.live is not None:
            self._outlets.live.environment(text)

    def _redactor_of(self, trace_id: int) -> Redactor:
        """That of the trace, for its later parts too: it remembers the secrets of the request."""
        found = self._of_traces.get(trace_id)
        if found is None:
            if len(self._of_traces) >= TRACES_MAX:
                # Listed first: other threads write parts too, and a dict may not change while it is walked over.
                for oldest in list(self._of_traces)[: TRACES_MAX // 2]:
                    self._of_traces.pop(oldest, None)
            found = self._of_traces.setdefault(trace_id, self._redactor.of_trace())
        return found

    # ---- pending -----------------------------------------------------------------------------------------------------

    def _pending(self) -> Pending:
        return self._store.pending(process.process_id())

    def _spool(self, batch: SpoolBatch) -> None:
        if not self._outlets.has_store:  # what dies with the process is not sent
            return
        segment, captured = batch.segment, batch.captured
        closed_ns = captured.closed_ns  # looked at first: it may be closed meanwhile, or once more
        identity, losses = self._heads.process(), Counter[str]()
        owner = Owner(f"{identity.id[:8]}-", segment.root_start_ns, is_decided=False)
        coded = self._exchanges.encode(captured, self._redactor_of(segment.trace_id), owner, losses)
        key = (segment.trace_id, segment.root_id)
        if key not in self._spools:
            self._spools[key] = self._begin_spool(batch, identity)
        spooling = self._spools[key]
        spooling.unseen += batch.generated
        if ids := seen(spooling.unseen, [coded.text]):
            spooling.tell(ids)
        spooling.spool.append(coded.text)
        if closed_ns and captured.closed_ns == closed_ns:
            captured.coded = (captured.rev, coded)

    def _begin_spool(self, batch: SpoolBatch, identity: Process) -> _Spooling:
        segment = batch.segment
        trace_id, root_id = format_trace_id(segment.trace_id), format_span_id(segment.root_id)
        head = Part(
            trace_id=trace_id,
            segment=root_id,
            process=identity,
            part=batch.part,
            complete=False,
            entry=unfinished(self._spans.text(segment.name)),
            parent_segment=None if segment.parent_segment is None else format_span_id(segment.parent_segment),
            connections=self._heads.connections(batch.connections),
        )
        spool = self._pending().spool(trace_id, root_id, batch.part)
        try:
            spool.append(dump_part(head, []))
        except BaseException:  # nobody would know whose it is, and a store without room gets one for each segment
            spool.remove()
            raise
        return _Spooling(
            spool, replace(head, process=replace(identity, argv=(), sys_path=(), packages={}, variables={}))
        )

    def _remove_spool(self, trace_id: int, root_id: int) -> None:
        spooling = self._spools.pop((trace_id, root_id), None)
        if spooling is not None:
            spooling.spool.remove()

    def _settle(self, decision: KeepDecision) -> None:
        pending = self._pending()
        trace_id, root_id = format_trace_id(decision.trace_id), format_span_id(decision.root_id)
        if self._outlets.live is not None:
            self._outlets.live.settle(trace_id, root_id, decision.is_kept)
        if decision.is_kept:
            pending.keep(trace_id, root_id)
        else:
            pending.drop(trace_id, root_id)
            self._remove_spool(decision.trace_id, decision.root_id)

    def close(self) -> None:
        """Nothing more comes: what is left in `pending/` is the lock, and it goes."""
        self._pending().close()

    # ---- blobs -------------------------------------------------------------------------------------------------------

    def _put(self, pieces: Sequence[bytes]) -> str:
        return self._store.write_blob(process.process_id(), pieces)

    def begin_blob(self, captured: Captured) -> tuple[Scrubber, BlobWriter]:
        """Where a large payload of this exchange goes, and what its chunks go through before."""
        redactor = self._redactor
        if captured.segment is not None:
            redactor = self._redactor_of(captured.segment.trace_id)
            # Afterwards they have been written, and taught what they had to teach.
            ended = () if captured.segment.root_ended else tuple(captured.segment.exchanges)
            others = [each for each in ended if each.closed_ns and each is not captured]
            for each in (captured, *others):  # an answer may give on what others told
                self._exchanges.learn(each, redactor)
        return redactor.stream(), self._pending().blob()


@dataclass(slots=True)
class _Spooling:
    """One spool; `unseen` are the ids that the app has made and that no exchange in it shows."""

    spool: Spool
    head: Part
    unseen: list[Made] = field(default_factory=list)

    def tell(self, ids: Sequence[Generated]) -> None:
        """A head that has nothing but these."""
        self.spool.append(dump_part(replace(self.head, generated=tuple(ids)), []))
        known = {each.value for each in ids}
        self.unseen = [made for made in self.unseen if made[2].hex not in known]


def _place_of_root(batch: SegmentBatch) -> int | None:
    """Its place among the spans: the last one as a rule, of spans that came by export the first."""
    for place in chain((-1,), range(len(batch.spans))) if batch.spans else ():
        context = batch.spans[place].context
        if context is not None and context.span_id == batch.root_id:
            return place
    return None


def _start_ns(batch: SegmentBatch) -> int:
    return batch.root_start_ns or min((span.start_time or 0 for span in batch.spans), default=0)
