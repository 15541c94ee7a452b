"""What came over the wire comes out again, however it was cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.drivers.http.framing import response_of, wire_of

HEADS = (b"HTTP/1.1 200 OK\r\nX-A: b\r\n", b"HTTP/1.0 404 \r\nx-a: \xe9\r\n")
CONTENT = st.binary(max_size=60)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    head, body = draw(st.sampled_from(HEADS)), draw(CONTENT)
    how = draw(st.sampled_from(["length", "chunked", "end"]))
    if how == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if how == "end":
        return head + b"\r\n" + body
    chunks = [each for each in draw(st.lists(CONTENT, max_size=4)) if each]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if data[start:end]]


@given(responses(), st.lists(st.integers(1, 200), max_size=5))
def test_a_response_gives_back_the_same_bytes(data: bytes, places: list[int]) -> None:
    found = response_of(cut(data, places), b"GET")
    assert found is not None
    assert b"".join(wire_of(found)) == data


@given(responses(), st.integers(0, 200), st.lists(st.integers(1, 200), max_size=5))
def test_one_that_was_cut_off_gives_back_at_least_what_came(data: bytes, end: int, places: list[int]) -> None:
    came = data[:end]
    found = response_of(cut(came, places), b"GET")
    if found is not None:
        made = b"".join(wire_of(found))
        assert made.startswith(came) or came.startswith(made)
        assert abs(len(made) - len(came)) <= 18  # framing, never content


@given(st.binary(max_size=200), st.lists(st.integers(1, 200), max_size=5))
def test_any_bytes_are_a_response_or_none(data: bytes, places: list[int]) -> None:
    found = response_of(cut(data, places), b"GET")
    assert found is None or b"".join(wire_of(found)).startswith(data[:20])


def test_reads_stay_what_they_were() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    reads = [head + b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]
    found = response_of(reads, b"GET")
    assert found is not None
    assert found.pieces == [b"one", b"two", b""]
    assert wire_of(found) == reads


def test_what_would_not_come_back_the_same_stays_as_it_came() -> None:
    for odd in (
        b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=1\r\nwiki\r\n0\r\nX-Sum: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ntwo",
        b"HTTP/1.1 200 OK\r\nX-A:\r\n folded\r\n\r\n",
        b"\x00\x01 not http\r\n\r\n",
    ):
        assert response_of([odd], b"GET") is None
