from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.config import MIB
from timetracer_otel.drivers.asgi import bodies
from timetracer_otel.drivers.asgi.compare import compare, status_of
from timetracer_otel.drivers.asgi.content import common_start
from timetracer_otel.drivers.asgi.delivery import PATIENCE_S
from timetracer_otel.drivers.asgi.replay import ENTRY
from timetracer_otel.drivers.base import Comparison
from timetracer_otel.redaction import Redactor

Pairs = list[list[bytes]]


def answer(
    body: bytes | list[bytes] = b"", headers: Pairs | None = None, status: int | None = 200, **fields: Any
) -> Exchange:
    chunks = body if isinstance(body, list) else [body]
    result: dict[str, Any] = {
        "status": status,
        "headers": headers or [],
        "body": [[0, chunk] for chunk in chunks],
        "body_size": sum(map(len, chunks)),
        "ended": True,
        **fields,
    }
    return Exchange("1", "http.server", Signature("asgi", "GET", "/"), {}, result, duration_ns=5_000_000)


def json_answer(value: Any, *headers: list[bytes], **fields: Any) -> Exchange:
    return answer(json.dumps(value).encode(), [[b"content-type", b"application/json"], *headers], **fields)


def differences(comparison: Comparison) -> dict[str, tuple[Any, Any]]:
    return {each.path: (each.recorded, each.replayed) for each in comparison.differences}


def ignored(comparison: Comparison) -> list[str]:
    return [each.path for each in comparison.ignored]


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_an_answer_is_the_same_as_itself(value: Any) -> None:
    assert compare(json_answer(value), json_answer(value)) == Comparison()


@given(JSON, JSON)
def test_two_json_answers_differ_exactly_when_their_values_do(one: Any, two: Any) -> None:
    found = compare(json_answer({"value": one}), json_answer({"value": two}))
    is_same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (not found.differences) == is_same or found.ignored


# ---- status, headers -------------------------------------------------------------------------------------------------


def test_another_status_is_a_difference() -> None:
    assert differences(compare(answer(status=200), answer(status=201))) == {"status": (200, 201)}


def test_an_exception_before_the_answer_is_a_500() -> None:
    failed = {"type": "builtins.KeyError", "message": "'total'", "traceback": "", "frame": "", "cancelled": False}
    was, now = answer(status=None, exception=failed), answer(status=200)
    cancelled: dict[str, Any] = {**failed, "cancelled": True}
    found = differences(compare(was, now))
    assert found["status"] == (500, 200)
    assert found["exception.type"] == ("builtins.KeyError", None)
    assert found["exception.message"] == ("'total'", None)
    assert status_of({"status": None, "exception": cancelled}) is None


def test_r22_a_changed_second_cookie_is_reported_with_its_place() -> None:
    was = answer(headers=[[b"set-cookie", b"a=1; Path=/"], [b"Set-Cookie", b"b=2; Path=/"]])
    now = answer(headers=[[b"set-cookie", b"a=1; Path=/"], [b"set-cookie", b"b=2; Path=/x"]])
    found = differences(compare(was, now))
    assert list(found) == ["headers.set-cookie[1]"]
    assert found["headers.set-cookie[1]"][1].endswith("Path=/x")


def test_case_and_order_of_different_names_mean_nothing_and_order_of_one_name_does() -> None:
    was = answer(headers=[[b"X-A", b"1"], [b"vary", b"one"], [b"vary", b"two"]])
    same = answer(headers=[[b"vary", b"one"], [b"x-a", b"1"], [b"Vary", b"two"]])
    other = answer(headers=[[b"x-a", b"1"], [b"vary", b"two"], [b"vary", b"one"]])
    assert compare(was, same) == Comparison()
    assert list(differences(compare(was, other))) == ["headers.vary[0]", "headers.vary[1]"]


def test_a_header_that_is_missing_or_new_is_a_difference() -> None:
    found = compare(answer(headers=[[b"location", b"/a"]]), answer(headers=[[b"x-new", b"\xe9"]]))
    assert differences(found) == {"headers.location": ("/a", None), "headers.x-new": (None, "\xe9")}


# ---- R37: what counts as a different response ------------------------------------------------------------------------

MINTED = [b"date", b"X-Request-Id", b"traceparent", b"Server-Timing", b"traceresponse", b"x-trace-id", b"server"]


