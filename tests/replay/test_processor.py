from __future__ import annotations

import threading

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from tests.replay.recordings import ROOT, TRACE, asked, exchange, segment, session
from timetracer_otel.cassette.model import Segment
from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.replay.host import Host
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.processor import BAGGAGE, Bindings, ReplaySpanProcessor
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.spans_json import span_of


class Bound:
    """A provider with our processor, a session for `ROOT` and one for everything else."""

    def __init__(self) -> None:
        self.log = MemoryJournal()
        self.entry, self.entry_log = session(exchange(1, answer="entry"))
        self.default, self.default_log = session(exchange(1, answer="environment"), is_environment=True)
        self.bindings = Bindings(self.default)
        self.processor = ReplaySpanProcessor(self.bindings, self._session_of, self.log)
        self.host = Host(self.bindings, self.processor, self.log)
        provider = TracerProvider()
        provider.add_span_processor(self.processor)
        self.tracer: Tracer = provider.get_tracer("tests")

    def _session_of(self, wanted: str) -> tuple[Segment, Session] | None:
        return (segment(), self.entry) if wanted == ROOT else None


@pytest.fixture
def bound() -> Bound:
    return Bound()


def test_the_host_is_what_drivers_are_installed_with(bound: Bound) -> None:
    host: ReplayHost = bound.host
    assert host.entry() is None  # the runner runs it


def test_baggage_binds_the_new_trace_and_links_the_recorded_root(bound: Bound) -> None:
    with bound.tracer.start_as_current_span("GET", context=baggage.set_baggage(BAGGAGE, ROOT)):
        assert bound.host.current()[0] is bound.entry
        with bound.tracer.start_as_current_span("SELECT"):
            assert bound.host.current()[0] is bound.entry
    assert bound.host.current()[0] is bound.default
    child, root = (span_of(event["span"]) for event in bound.log.of("span"))
    assert root.attributes == {"timetracer.replay.of": TRACE}
    assert [f"{link.context.span_id:016x}" for link in root.links] == [ROOT]
    assert child.attributes == {}
    assert child.parent == root.context


def test_what_is_asked_while_a_miss_is_handled_follows_from_it(bound: Bound) -> None:
    """In an `except`, a `finally` or an `on_failure`, also of an exception that was made of it."""

    def ask(parameter: str) -> str:
        source, where = bound.host.current()
        return source.miss(asked(parameters=[parameter]), where)

    with bound.tracer.start_as_current_span("GET", context=baggage.set_baggage(BAGGAGE, ROOT)):
        text = ask("1")
        try:
            try:
                raise OSError(text)
            finally:
                ask("2")
        except OSError as error:
            own = KeyError("order")
            own.__cause__ = error
        try:
            raise own
        except KeyError:
            ask("3")
        try:
            raise LookupError("order")
        except LookupError:
            ask("4")
        ask("5")
    assert [each["consequent"] for each in bound.entry_log.of("miss")] == [False, True, True, False, False]


def test_the_entry_ends_with_its_own_root_and_not_with_a_call_of_the_application_to_itself(
    bound: Bound,
) -> None:
    within = baggage.set_baggage(BAGGAGE, ROOT)
    with bound.tracer.start_as_current_span("GET", context=within):
        for _ in range(2):
            with bound.tracer.start_as_current_span("its own", context=within):
                assert bound.host.current()[0] is bound.entry
            assert not bound.default.is_past_entry
    assert bound.default.is_past_entry
    with bound.tracer.start_as_current_span("cleans up", context=within):
        assert bound.host.current()[0] is bound.default


