"""R38: what a server would not tell apart is one request; everything else is another."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest

from timetracer_otel.cassette.model import Exchange, Payload, Signature
from timetracer_otel.drivers.http.asking import answer
from timetracer_otel.drivers.http.questions import question
from timetracer_otel.drivers.http.requests import unsent
from timetracer_otel.replay.instants import window
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.library import Library, Recorded
from timetracer_otel.replay.origin import Origins
from timetracer_otel.replay.session import Session

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"


def request(body: bytes = b"", kind: bytes = b"", query: bytes = b"", path: bytes = b"/a", **headers: Any) -> Payload:
    named = [[name.replace("_", "-").encode(), value.encode("latin-1")] for name, value in headers.items()]
    place: dict[str, Any] = {"method": "POST", "scheme": "https", "host": "api.test", "port": 443, "path": path}
    return {**place, "query": query, "headers": [*named, *([[b"Content-Type", kind]] if kind else [])], "body": body}


def key(asked: Payload) -> Any:
    found = question(asked)
    return found.shape, tuple((slot.path, slot.key) for slot in found.slots)


def multipart(boundary: bytes, value: bytes) -> Payload:
    part = b'--%b\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n--%b--\r\n' % (boundary, value, boundary)
    return request(part, b"multipart/form-data; boundary=" + boundary)


def begun(sent: bytes, is_answered: bool = False, **more: Any) -> Payload:
    """A request whose body was not sent to its end."""
    asked = {name: value for name, value in request(**more).items() if name != "body"}
    return {**asked, "unsent": {**unsent(sent), "is_answered": is_answered}}


SAME = {
    "the order of names in JSON, and space": (request(b'{"a":1,"b":[2]}', JSON), request(b'{"b": [2], "a": 1}', JSON)),
    "the order of fields": (request(b"a=1&b=2", FORM), request(b"b=2&a=1", FORM)),
    "the spelling of a form": (request(b"a=%7e+1", FORM), request(b"a=~%201", FORM)),
    "the order of names in JSON that is called a form": (
        request(b'{"a":1,"b":2}', FORM),
        request(b'{"b":2,"a":1}', FORM),
    ),
    "the order of a query": (request(query=b"a=1&b=2"), request(query=b"b=2&a=1")),
    "the boundary": (multipart(b"x1", b"v"), multipart(b"y2", b"v")),
    "when it was compressed": tuple(
        request(gzip.compress(b'{"a":1}', mtime=at), JSON, Content_Encoding="gzip") for at in (1, 2)
    ),
    "UTF-8 and no word of it": (request(b"a", b"text/plain; charset=UTF-8"), request(b"a", b"Text/plain")),
    "the trace": (request(traceparent="00-1"), request(traceparent="00-2", baggage="timetracer.replay=x")),
    "whether there is a proxy": (request(Proxy_Authorization="Basic YTpi", Proxy_Connection="keep-alive"), request()),
    "the date": (request(Date="Mon"), request(Date="Tue")),
    "what names the client": (request(User_Agent="httpx/1"), request(User_Agent="httpx/2", Accept_Encoding="br")),
    "the case of a header": (request(X_Tenant="a"), request(x_tenant="a")),
    "a signature of S3": tuple(
        request(query=b"k=1&X-Amz-Date=%d&X-Amz-Credential=a&X-Amz-Signature=%d" % (at, at)) for at in (1, 2)
    ),
    "a nonce of Digest": tuple(
        request(Authorization=f'Digest username="ann", realm="r", nonce="{at}", response="{at}"') for at in (1, 2)
    ),
    "the day on which AWS was asked": tuple(
        request(Authorization=f"AWS4-HMAC-SHA256 Credential=K/2026010{at}/eu/s3/aws4_request, Signature={at}")
        for at in (1, 2)
    ),
    "a signature of OAuth 1": tuple(
        request(Authorization=f'OAuth oauth_nonce="{at}", oauth_signature="{at}"') for at in (1, 2)
    ),
}
ANOTHER = {
    "1 and 1.0": (request(b'{"a":1}', JSON), request(b'{"a":1.0}', JSON)),
    "a number and its text": (request(b'{"a":1}', JSON), request(b'{"a":"1"}', JSON)),
    "an empty list and an empty object": (request(b"[]", JSON), request(b"{}", JSON)),
    "a name twice": (request(b'{"a":1,"a":2}', JSON), request(b'{"a":2}', JSON)),
    "a plus in JSON that is called a form": (request(b'{"a": "b+c"}', FORM), request(b'{"a": "b c"}', FORM)),
    "a plus in a file that is called a form": (request(b"1, b+c\n", FORM), request(b"1, b c\n", FORM)),
    "an ampersand in XML that is called a form": (request(b"<a>&b=1&c</a>", FORM), request(b"<a>&c</a>&b=1", FORM)),
    "the order within one name": (request(query=b"a=1&a=2"), request(query=b"a=2&a=1")),
    "an empty value and none": (request(query=b"a="), request(query=b"a")),
    "a header of the application's": (request(X_Tenant="a"), request(X_Tenant="b")),
    "a header that is not there": (request(Range="bytes=0-1"), request()),
    "the type of the same body": (request(b"a=1", FORM), request(b"a=1", b"text/plain")),
    "the charset of the same body": (request(b"a", b"text/plain;charset=latin-1"), request(b"a", b"text/plain")),
    "the version of a media type": (request(b"{}", JSON + b";version=1"), request(b"{}", JSON + b"; version=2")),
    "a part of a multipart body": (multipart(b"x1", b"v"), multipart(b"x1", b"w")),
    "the user of Digest": tuple(request(Authorization=f'Digest username="{u}", nonce="1"') for u in ("ann", "bob")),
    "the key of AWS": tuple(
        request(Authorization=f"AWS4-HMAC-SHA256 Credential={k}/1/eu/s3/aws4_request, Signature=1") for k in ("A", "B")
    ),
    "the consumer of OAuth 1": tuple(
        request(Authorization=f'OAuth oauth_consumer_key="{k}", oauth_nonce="1"') for k in ("a", "b")
    ),
    "a token under the name of OAuth": (request(Authorization="OAuth a"), request(Authorization="OAuth b")),
    "what was sent of a body": (begun(b"ab"), begun(b"ac")),
    "how much was sent of a body": (begun(b"ab"), begun(b"abc")),
    "how long a body was to be": tuple(
        begun(b"ab", is_answered=True, Content_Length=length) for length in ("10", "11")
    ),
    "the type of a body that broke off": (begun(b"ab", kind=JSON), begun(b"ab", kind=FORM)),
    "a path": (request(path=b"/a"), request(path=b"/A")),
    "sig without a signature": (request(query=b"sig=1&se=1"), request(query=b"sig=2&se=1")),
}


@pytest.mark.parametrize("what", SAME)
def test_r38_the_same_to_a_server_is_one_request(what: str) -> None:
    one, other = SAME[what]
    assert key(one) == key(other)


@pytest.mark.parametrize("what", ANOTHER)
def test_r38_what_a_server_distinguishes_is_another_request(what: str) -> None:
    one, other = ANOTHER[what]
    assert key(one) != key(other)


def test_a_field_that_is_not_escaped_equals_itself_with_a_marker_that_is() -> None:
    """Masking spells the fields anew that it hits."""
    asked = request(b'a=b c&payload={"token": "T", "n": 1}', FORM)
    masked = request(b"a=b c&payload=%7B%22token%22%3A%20%22T%22%2C%20%22n%22%3A%201%7D", FORM)
    assert key(asked) == key(masked)


# ---- secrets and keys ------------------------------------------------------------------------------------------------


def session(*requests: Payload, results: Mapping[int, Payload] | None = None) -> Session:
    signature, given = Signature("http", "POST", "api.test/a"), results or {}
    exchanges = tuple(
        Exchange(f"e-{number}", "http.client", signature, asked, given.get(number, {}), at_ns=number * 10)
        for number, asked in enumerate(requests)
    )
    limits = window(0, 1)
    library = Library(exchanges, lambda each: question(each.request))
    return Session(Recorded("segment", exchanges), library, Origins((), limits, lambda: limits), MemoryJournal())


def taken(source: Session, asked: Payload) -> str | None:
    from timetracer_otel.drivers.base import Asked

    found = source.take(question(asked), Asked())
    return found.id if found is not None else None


class Host:
    """Implements what `answer` asks of a ReplayHost."""

    def __init__(self, source: Session) -> None:
        self._source = source

    def current(self) -> Any:
        from timetracer_otel.drivers.base import Asked

        return self._source, Asked()


def answered(source: Session, asked: Payload) -> str | None:
    try:
        return answer(Host(source), asked, LookupError).exchange.id  # type: ignore[arg-type]  # as much as it asks for
    except LookupError:
        return None


def test_r39_an_upload_that_broke_off_answers_only_one_that_begins_in_the_same_way() -> None:
    recorded = (begun(b"first 4", kind=b"text/plain"), begun(b"first", kind=b"text/plain"))
    source = session(*recorded)
    asked = [
        request(body, b"text/plain") for body in (b"fir", b"other of them", b"first 5 of them", b"first 4 of them")
    ]
    assert [answered(source, each) for each in asked] == [None, None, "e-1", "e-0"]
    large: dict[str, Any] = {"size": 9, "sha256": "0"}
    prefixes: dict[str, Any] = {str(len(b"first")): unsent(b"first")["sha256"]}
    asked_large: dict[str, Any] = {
        **{k: v for k, v in request(kind=b"text/plain").items() if k != "body"},
        "upload": large,
    }
    assert answered(session(*recorded), {**asked_large, "prefixes": prefixes}) == "e-1"
    assert answered(session(*recorded), asked_large) is None


def bearer(secret: str, **more: Any) -> Payload:
    return request(Authorization=f"Bearer {secret}", **more)


ANN, BOB = "[redacted:authorization#aaaaaa]", "[redacted:token#bbbbbb]"


def test_two_users_on_one_url_are_told_apart_by_their_markers_and_not_by_order() -> None:
    source = session(bearer(ANN), bearer(BOB))
    assert taken(source, bearer("[redacted:token#bbbbbb]")) == "e-1"
    assert taken(source, bearer("[redacted:session#aaaaaa]")) == "e-0"


def test_a_real_secret_that_fits_two_users_proves_nothing() -> None:
    assert taken(session(bearer(ANN), bearer(BOB)), bearer("real")) is None
    assert taken(session(bearer(ANN), bearer(ANN)), bearer("real")) == "e-0"


def test_a_real_secret_is_none_that_an_answer_told_first() -> None:
    """A token that is refused and fetched anew: of the new one the application has the marker."""
    requests = bearer(ANN), request(path=b"/token"), bearer(BOB)
    token: Payload = {"body": [f'{{"access_token": "{BOB}"}}'.encode()]}
    source = session(*requests, results={1: token})
    assert [taken(source, bearer(each)) for each in ("real", BOB)] == ["e-0", "e-2"]
    again = session(*requests, results={1: token})
    assert [taken(again, bearer(each)) for each in (BOB, "real", "real")] == ["e-2", "e-0", None]


def test_a_secret_that_only_comes_back_in_an_answer_may_be_the_real_one() -> None:
    echoed: Payload = {"body": [f'{{"your_key": "{ANN}"}}'.encode()]}
    source = session(bearer(ANN), bearer(BOB), bearer(ANN), results={0: echoed})
    assert taken(source, bearer("real")) is None


FIRST, SECOND = "0b9e6a2e-1111-c111-8111-111111111111", "0b9e6a2e-2222-7222-8222-222222222222"
NEW, OTHER = "ffffffff-3333-2333-8333-333333333333", "ffffffff-4444-9444-8444-444444444444"


def test_an_idempotency_key_stands_for_another_one_to_one() -> None:
    """The first request was tried again with its key; the second had its own."""
    recorded = [bearer(ANN, Idempotency_Key=each) for each in (FIRST, FIRST, SECOND)]
    source = session(*recorded)
    assert [taken(source, bearer("real", Idempotency_Key=each)) for each in (NEW, NEW, OTHER)] == ["e-0", "e-1", "e-2"]
    again = session(*recorded)
    given = [taken(again, bearer("real", Idempotency_Key=each)) for each in (NEW, NEW, NEW)]
    assert given == ["e-0", "e-1", None]


def test_an_idempotency_key_of_the_applications_own_making_is_compared() -> None:
    source = session(request(Idempotency_Key="order-1"))
    assert taken(source, request(Idempotency_Key="order-2")) is None
    assert taken(source, request(Idempotency_Key="order-1")) == "e-0"


def test_no_body_of_anybody_is_too_odd_to_be_compared() -> None:
    for body in (b"\xff\x00", b"[" * 100_000, b'{"a":', b"=&&=", json.dumps({"a" * 300: None}).encode()):
        for kind in (JSON, FORM, b"multipart/form-data; boundary=x", b"text/plain; charset=utf-16"):
            assert key(request(body, kind)) == key(request(body, kind))
