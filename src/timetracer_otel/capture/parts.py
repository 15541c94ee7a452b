"""Which parts are due: what a segment or the environment hands over, and when. Guarded by the recorder's lock.

Rules (design §5): a segment is handed over when its root ended and no span is open, without timers. What finishes later
becomes a further part. What happens before the first entry is the environment; later roots that are not entries are
dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from timetracer_otel.capture.keep import is_kept
from timetracer_otel.capture.segments import Batch, EnvironmentBatch, KeepDecision, SegmentBatch, SegmentState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from timetracer_otel.capture.budget import Budget
    from timetracer_otel.capture.connections import Connections
    from timetracer_otel.capture.environment import EnvironmentState
    from timetracer_otel.capture.losses import Losses
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.config import Settings


class Parts:
    """Takes from segments and the environment what goes to the writer now."""

    def __init__(
        self,
        settings: Settings,
        environment: EnvironmentState,
        connections: Connections,
        budget: Budget,
        losses: Losses,
    ) -> None:
        self._settings, self._environment, self._connections = settings, environment, connections
        self._budget, self._losses = budget, losses

    def due(self, segment: SegmentState, is_last: bool = False) -> tuple[Batch, ...]:
        """Of this segment, if anything is. `is_last`: the end of the process cuts it off."""
        is_done = segment.root_ended and segment.open_spans == 0
        if not (is_done or is_last or (segment.is_entry and segment.is_due_early(self._budget.has_room))):
            return ()
        if not segment.is_entry:
            self._leave(segment)
            if is_done:
                segment.rest()
            return ()
        self._decide(segment, is_last)
        if segment.is_kept is False:
            return self._forget(segment)
        return (*_decision(segment), self._part(segment, is_done, is_final=is_done or is_last))

    def unfinished(self, segments: Iterable[SegmentState], is_last: bool) -> list[Batch]:
        """What is there, marked incomplete."""
        batches: list[Batch] = []
        if exchanges := self._environment.exchanges:
            self._environment.exchanges = []
            batches.append(self.of_environment(exchanges))
        for segment in segments:
            is_decided = segment.is_kept is not None or is_last
            if segment.is_entry and is_decided and (segment.spans or segment.exchanges):
                batches += self.due(segment, is_last=True)
        return batches

    def _decide(self, segment: SegmentState, is_last: bool) -> None:
        """A segment that the end of the process cuts off is kept: nobody knows what it would have become."""
        if segment.is_kept is None:
            is_wanted = is_last or is_kept(self._settings.keep, segment.root_id, segment.spans)
            segment.is_kept = True if is_wanted else False if segment.root_ended else None

    def _part(self, segment: SegmentState, is_done: bool, is_final: bool) -> SegmentBatch:
        batch = segment.take_part(
            is_done, is_final, self._connections.of(segment.connections), self._losses.take(segment.dropped)
        )
        segment.is_held = segment.is_held or batch.is_held
        segment.is_spooled = False  # whoever writes the part takes the spool away
        return batch

    def _leave(self, segment: SegmentState) -> None:
        """A root that is no entry: its exchanges belong to the environment, or to nothing."""
        if self._environment.exchanges is None:
            self._losses.counts["not_entry"] += len(segment.exchanges)
            self._forget(segment)
            return
        for captured in segment.exchanges:
            if self._environment.is_full:
                self._losses.counts["exchanges"] += 1
                self._forget_exchange(captured)
            else:
                self._to_environment(captured)
        segment.empty()

    def _to_environment(self, captured: Captured) -> None:
        self._environment.add(captured)
        reason = self._budget.to_environment(captured)
        if reason is not None:
            captured.result, captured.dropped = None, reason
            self._losses.counts[reason] += 1

    def _forget(self, segment: SegmentState) -> tuple[Batch, ...]:
        for captured in segment.exchanges:
            self._forget_exchange(captured)
        segment.empty()
        return _decision(segment)

    def _forget_exchange(self, captured: Captured) -> None:
        self._budget.in_flight -= captured.held
        captured.is_forgotten = True

    # ---- environment -------------------------------------------------------------------------------------------------

    def end_environment(self, is_server: bool, under_way: Iterable[SegmentState]) -> EnvironmentBatch | None:
        """Nothing is added to it any more; its part, if there is anything to say. What the roots that are `under_way`
        and no entries have asked is of it too, such as the first long poll of a consumer: its answer comes later."""
        if self._environment.exchanges is not None:
            for segment in {id(each): each for each in under_way if not each.is_entry}.values():
                self._leave(segment)
        exchanges, self._environment.exchanges = self._environment.exchanges, None
        if exchanges or (exchanges is not None and self._connections.all()):
            return self.of_environment(exchanges, is_server)
        return None

    def of_environment(self, exchanges: list[Captured], is_server: bool = False) -> EnvironmentBatch:
        """The next part of it."""
        return self._environment.take_part(exchanges, is_server, self._connections.all(), self._losses.take(Counter()))


def _decision(segment: SegmentState) -> tuple[Batch, ...]:
    """For what waits in `pending/`, once it is known."""
    if segment.is_kept is None or not (segment.is_held or (segment.is_spooled and not segment.is_kept)):
        return ()
    segment.is_held = segment.is_spooled = False
    return (KeepDecision(segment.trace_id, segment.root_id, segment.is_kept, segment.is_server),)
