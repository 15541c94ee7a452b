"""The quick way of spans to JSON gives what the long way gives, whatever a span holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from tests.cassette.samples import ROOT_PART
from timetracer_otel.cassette import Span, dump_part, dump_process, dump_resource, dump_spans, part_pieces
from timetracer_otel.cassette.document import span_document
from timetracer_otel.cassette.values import dumps
from timetracer_otel.exporters.quick_spans import QuickSpans
from timetracer_otel.exporters.spans import SpanEncoder
from timetracer_otel.redaction import SECRETS, Redactor, Rules
from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.patterns import Patterns
from timetracer_otel.redaction.places import Place, Places

AWS_KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
KNOWN = 'a "known\\secret" of this request'
SHORT_KNOWN = "hunter22"
HOSTILE = [
    *("", "GET /orders", "null", "[null]", '{"$b64": "x"}', "\0\n\x7f", "a\ud800b", "é€😀", "x" * 600),
    *(AWS_KEY, f"key {AWS_KEY}", "Bearer abcdefghijklmnop", "password=hunter2", '{"api_key": "12345678"}', "tokyo"),
    *("https://user:pw@host/", "-----BEGIN RSA PRIVATE KEY-----", "customer_no=4711", "Customer-No: 4711"),
    *(KNOWN, f"so {KNOWN} it is", SHORT_KNOWN, f"'{SHORT_KNOWN}'", "[redacted:token#0a1b2c]"),
    *("select 1", "select * from t where password = 'hunter2'", "alter user u password 'x'", f"select '{SHORT_KNOWN}'"),
]
NAMES = [
    *("db.statement", "db.query.text", "http.url", "n", "$b64", "a$", "", "password", "p-a-s-s-w-o-r-d", "X-Api-Key"),
    *("user[token]", "gen_ai.usage.output_tokens", "customer_no", "card", "db.statement.parameters", "\ud800"),
]
texts = st.sampled_from(HOSTILE) | st.text(max_size=20)


class Word(str):
    """A text that is not quite one."""


scalars = (
    texts
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.binary(max_size=4)
    | texts.map(Word)
    | st.just(object)
)
values = scalars | st.lists(scalars, max_size=3).map(tuple) | st.dictionaries(texts, scalars, max_size=2)
attributes = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), values, max_size=4)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.just(TraceFlags(1)),
    st.sampled_from(
        [None, TraceState([("v", "1")]), TraceState([("v", AWS_KEY)]), TraceState([("v", "token=abcdefg")])]
    ),
)


class OwnSpan(ReadableSpan):
    """Says something else by a property than what lies in its fields."""

    @property
    def name(self) -> str:
        return "own"


def scope(name: str, version: str | None, schema_url: str | None, part: str | None) -> InstrumentationScope:
    return InstrumentationScope(name, version, schema_url, None if part is None else {"part": part})


statuses = st.one_of(st.just(Status(StatusCode.OK)), st.builds(Status, st.just(StatusCode.ERROR), st.none() | texts))


@st.composite
def spans(draw: st.DrawFn) -> ReadableSpan:
    return draw(st.sampled_from([ReadableSpan, ReadableSpan, ReadableSpan, OwnSpan]))(
        name=draw(texts),
        context=draw(st.none() | contexts),
        parent=draw(st.none() | contexts),
        resource=RESOURCE,
        attributes=draw(st.none() | attributes),  # type: ignore[arg-type]  # an SDK takes more than its types say
        events=draw(st.lists(st.builds(Event, texts, attributes, st.integers(0, 2**63)), max_size=1)),
        links=draw(st.lists(st.builds(Link, contexts, attributes), max_size=1)),
        kind=draw(st.sampled_from(SpanKind)),
        status=draw(statuses),
        start_time=draw(st.none() | st.integers(0, 2**63)),
        end_time=draw(st.none() | st.integers(0, 2**63)),
        instrumentation_scope=draw(st.none() | st.builds(scope, texts, *[st.none() | texts] * 3)),
    )


RESOURCE = Resource({})
RULES = [
    SECRETS,
    Rules(Names(["customer_no"]), Patterns(Names(["customer_no"]))),
    Rules(SECRETS.names, SECRETS.patterns, Places((Place(("card",)),))),
]


def redactor_of_trace(rules: Rules, knows_secrets: bool) -> tuple[Redactor, Redactor]:
    """That of the process, and that of a trace which has seen secrets under their names, or none."""
    redactor = Redactor(b"key", rules)
    of_trace = redactor.of_trace()
    if knows_secrets:
        of_trace.value({"password": KNOWN, "token": SHORT_KNOWN}, "")
        assert of_trace.known()
    return redactor, of_trace


def exactly(found: list[Span]) -> bytes:
    """By the writer that knows no short way."""
    return dumps([span_document(one) for one in found])


@given(st.lists(spans(), max_size=4), st.sampled_from(RULES), st.booleans())
@settings(max_examples=400, deadline=None)
def test_the_quick_way_gives_byte_for_byte_what_the_long_way_gives(
    ended: list[ReadableSpan], rules: Rules, knows_secrets: bool
) -> None:
    redactor, of_trace = redactor_of_trace(rules, knows_secrets)
    expected = exactly([SpanEncoder(redactor).encode(one, of_trace) for one in ended])
    quick = QuickSpans(SpanEncoder(redactor))
    assert quick.dump(ended, of_trace)[0] == expected
    assert quick.dump(ended, of_trace)[0] == expected, "what it has remembered changes nothing"


def plain_spans(*attributes: dict[str, Any]) -> list[ReadableSpan]:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("shop", "1")
    ended: list[ReadableSpan] = []
    for each in attributes:
        started = tracer.start_span("SELECT", attributes=each)
        started.end()
        assert isinstance(started, ReadableSpan)
        ended.append(started)
    return ended


def long_way(monkeypatch: pytest.MonkeyPatch) -> list[ReadableSpan]:
    """The spans that go it from now on."""
    seen: list[ReadableSpan] = []
    encode = SpanEncoder.encode

    def noted(self: SpanEncoder, span: ReadableSpan, redactor: Redactor | None = None) -> Span:
        seen.append(span)
        return encode(self, span, redactor)

    monkeypatch.setattr(SpanEncoder, "encode", noted)
    return seen


def test_only_the_span_with_a_secret_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, redactor = long_way(monkeypatch), Redactor(b"key")
    ended = plain_spans({"n": 1, "url": "/a"}, {"url": f"/?key={AWS_KEY}"}, {"db.statement": "select 1"})
    text, _ = QuickSpans(SpanEncoder(redactor)).dump(ended, redactor.of_trace())
    assert seen == [ended[1]]
    assert AWS_KEY.encode() not in text


def test_what_a_span_has_in_common_with_the_one_before_hides_no_secret_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, redactor = long_way(monkeypatch), Redactor(b"key")
    common, secret = "GET /orders", f"/?key={AWS_KEY}"
    ended = plain_spans(
        {"a": common}, {"a": common, "b": secret}, {"a": common, "b": common}, {"a": secret, "b": common}
    )
    text, _ = QuickSpans(SpanEncoder(redactor)).dump(ended, redactor.of_trace())
    assert seen == [ended[1], ended[3]]
    assert AWS_KEY.encode() not in text


def test_a_statement_that_tells_of_a_secret_is_found_beside_others_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, redactor = long_way(monkeypatch), Redactor(b"key")
    statements = ("select 1", "alter user u password 'hunter2x'", "select 1")
    ended = plain_spans({"db.name": "app"}, *({"db.name": "app", "db.statement": sql} for sql in statements))
    text, _ = QuickSpans(SpanEncoder(redactor)).dump(ended, redactor.of_trace())
    assert seen == [ended[2]]
    assert b"hunter2x" not in text


def test_a_word_that_looks_like_the_beginning_of_a_secret_costs_no_other_span_its_quick_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, redactor = long_way(monkeypatch), Redactor(b"key")
    ended = plain_spans({"note": 'the "token" of love'}, {"note": "plain"})
    QuickSpans(SpanEncoder(redactor)).dump(ended, redactor.of_trace())
    assert seen == [ended[0]]


def test_lists_go_the_quick_way_unless_one_holds_a_secret_or_a_name_tells_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, redactor = long_way(monkeypatch), Redactor(b"key")
    told = {"tables": ("orders",), "x.key": "password", "x.value": "hunter2"}
    ended = plain_spans({"tables": ("orders", "items")}, {"tables": (AWS_KEY,)}, {"argv": ("--password", "x")}, told)
    text, _ = QuickSpans(SpanEncoder(redactor)).dump(ended, redactor.of_trace())
    assert seen == ended[1:]
    assert b'"tables":["orders","items"]' in text
    assert AWS_KEY.encode() not in text


def test_a_secret_that_the_trace_knows_is_found_in_a_text_that_was_clean_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor, of_trace = redactor_of_trace(SECRETS, knows_secrets=True)
    quick = QuickSpans(SpanEncoder(redactor))
    ended = plain_spans({"note": KNOWN})
    assert b"known" in quick.dump(ended, redactor.of_trace())[0]
    assert b"known" not in quick.dump(ended, of_trace)[0]


def test_a_part_with_the_text_of_its_spans_is_the_part_itself() -> None:
    text = dump_spans(ROOT_PART.spans)
    assert ROOT_PART.spans
    whole = b"".join(part_pieces(ROOT_PART, []))
    texts = {"resource": dump_resource(ROOT_PART.resource), "process": dump_process(ROOT_PART.process), "spans": text}
    for names in (texts, ["spans"], ["resource", "process"], ["process"]):
        assert b"".join(part_pieces(ROOT_PART, [], {name: texts[name] for name in names})) == whole
    odd = replace(ROOT_PART, resource={"host": "a\ud800"}, parent_segment="\ud800")
    texts["resource"] = dump_resource(odd.resource)
    assert b"".join(part_pieces(odd, [], texts)) == b"".join(part_pieces(odd, [])) == dump_part(odd, [])
    assert b'"spans":' + text in dump_part(ROOT_PART)


def test_what_cannot_be_read_of_a_span_is_not_taken_from_the_one_before() -> None:
    """A parent of the application's own, whose number is none of the standard: such siblings are read one by one."""
    encoder = SpanEncoder(Redactor())
    odd = SpanContext(1, 2**64, is_remote=False)
    parents = [SpanContext(1, 5, is_remote=False), odd, odd, None, odd]
    spans = [
        ReadableSpan("SELECT", SpanContext(1, 7 + at, is_remote=False), parent, RESOURCE, {"n": at})
        for at, parent in enumerate(parents)
    ]
    text, _ = QuickSpans(encoder).dump(spans, Redactor())
    assert text == exactly([encoder.encode(span) for span in spans])
    known, own = f"{5:016x}", f"{2**64:x}"
    assert [span["parent_id"] for span in json.loads(text)] == [known, own, own, None, own]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("knows_secrets", [False, True])
def test_one_thing_out_of_the_ordinary_in_a_plain_span_is_enough(rules: Rules, knows_secrets: bool) -> None:
    redactor, of_trace = redactor_of_trace(rules, knows_secrets)
    encoder = SpanEncoder(redactor)
    odd: list[Any] = [*HOSTILE, None, True, 2**63, 2**64, -(2**63) - 1, 0.5, float("nan"), b"x", Word("w"), ("a", "b")]
    context = SpanContext(1, 2, is_remote=False)
    for name in NAMES:
        for value in odd:
            one = ReadableSpan("SELECT", context, resource=RESOURCE, attributes={"n": 1, name: value})
            encoded = encoder.encode(one, of_trace)
            text, root = QuickSpans(encoder).dump([one], of_trace, 0)
            assert text == exactly([encoded]), (name, value)
            assert root is not None
            for field in ("span_id", "name", "status", "status_description", "attributes", "events"):
                assert repr(getattr(root, field)) == repr(getattr(encoded, field)), (name, value, field)