def test_r37_headers_minted_per_call_are_ignored_and_listed() -> None:
    was = answer(headers=[[name, b"one"] for name in MINTED])
    now = answer(headers=[[name, b"two"] for name in MINTED])
    found = compare(was, now)
    assert found.differences == ()
    assert ignored(found) == [f"headers.{name.decode().lower()}" for name in MINTED]
    assert {each.reason for each in found.ignored} == {"minted per call"}


def test_r37_a_minted_header_that_is_gone_is_a_difference() -> None:
    found = compare(answer(headers=[[b"x-request-id", b"one"]]), answer())
    assert differences(found) == {"headers.x-request-id": ("one", None)}


def test_r37_names_that_a_framework_joins_from_a_set_come_in_any_order() -> None:
    was = answer(headers=[[b"allow", b"GET, HEAD"], [b"vary", b"Accept, Cookie"]])
    found = compare(was, answer(headers=[[b"allow", b"HEAD, GET"], [b"vary", b"Cookie, Accept"]]))
    assert (found.differences, ignored(found)) == ((), ["headers.allow", "headers.vary"])
    other = compare(was, answer(headers=[[b"allow", b"HEAD, POST"], [b"vary", b"Accept, Cookie"]]))
    assert differences(other) == {"headers.allow": ("GET, HEAD", "HEAD, POST")}


def test_r37_the_value_of_a_csrf_cookie_is_ignored_but_not_that_it_is_there() -> None:
    was = answer(headers=[[b"set-cookie", b"csrftoken=abc; Path=/"]])
    assert differences(compare(was, answer(headers=[[b"set-cookie", b"csrftoken=xyz; Path=/"]]))) == {}
    removed = differences(compare(was, answer()))
    assert list(removed) == ["headers.set-cookie"]
    assert removed["headers.set-cookie"][0].startswith("csrftoken=")
    changed = compare(was, answer(headers=[[b"set-cookie", b"csrftoken=xyz; Path=/other"]]))
    assert list(differences(changed)) == ["headers.set-cookie"]


def test_a_cookies_expiry_counted_from_now_may_be_a_second_off() -> None:
    was = answer(headers=[[b"set-cookie", b"a=; Expires=Wed, 01 Jan 2031 00:00:00 GMT"]])
    near = answer(headers=[[b"set-cookie", b"a=; Expires=Wed, 01 Jan 2031 00:00:01 GMT"]])
    far = answer(headers=[[b"set-cookie", b"a=; Expires=Wed, 01 Jan 2031 00:00:09 GMT"]])
    assert ignored(compare(was, near)) == ["headers.set-cookie"]
    assert list(differences(compare(was, far))) == ["headers.set-cookie"]


def test_a_cookies_attribute_under_another_name_is_a_difference() -> None:
    was = answer(headers=[[b"set-cookie", b"a=; Expires=Wed, 01 Jan 2031 00:00:00 GMT"]])
    now = answer(headers=[[b"set-cookie", b"a=; Domain=Wed, 01 Jan 2031 00:00:00 GMT"]])
    assert list(differences(compare(was, now))) == ["headers.set-cookie"]


def test_r37_a_number_in_the_body_that_changes_is_reported_with_path_and_both_values() -> None:
    was = json_answer({"items": [{"total": 1}, {"total": 20}]}, [b"content-length", b"1"])
    now = json_answer({"items": [{"total": 1}, {"total": 200}]}, [b"content-length", b"2"])
    found = compare(was, now)
    assert differences(found) == {"body.$.items[1].total": (20, 200)}
    assert [(each.path, each.reason) for each in found.ignored] == [("headers.content-length", "follows from the body")]


def test_a_content_length_without_a_body_is_compared() -> None:
    was, now = answer(headers=[[b"content-length", b"10"]]), answer(headers=[[b"content-length", b"11"]])
    assert differences(compare(was, now)) == {"headers.content-length": ("10", "11")}


def test_a_clock_reading_within_the_request_is_ignored_and_a_later_one_is_not() -> None:
    was = json_answer({"at": 1767225600.123})
    assert ignored(compare(was, json_answer({"at": 1767225600.125}))) == ["body.$.at"]
    assert list(differences(compare(was, json_answer({"at": 1767225700.125})))) == ["body.$.at"]
    assert list(differences(compare(json_answer({"price": 10.123}), json_answer({"price": 10.124})))) == [
        "body.$.price"
    ]


