"""What the user supplies in place of markers: which, where and how it is spelt, and what may be told of it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.asgi.replay import ENTRY as ASGI
from timetracer_otel.drivers.celery.replay import ENTRY as CELERY
from timetracer_otel.errors import ReplayError
from timetracer_otel.redaction.codings import decode, encode
from timetracer_otel.replay.origin import Origins
from timetracer_otel.replay.supplying import Supply

BEARER = "[redacted:authorization#0000a1]"
SESSION = "[redacted:cookie#0000b2]"
CSRF = "[redacted:cookie#0000c3]"
TOKEN = "[redacted:token#0000d4]"
PASSWORD = "[redacted:password#0000e5]"
ENCODED = "%5Bredacted%3Atoken%230000d4%5D"
ODD = 'a "b"/\\&=+ \u00e9%'


def http(body: list[bytes], headers: dict[str, str] | None = None, query: str = "") -> Exchange:
    request: dict[str, Any] = {
        "method": "POST",
        "path": "/x",
        "query_string": query.encode(),
        "headers": [[name.encode(), value.encode()] for name, value in (headers or {}).items()],
        "body": [[number, chunk] for number, chunk in enumerate(body)],
        "body_size": sum(map(len, body)),
    }
    return Exchange("p-1", "http.server", Signature("starlette", "POST", "/x"), request, {})


def sent(recorded: Exchange, **named: str) -> Any:
    return Supply(named, ASGI.supplied, recorded).into(recorded).request


def left(recorded: Exchange, **named: str) -> list[str]:
    return list(Supply(named, ASGI.supplied, recorded).left())


def test_each_place_of_a_request_has_it_as_its_marker_was_spelt() -> None:
    chunks = [b'{"token": "', TOKEN.encode(), b'", "of": 1}']
    size = str(sum(map(len, chunks)))
    recorded = http(chunks, {"x-token": TOKEN, "content-length": size}, f"token={ENCODED}&page=2")
    request = sent(recorded, token=ODD)
    body = b"".join(chunk for _, chunk in request["body"])
    assert json.loads(body) == {"token": ODD, "of": 1}
    assert [at for at, _ in request["body"]] == [0, 1, 2]
    assert request["body_size"] == len(body)
    assert dict(request["headers"]) == {b"x-token": ODD.encode(), b"content-length": str(len(body)).encode()}
    assert request["query_string"] == b"token=a%20%22b%22%2F%5C%26%3D%2B%20%C3%A9%25&page=2"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "deflate, gzip"])
def test_a_body_that_is_compressed_has_it_too(coding: str) -> None:
    coded = tuple(coding.split(", "))
    body = encode(json.dumps({"token": TOKEN}).encode(), coded)
    recorded = http([body[:9], body[9:]], {"content-encoding": coding, "content-length": str(len(body))})
    request = sent(recorded, token=ODD)
    body = b"".join(chunk for _, chunk in request["body"])
    assert json.loads(decode(body, coded) or b"") == {"token": ODD}
    assert dict(request["headers"])[b"content-length"] == str(len(body)).encode()
    assert left(recorded)[0].endswith(": token")


def test_a_body_that_nobody_can_look_into_stays_as_it_is() -> None:
    for body in (b"\x1f\x8b\x08damaged", TOKEN.encode()):
        recorded = http([body], {"content-encoding": "br", "x-token": TOKEN})
        assert sent(recorded, token="x")["body"] == [[0, body]]
    lies = http([TOKEN.encode()], {"content-encoding": "gzip"})
    assert sent(lies, token="x")["body"] == [[0, b"x"]]


def test_what_is_not_supplied_stays_the_object_that_it_was() -> None:
    recorded = http([TOKEN.encode()], {"authorization": f"Bearer {BEARER}"})
    assert Supply({}, ASGI.supplied, recorded).into(recorded) is recorded
    assert Supply({"nobody": "x"}, ASGI.supplied, recorded).into(recorded).request == recorded.request
    task = Exchange("p-1", "task.run", Signature("celery", "run", "t"), {"kwargs": {"n": 1}}, {})
    assert Supply({"token": "x"}, CELERY.supplied, task).into(task) is task


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION#0000a1"])
def test_a_name_is_one_in_any_style(name: str) -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}"})
    assert dict(sent(recorded, **{name: "x"})["headers"]) == {b"authorization": b"Bearer x"}


@pytest.mark.parametrize("value", ["eyJ", "Bearer eyJ", "bearer eyJ"])
def test_the_scheme_of_a_header_is_not_doubled(value: str) -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}"})
    assert dict(sent(recorded, authorization=value)["headers"]) == {b"authorization": b"Bearer eyJ"}
    basic = http([], {"authorization": f"Basic {BEARER}"})
    assert dict(sent(basic, authorization="Bearer eyJ")["headers"]) == {b"authorization": b"Basic Bearer eyJ"}


async def later() -> str:
    await asyncio.sleep(0)
    return "eyJ"


def runs_a_loop() -> str:
    return asyncio.run(later())


def leaves() -> str:
    sys.exit(3)


@pytest.mark.parametrize("function", ["later", "runs_a_loop"])
def test_a_function_may_need_an_event_loop_where_one_runs(function: str) -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}"})

    async def entering() -> Any:
        return sent(recorded, authorization=f"{__name__}:{function}()")

    assert dict(asyncio.run(entering())["headers"]) == {b"authorization": b"Bearer eyJ"}


def test_a_function_that_leaves_the_process_is_told_in_one_line() -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}"})
    with pytest.raises(ReplayError, match=r"--secret authorization: .*:leaves\(\) raised SystemExit: 3; correct it"):
        sent(recorded, authorization=f"{__name__}:leaves()")


@pytest.mark.parametrize("source", ["shop:Token.make()", ".shop:token()", "shop:token() ", "a b:token()"])
def test_what_is_meant_as_a_function_is_not_sent_as_a_secret(source: str) -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}"})
    with pytest.raises(ReplayError, match=r"--secret authorization: it names no function; write module:function\(\)$"):
        sent(recorded, authorization=source)
    assert dict(sent(recorded, authorization="ada:()x")["headers"]) == {b"authorization": b"Bearer ada:()x"}


@pytest.mark.parametrize("name", ["...", "#", "#0000a1", "\u00e9"])
def test_a_name_without_letters_calls_nothing(name: str) -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}"})
    assert left(recorded, **{name: "x"})[1:] == [f"--secret {name}: no secret of the request is called so"]


def test_cookies_and_fields_are_called_by_their_own_names() -> None:
    recorded = http([f"password={PASSWORD}".encode()], {"cookie": f"session={SESSION}; csrf_token={CSRF}"})
    assert left(recorded)[0].endswith(": session, csrf_token, password")
    request = sent(recorded, Session="s1", csrfToken="c1", password="p1")
    assert dict(request["headers"]) == {b"cookie": b"session=s1; csrf_token=c1"}
    assert request["body"] == [[0, b"password=p1"]]
    with pytest.raises(
        ReplayError, match="several secrets of the request are called so: session, csrf_token; name one"
    ):
        sent(recorded, cookie="x")


def test_two_of_one_name_are_told_apart_by_their_digits() -> None:
    other = TOKEN.replace("0000d4", "0000ff")
    recorded = http([json.dumps({"token": TOKEN, "next": {"token": other}}).encode()])
    assert left(recorded)[0].endswith(": token#0000d4, token#0000ff")
    with pytest.raises(ReplayError, match="token#0000d4, token#0000ff"):
        sent(recorded, token="x")
    request = sent(recorded, **{"token#0000ff": "second"})
    assert json.loads(request["body"][0][1]) == {"token": TOKEN, "next": {"token": "second"}}


def test_what_stays_masked_is_told_with_the_names_that_no_secret_has() -> None:
    recorded = http([], {"authorization": f"Bearer {BEARER}", "cookie": f"session={SESSION}"})
    assert left(recorded, sesion="x") == [
        "secrets of the request are masked, what checks one refuses it (--secret supplies one): authorization, session",
        "--secret sesion: no secret of the request is called so",
    ]
    whole = Supply({"session": "x", "authorization": "y", "of_others": "z"}, ASGI.supplied, recorded)
    assert list(whole.left()) == []
    assert whole.told() == "sent in place of markers, as you supplied them: session, authorization"


def test_one_value_for_two_secrets_is_told() -> None:
    recorded = http([TOKEN.encode()], {"authorization": f"Bearer {BEARER}", "x-csrf-token": CSRF})
    supply = Supply({"token": "x", "authorization": "y", "cookie": "x"}, ASGI.supplied, recorded)
    supply.into(recorded)
    assert list(supply.left()) == [
        "one value was sent for several secrets, and what the application hands on is known as one: token, cookie"
    ]


def test_what_recorded_answers_hold_too_is_told() -> None:
    recorded = http([TOKEN.encode()], {"authorization": f"Bearer {BEARER}"})
    supply = Supply({"token": "x", "authorization": "y"}, ASGI.supplied, recorded)
    assert list(supply.held([{"rows": [["a", f"of {TOKEN.replace('token', 'key')}"]]}, {"body": [[0, b"x"]]}])) == [
        "recorded answers hold markers of what you supplied, what compares the two finds another: token"
    ]
    assert list(supply.held([])) == list(supply.held([{"rows": [SESSION]}])) == []


def test_arguments_of_a_task_have_it_in_text_in_bytes_and_in_json() -> None:
    kwargs: Any = {"token": TOKEN, "raw": TOKEN.encode(), "body": json.dumps({"token": TOKEN}), "n": [1, None, 2.5]}
    recorded = Exchange("p-1", "task.run", Signature("celery", "run", "t"), {"args": [TOKEN], "kwargs": kwargs}, {})
    request: Any = Supply({"token": ODD}, CELERY.supplied, recorded).into(recorded).request
    assert request["args"] == [ODD]
    found = request["kwargs"]
    assert (found["token"], found["raw"], json.loads(found["body"])) == (ODD, ODD.encode(), {"token": ODD})
    assert found["n"] is kwargs["n"]


def test_a_secret_that_is_a_word_of_an_answer_makes_no_difference_where_it_was_said_before() -> None:
    recorded = http([], {"x-token": TOKEN})
    supply = Supply({"token": "failed"}, ASGI.supplied, recorded)
    supply.into(recorded)
    assert supply.are_same(f"failed for {TOKEN}", f"{TOKEN} for {TOKEN}")
    assert not supply.are_same("passed", TOKEN)
    assert not supply.are_same(1, True)


def test_from_then_on_a_marker_and_its_secret_stand_for_each_other_alone() -> None:
    origins = Origins((), (0, 0), lambda: (0, 0))
    origins.supplied([(TOKEN, "mine/1")])
    assert origins.proves_text(f"of {TOKEN}", "of mine/1") is not None
    assert origins.proves_text(f"?t={ENCODED}", "?t=mine%2F1") is not None
    assert origins.proves_text("[redacted:cookie#0000d4]", "mine/1") is not None  # its rule goes by the place
    assert origins.proves_text(f"of {TOKEN}", "of another") is None
    assert origins.proves_text("of [redacted:token#0000ff]", "of mine/1") is None


def test_a_short_secret_is_sent_and_not_looked_for_in_the_report() -> None:
    recorded = http([], {"x-token": TOKEN})
    supply = Supply({"token": "12"}, ASGI.supplied, recorded)
    supply.into(recorded)
    assert (supply.secrets, supply.hidden()) == ([(TOKEN, "12")], [])
    assert supply.known() == {b"12": TOKEN.encode()}
