"""TIMETRACER_RECORD_UNSAMPLED: spans that the sampler drops reach the processors, and no exporter but ours.

Newer SDKs have an AlwaysRecordSampler. It loses the attributes that a span begins with, which the sampler leaves out of
a DROP, and it hands on an argument more than the SDK does, which a sampler of the app may refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind
    from opentelemetry.util.types import Attributes


class RecordUnsampled(Sampler):
    """The decisions of `root`, but DROP is RECORD_ONLY: the flags that leave the process, and the decisions for
    children, stay as they are. What `root` raises is raised."""

    def __init__(self, root: Sampler) -> None:
        self.root = root

    # Any: whatever the SDK at hand gives and the sampler at hand takes.
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        *others: Any,
        **named: Any,
    ) -> SamplingResult:
        result = self.root.should_sample(parent_context, trace_id, name, kind, attributes, *others, **named)
        return _recorded(result, attributes) or result

    def __getattr__(self, name: str) -> Any:
        # `provider.sampler.set_rate(...)`: whoever has a sampler of his own reaches through to it.
        return getattr(self.__dict__["root"], name)

    def get_description(self) -> str:
        return f"RecordUnsampled{{{self.root.get_description()}}}"


@guarded("sampler")
def _recorded(result: SamplingResult, attributes: Attributes) -> SamplingResult:
    if result.decision is not Decision.DROP:
        return result
    all_attributes = dict(attributes or {})
    all_attributes.update(result.attributes or {})
    return SamplingResult(Decision.RECORD_ONLY, all_attributes, result.trace_state)


@guarded("sampler")
def record_unsampled(provider: object) -> None:
    """Wraps the sampler of an SDK provider, and those of the tracers that it remembers; one line where it cannot."""
    root = getattr(provider, "sampler", None)
    if isinstance(root, RecordUnsampled):
        return
    if root is None or not _replace(provider, RecordUnsampled(root)):
        kind = f"{type(provider).__module__}.{type(provider).__qualname__}"
        guard.warn(f"TIMETRACER_RECORD_UNSAMPLED: {kind} keeps its sampler: only sampled spans are recorded")


def _replace(provider: Any, sampler: Sampler) -> bool:
    try:
        provider.sampler = sampler
    except AttributeError:  # it is read-only there
        return False
    for tracer in list(getattr(provider, "_tracers", {}).values()):  # older SDKs forget their tracers
        tracer.sampler = sampler
    return True