# ---- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, {"body.$.a": (1, 1.0)}),
        ({"a": 1}, {"a": True}, {"body.$.a": (1, True)}),
        ({"a": None}, {}, {"body.$.a": (None, "(absent)")}),
        ({}, {"a": 0}, {"body.$.a": ("(absent)", 0)}),
        ({"a b": 1}, {"a b": 2}, {"body.$['a b']": (1, 2)}),
        ({"a-b": 1}, {"a-b": 2}, {"body.$.a-b": (1, 2)}),
        ([1, 2], [1], {"body.$[1]": (2, "(absent)")}),
        ([1, [2]], [1, [3]], {"body.$[1][0]": (2, 3)}),
        ({"a": {}}, {"a": []}, {"body.$.a": ({}, [])}),
        ("x", "y", {"body.$": ("x", "y")}),
        (0.1, 0.1000000000000001, {"body.$": (0.1, 0.1000000000000001)}),
    ],
)
def test_json_is_compared_path_by_path(was: Any, now: Any, expected: Any) -> None:
    assert differences(compare(json_answer(was), json_answer(now))) == expected


def test_the_order_of_names_and_white_space_mean_nothing_in_json() -> None:
    kind = [[b"content-type", b"application/json"]]
    assert compare(answer(b'{"a":1,"b":2}', kind), answer(b'{ "b": 2,\n "a": 1 }', kind)).differences == ()


def test_text_is_compared_line_by_line() -> None:
    kind = [[b"content-type", b"text/html"]]
    found = compare(answer(b"one\ntwo\nthree", kind), answer(b"one\n2\nthree", kind))
    assert differences(found) == {"body.line[2]": ("two", "2")}
    found = compare(answer(b"one\nthree", kind), answer(b"one\ntwo\nthree", kind))
    assert differences(found) == {"body.line[2]": ("", "two")}
    found = compare(answer(b"one\r\n", kind), answer(b"one\n", kind))
    assert differences(found) == {"body": ("one\r\n", "one\n")}
    found = compare(answer(b"one\r\nthe code is AB12CD34", kind), answer(b"one\nthe code is XK81PQ22", kind))
    assert differences(found)["body"] == ("one\r\n", "one\n")  # not the code, which may be excused


def test_very_long_texts_are_compared_line_by_number() -> None:
    was, now = b"\n".join([b"x"] * 3000), b"\n".join([b"x"] * 2999)
    assert list(differences(compare(answer(was), answer(now)))) == ["body.line[3000]"]
    assert bodies.LINES_MAX < 3000


def test_binary_bodies_name_the_first_byte_and_the_length() -> None:
    kind = [[b"content-type", b"image/png"]]
    was, now = bytes(120) + b"\x01rest", bytes(120) + b"\x02re"
    assert differences(compare(answer(was, kind), answer(now, kind))) == {
        "body[120]": (b"\x01rest", b"\x02re"),
        "body.length": (125, 123),
    }


def test_chunks_mean_nothing() -> None:
    found = compare(answer([b"on", b"e"]), answer([b"one"]))
    assert (found.differences, found.ignored) == ((), ())


def test_gzip_is_undone_before_comparing() -> None:
    headers = [[b"content-type", b"application/json"], [b"content-encoding", b"gzip"]]
    was, now = gzip.compress(b'{"a": 1}', mtime=1), gzip.compress(b'{"a": 1}', compresslevel=1, mtime=2)
    assert was != now
    assert compare(answer(was, headers), answer(now, headers)).differences == ()
    found = compare(answer(was, headers), answer(gzip.compress(b'{"a": 2}'), headers))
    assert differences(found) == {"body.$.a": (1, 2)}


def test_a_body_that_was_not_kept_is_said_to_be_not_compared() -> None:
    found = compare(answer([], body_dropped="limit"), answer(b"x"))
    assert found.differences == ()
    assert [(each.path, each.reason) for each in found.ignored] == [
        ("body", "not kept, so it cannot be compared (limit)")
    ]


# ---- clients that left, exceptions -----------------------------------------------------------------------------------


def test_a_stream_that_the_client_left_is_compared_as_far_as_it_was_sent() -> None:
    was = answer(b"tick\ntick\n", ended=False, disconnected_ns=5)
    assert ignored(compare(was, answer(b"tick\ntick\ntick\n"))) == ["body"]
    assert ignored(compare(was, answer(b"tick\n", ended=False))) == ["body"]
    assert list(differences(compare(was, answer(b"tick\ntack\n")))) == ["body.line[2]"]