def test_what_is_asked_outside_of_the_entry_is_a_miss_only_before_it(bound: Bound) -> None:
    def ask() -> None:
        source, where = bound.host.current()
        assert source is bound.default
        source.miss(asked("RECEIVE", ["jobs"]), where)

    def ask_as_a_poller() -> None:
        with bound.tracer.start_as_current_span("poll", context=Context()):
            ask()

    ask_as_a_poller()
    with bound.tracer.start_as_current_span("GET", context=baggage.set_baggage(BAGGAGE, ROOT)):
        ask_as_a_poller()
    ask()
    assert len(bound.default_log.of("miss")) == 1
    told = [event["text"].partition(" outside of ")[2] for event in bound.default_log.of("uncontrolled")]
    assert told == [f"the entry {when}: not recorded, and refused" for when in ("while it ran", "after its end")]


@pytest.mark.parametrize("wanted", ["ffff", "", 7, None])
def test_other_baggage_binds_nothing(bound: Bound, wanted: object) -> None:
    with bound.tracer.start_as_current_span("GET", context=baggage.set_baggage(BAGGAGE, wanted)):
        assert bound.host.current()[0] is bound.default


def test_a_local_child_does_not_bind_again(bound: Bound) -> None:
    with bound.tracer.start_as_current_span("poll") as root:
        context = baggage.set_baggage(BAGGAGE, ROOT, trace.set_span_in_context(root))
        with bound.tracer.start_as_current_span("child", context=context):
            assert bound.host.current()[0] is bound.default


def test_concurrent_traces_ask_their_own_sessions(bound: Bound) -> None:
    answers: dict[str, object] = {}
    together = threading.Barrier(2)

    def work(name: str, wanted: str) -> None:
        with bound.tracer.start_as_current_span("GET", context=baggage.set_baggage(BAGGAGE, wanted)):
            together.wait(60)
            source, place = bound.host.current()
            found = source.take(asked(), place)
            answers[name] = found.result["answer"] if found is not None else None

    threads = [threading.Thread(target=work, args=each) for each in (("one", ROOT), ("two", "other"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {"one": "entry", "two": "environment"}


def test_a_question_says_where_it_comes_from(bound: Bound) -> None:
    with (
        bound.tracer.start_as_current_span("GET", context=baggage.set_baggage(BAGGAGE, ROOT)) as root,
        bound.tracer.start_as_current_span("price"),
    ):
        root.update_name("GET /orders/{id}")
        _, place = bound.host.current()
    assert place.span == "price"
    assert place.span_path == ("GET /orders/{id}", "price")
    assert place.frame.startswith("tests/replay/test_processor.py:")
    assert place.frame.endswith(" test_a_question_says_where_it_comes_from")


def test_open_spans_are_known(bound: Bound) -> None:
    span = bound.tracer.start_span("background")
    assert bound.processor.has_open_spans
    span.end()
    assert not bound.processor.has_open_spans


def test_events_links_status_and_resource_survive_the_way_out() -> None:
    log = MemoryJournal()
    processor = ReplaySpanProcessor(Bindings(session()[0]), lambda wanted: None, log)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    target = trace.SpanContext(1, 2, True, trace.TraceFlags(1), trace.TraceState([("vendor", "x")]))
    links = [trace.Link(target, {"a": 1})]
    with provider.get_tracer("scope", "1.2").start_as_current_span("GET", links=links) as span:
        span.set_attributes({"list": [1, 2], "float": 0.5, "flag": True, "text": "x", "bytes": b"\xff"})
        span.add_event("happened", {"n": 1})
        span.record_exception(KeyError("total"))
        span.set_status(trace.Status(trace.StatusCode.ERROR, "KeyError"))
    [event] = log.of("span")
    back = span_of(event["span"])
    assert (back.name, back.kind, back.context) == ("GET", trace.SpanKind.INTERNAL, span.get_span_context())
    assert back.attributes == {"list": [1, 2], "float": 0.5, "flag": True, "text": "x", "bytes": b"\xff"}
    assert [each.name for each in back.events] == ["happened", "exception"]
    assert back.links[0].context == target
    assert back.status.description == "KeyError"
    assert back.resource.attributes == provider.resource.attributes
    assert back.instrumentation_scope is not None
    assert back.instrumentation_scope.version == "1.2"
