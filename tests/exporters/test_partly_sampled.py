"""A sampler that decides by the span's name, and what readers say of the traces that it leaves."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Tracer

from tests.exporters.conftest import Recording
from timetracer_otel.cassette import partly_sampled
from timetracer_otel.cli.listing import Wanted, print_list
from timetracer_otel.cli.show import print_text
from timetracer_otel.exporters import active


class ByName(Sampler):
    """All but the spans that are called `quiet`."""

    def should_sample(self, parent_context, trace_id, name, *_, **__) -> SamplingResult:  # type: ignore[no-untyped-def]  # the SDK's
        return SamplingResult(Decision.DROP if name == "quiet" else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "by name"


@pytest.fixture
def tracer(recording: Recording) -> Tracer:
    provider = TracerProvider(sampler=ByName(), shutdown_on_exit=False)
    active.attach(provider)
    return provider.get_tracer("tests")


def spans(tracer: Tracer, *names: str) -> None:
    """Each below the one before."""
    if names:
        with tracer.start_as_current_span(names[0]):
            spans(tracer, *names[1:])


@pytest.mark.parametrize("names", [("quiet", "inner"), ("outer", "quiet", "inner"), ("quiet", "inner", "innermost")])
def test_r28_a_segment_whose_parent_was_not_sampled_is_labelled(
    names: tuple[str, ...], tracer: Tracer, recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    spans(tracer, *names)
    cassette = recording.cassette()
    assert len(partly_sampled(cassette)) == 1
    root = str(recording.store.root)
    assert print_list(root, Wanted(), as_json=False) == 0
    assert capsys.readouterr().out.count("(parent span not sampled)") == 1
    assert print_text(root, cassette.trace_id, None) == 0
    assert capsys.readouterr().out.count("   parent span not sampled\n") == 1


@pytest.mark.parametrize("names", [("outer",), ("outer", "inner", "innermost"), ("outer", "quiet")])
def test_r28_a_trace_of_which_only_leaves_are_missing_is_not(
    names: tuple[str, ...], tracer: Tracer, recording: Recording
) -> None:
    spans(tracer, *names)
    assert partly_sampled(recording.cassette()) == frozenset()