def test_ranges_of_a_file_are_compared_without_the_boundary_that_was_drawn_for_them() -> None:
    def ranges(drawn: bytes, part: bytes) -> Exchange:
        kind = [b"content-type", b"multipart/byteranges; boundary=" + drawn]
        return answer(b"--%s\r\n\r\n%s\r\n--%s--" % (drawn, part, drawn), [kind], 206)

    was = ranges(b"9a04d337", b"one")
    assert list(differences(compare(was, ranges(b"5cbe07f2", b"one")))) == ["headers.content-type"]
    assert set(differences(compare(was, ranges(b"5cbe07f2", b"two")))) == {"headers.content-type", "body[14]"}


def test_what_the_client_had_heard_when_it_left_and_waited_for_in_vain_is_missing() -> None:
    was, waited_ns = answer(b"tick\ntick\n", ended=False, disconnected_ns=5), int(PATIENCE_S * 10**9) + 5
    assert list(differences(compare(was, answer(b"tick\n", ended=False, disconnected_ns=waited_ns)))) == [
        "body.line[2]"
    ]
    assert ignored(compare(was, answer(b"tick\ntick\ntick\n", ended=False, disconnected_ns=waited_ns))) == ["body"]


def test_a_stream_that_a_middleware_ended_when_the_client_had_left_is_compared_as_far_as_it_was_sent() -> None:
    was = answer(b"tick\ntick\n", disconnected_ns=5, left_before_end=True)
    assert ignored(compare(was, answer(b"tick\ntick\ntick\n", disconnected_ns=5, left_before_end=True))) == ["body"]
    assert ignored(compare(was, answer(b"tick\n", disconnected_ns=5, left_before_end=True))) == ["body"]
    assert list(differences(compare(was, answer(b"tick\n", disconnected_ns=5)))) == ["body.line[2]"]
    assert list(differences(compare(answer(b"a\nb\n", disconnected_ns=5), answer(b"a\n")))) == ["body.line[2]"]


def test_a_cancelled_request_is_not_expected_to_be_cancelled_again() -> None:
    cancelled = {"type": "asyncio.exceptions.CancelledError", "message": "", "cancelled": True}
    was = answer([], status=None, ended=False, exception=cancelled, disconnected_ns=5)
    assert compare(was, answer(b"x")).differences == ()


def test_messages_of_exceptions_are_compared_but_for_memory_addresses() -> None:
    def failed(message: str) -> Exchange:
        return answer(status=None, exception={"type": "builtins.ValueError", "message": message, "cancelled": False})

    found = compare(failed("bad <Order object at 0x7f00aa>"), failed("bad <Order object at 0x7f11bb>"))
    assert ignored(found) == ["exception.message"]
    assert differences(compare(failed("order 42"), failed("order 43"))) == {
        "exception.message": ("order 42", "order 43")
    }
    assert list(differences(compare(failed("at 0xdead"), failed("at 0xbeef and more")))) == ["exception.message"]


# ---- redacted --------------------------------------------------------------------------------------------------------


def test_a_redacted_value_is_compared_by_its_rule_and_listed() -> None:
    was = json_answer({"password": "[redacted:password#aaaaaa]", "name": "me"})
    found = compare(was, json_answer({"password": "another", "name": "me"}))
    assert found.differences == ()
    assert [(each.path, each.reason) for each in found.ignored] == [
        ("body.$.password", "redacted: the values cannot be compared")
    ]
    assert list(differences(compare(was, json_answer({"name": "me"})))) == ["body.$.password"]
    assert list(differences(compare(was, json_answer({"password": None, "name": "me"})))) == ["body.$.password"]


def test_a_secret_of_two_names_is_redacted_under_either() -> None:
    """Which rule met it first depends on what else told it: a login answers its token in a cookie and in the body."""
    was = json_answer({"access_token": "[redacted:cookie#aaaaaa]"}, [b"set-cookie", b"sid=[redacted:cookie#aaaaaa]"])
    now = json_answer({"access_token": "q8Yd-new-one"}, [b"set-cookie", b"sid=q8Yd-new-one"])
    assert ignored(compare(was, now)) == ["headers.set-cookie", "body.$.access_token"]
    text = answer(b"token=[redacted:cookie#aaaaaa]", [[b"content-type", b"text/plain"]])
    assert compare(text, answer(b"token=q8Yd-new-one", [[b"content-type", b"text/plain"]])).differences == ()


def test_a_redacted_cookie_hides_its_value_and_nothing_else() -> None:
    was = answer(headers=[[b"set-cookie", b"sid=[redacted:cookie#aaaaaa]; Path=/"]])
    assert ignored(compare(was, answer(headers=[[b"set-cookie", b"sid=abc; Path=/"]]))) == ["headers.set-cookie"]
    assert list(differences(compare(was, answer(headers=[[b"set-cookie", b"sid=abc"]])))) == ["headers.set-cookie"]
    assert list(differences(compare(was, answer(headers=[[b"set-cookie", b"tid=abc; Path=/"]])))) == [
        "headers.set-cookie"
    ]


def test_an_answer_that_was_not_kept_is_said_to_be_not_compared() -> None:
    lost = Exchange("1", "http.server", Signature("asgi", "GET", "/"), {}, {}, dropped={"reason": "limit", "size": 9})
    open_ = Exchange("1", "http.server", Signature("asgi", "GET", "/"), {}, {}, complete=False)
    assert compare(lost, answer(b"x")).differences == ()
    assert [each.reason for each in compare(lost, answer(b"x")).ignored] == [
        "not kept, so it cannot be compared (limit)"
    ]
    assert "ends before the answer" in compare(open_, answer(b"x")).ignored[0].reason


def test_a_recorded_secret_where_another_one_was_is_a_difference() -> None:
    """The replayed app has it from a recorded answer: both are known, and they are two."""
    was, other = "[redacted:password#aaaaaa]", "[redacted:password#bbbbbb]"
    found = compare(json_answer({"password": was}), json_answer({"password": other}))
    assert differences(found) == {"body.$.password": (was, other)}
    cookie = [[b"set-cookie", b"sid=[redacted:cookie#aaaaaa]"]], [[b"set-cookie", b"sid=[redacted:cookie#bbbbbb]"]]
    assert list(differences(compare(*(answer(headers=each) for each in cookie)))) == ["headers.set-cookie"]


ONE, OTHER = "[redacted:cookie#aaaaaa]", "[redacted:cookie#bbbbbb]"


def asked(answered: Exchange, *cookies: str) -> Exchange:
    return replace(answered, request={"headers": [[b"cookie", "; ".join(cookies).encode()]]})


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (json_answer({"id": f"of {ONE}"}), json_answer({"id": f"of {OTHER}"})),
        (answer(ONE.encode()), answer(OTHER.encode())),
    ],
)
def test_one_secret_of_the_request_where_another_was_is_a_difference(was: Exchange, now: Exchange) -> None:
    """Whether both were sent as their markers, or as secrets which the replay knows by these."""
    for sent in ((ONE, OTHER), ("mine", "others")):
        found = compare(asked(was, *sent), replace(asked(now, ONE, OTHER), redacted=("result.body",)))
        assert len(found.differences) == 1, found
        assert compare(asked(was, *sent), asked(was, ONE, OTHER)) == Comparison()


def test_what_was_sent_as_a_marker_may_stand_for_a_secret_of_any_spelling() -> None:
    for was in ("Ada", "[redacted:token#cccccc]", f"{ONE} or Ada"):
        found = compare(asked(json_answer({"name": f"of {was}"}), ONE), asked(json_answer({"name": f"of {ONE}"}), ONE))
        assert ignored(found) == ["body.$.name"]


def test_what_was_sent_as_a_secret_stands_for_nothing_else() -> None:
    found = compare(asked(json_answer({"state": "failed"}), "mine"), asked(json_answer({"state": ONE}), ONE))
    assert differences(found) == {"body.$.state": ("failed", ONE)}


def test_an_answer_that_the_replay_did_not_keep_is_a_difference() -> None:
    found = compare(answer(b"x"), answer([], body_dropped="limit", body_size=70_000_000))
    assert differences(found) == {"body": ("1 bytes", "70000000 bytes, not kept (limit)")}
    nothing = Exchange("1", "http.server", Signature("asgi", "GET", "/"), {}, {}, complete=False)
    assert list(differences(compare(answer(b"x"), nothing))) == ["result"]


def test_an_answer_that_breaks_off_is_a_difference() -> None:
    assert differences(compare(answer(b"x"), answer(b"x", ended=False))) == {"body.ended": (True, False)}
    assert differences(compare(answer(b"x", ended=False), answer(b"x"))) == {"body.ended": (False, True)}


def test_a_stream_that_ends_before_the_recorded_client_left_is_a_difference() -> None:
    was = answer(b"tick\ntick\n", ended=False, disconnected_ns=5)
    assert list(differences(compare(was, answer(b"tick\n")))) == ["body.line[2]"]


@pytest.mark.parametrize("end", [b"\r\n", b""])
def test_the_end_of_a_line_counts_beside_a_value_that_is_ignored(end: bytes) -> None:
    text = [[b"content-type", b"text/plain"]]
    found = compare(answer(b"<o at 0x1f>\nb\n", text), answer(b"<o at 0x2f>\nb" + end, text))
    assert (list(differences(found)), ignored(found)) == (["body"], ["body.line[1]"])


def test_r37_a_minted_value_that_is_empty_now_is_a_difference() -> None:
    for name, was, now in (
        (b"x-request-id", b"7f3a", b""),
        (b"set-cookie", b"csrftoken=7f3a; Path=/", b"csrftoken=; Path=/"),
    ):
        found = compare(answer(headers=[[name, was]]), answer(headers=[[name, now]]))
        assert list(differences(found)) == [f"headers.{name.decode()}"]


# ---- R40: large bodies -----------------------------------------------------------------------------------------------

BINARY: Pairs = [[b"content-type", b"application/octet-stream"]]


def test_r40_a_body_of_40_mb_is_compared_in_little_memory_by_its_checksum_and_first_difference() -> None:
    block = bytes(range(256)) * 256
    recorded, replayed = [block] * 640, [*[block] * 639, block[:-1] + b"!"]
    tracemalloc.start()
    try:
        found = compare(answer(recorded, BINARY), answer(replayed, BINARY))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 200 * MIB
    assert differences(found) == {
        f"body[{40 * MIB - 1}]": (b"\xff", b"!"),
        "body.sha256": (_sha256(recorded), _sha256(replayed)),
    }


def _sha256(chunks: list[bytes]) -> str:
    return hashlib.sha256(b"".join(chunks)).hexdigest()


def test_r40_the_report_has_size_and_checksum_of_what_is_too_large_to_be_read() -> None:
    large, small = answer([b"x" * MIB, b"!"], BINARY), answer(b"x!", BINARY)
    assert ENTRY.outcome(large).fields["body"] == {"size": MIB + 1, "sha256": _sha256([b"x" * MIB, b"!"])}
    assert ENTRY.outcome(small).fields["body"] == b"x!"


def test_text_of_many_megabytes_is_compared_as_bytes() -> None:
    text, kind = b"a line\n" * 2_500_000, [[b"content-type", b"text/plain"]]
    found = compare(answer(text, kind), answer(text.replace(b"line", b"lime"), kind))
    assert [*differences(found)] == ["body[4]", "body.sha256"]


def test_a_secret_in_a_binary_body_is_the_same_secret_under_another_key() -> None:
    now = b"\0 AKIAIOSFODNN7EXAMPLE \0"
    one = answer(Redactor().data(now), BINARY)
    found = compare(one, answer(now, BINARY))
    assert (differences(found), ignored(found)) == ({}, ["body"])
    assert differences(compare(one, answer(now + b"!", BINARY))) != {}


@given(st.binary(max_size=400), st.binary(max_size=400), st.integers(0, 3))
def test_the_common_start_is_what_both_begin_with(start: bytes, rest: bytes, blocks: int) -> None:
    one = b"." * blocks * (64 * 1024) + start + b"\0" + rest
    other = b"." * blocks * (64 * 1024) + start + b"\1" + rest
    assert common_start(one, other) == blocks * 64 * 1024 + len(start)
    assert common_start(one, one) == len(one)
    assert common_start(one, one + rest) == len(one)


# ---- chunks ----------------------------------------------------------------------------------------------------------


def chunks(was: list[bytes], now: list[bytes], **fields: Any) -> list[tuple[str, Any, Any]]:
    found = compare(answer(was), answer(now, **fields))
    return [(each.path, each.recorded, each.replayed) for each in found.on_request]


def test_the_same_content_in_other_chunks_differs_only_for_who_asks() -> None:
    assert compare(answer([b"ab", b"c"]), answer([b"a", b"bc"])).differences == ()
    assert chunks([b"ab", b"c"], [b"a", b"bc"]) == [("body.chunk[0]", b"ab", b"a"), ("body.chunk[1]", b"c", b"bc")]


def test_a_changed_chunk_is_exactly_that_one() -> None:
    assert chunks([b"a", b"b", b"c"], [b"a", b"x", b"c"]) == [("body.chunk[1]", b"b", b"x")]
    assert chunks([b"a", b"b"], [b"a"]) == [("body.chunk[1]", b"b", None)]


def test_chunks_are_not_compared_where_not_every_border_was_kept_or_secrets_were_masked() -> None:
    assert chunks([b"a"], [b"b"], body_chunks=30_000) == []
    assert chunks([b"[redacted:token#123456]"], [b"b"]) == []
