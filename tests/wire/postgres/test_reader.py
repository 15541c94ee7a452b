from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.postgres.client import bind, cancel_request, message, parse, ssl_request, startup
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.reader import STARTUP_MAX_BYTES, FrontendReader
from timetracer_otel.wire.postgres.requests import (
    Bind,
    CancelRequest,
    Close,
    CopyData,
    Describe,
    EncryptionRequest,
    Execute,
    Flush,
    Parse,
    Query,
    Request,
    StartupMessage,
    Sync,
    Terminate,
)

STARTED = startup(user="app")


def read(*pieces: bytes, max_bytes: int = 1000) -> tuple[list[Request], str | None]:
    """The messages that came out, and the error that ended them."""
    reader, found = FrontendReader(max_bytes), list[Request]()
    try:
        for piece in pieces:
            for request in reader.receive(piece):
                found.append(request)
    except WireError as error:
        return found, str(error)
    return found, None


def test_a_client_asks_for_encryption_then_starts_and_queries() -> None:
    found, _ = read(
        ssl_request(), ssl_request(gss=True), startup(user="app", database="shop"), message(b"Q", b"select 1\0")
    )
    assert found == [
        EncryptionRequest(),
        EncryptionRequest(),
        StartupMessage(0, {"user": "app", "database": "shop"}),
        Query("select 1"),
    ]


def test_a_cancel_request_names_the_connection() -> None:
    assert read(cancel_request(7, 9)) == ([CancelRequest(7, b"\0\0\0\x09")], None)


def test_every_message_of_the_extended_protocol_is_parsed() -> None:
    sent = [
        parse("s1", "select $1", 23),
        bind("p1", "s1", [b"\0\0\0\x07", None], formats=[1, 0], result_formats=[1]),
        message(b"D", b"Ss1\0"),
        message(b"E", b"p1\0" + struct.pack("!i", 10)),
        message(b"C", b"Pp1\0"),
        message(b"H"),
        message(b"d", b"anything"),
        message(b"S"),
        message(b"X"),
    ]
    found, error = read(STARTED, *sent)
    assert error is None
    assert found[1:] == [
        Parse("s1", "select $1", (23,)),
        Bind("p1", "s1", (1, 0), (b"\0\0\0\x07", None), (1,)),
        Describe("S", "s1"),
        Execute("p1", 10),
        Close("P", "p1"),
        Flush(),
        CopyData(b"anything"),
        Sync(),
        Terminate(),
    ]


def test_one_format_code_is_for_all_values_and_none_is_text() -> None:
    (_, one, none), _ = read(STARTED, bind("", "", [b"a", b"b"], formats=[1]), bind("", "", [b"a", b"b"]))
    assert isinstance(one, Bind)
    assert isinstance(none, Bind)
    assert (one.formats, none.formats) == ((1, 1), (0, 0))


def test_bytes_that_are_not_utf_8_survive() -> None:
    (_, query), _ = read(STARTED, message(b"Q", b"select '\xff'\0"))
    assert isinstance(query, Query)
    assert query.sql.encode("utf-8", "surrogateescape") == b"select '\xff'"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01",
            f"length 369295618 not in 8..{STARTUP_MAX_BYTES}; is the client speaking TLS",
        ),
        (b"\0\0\0\x04", "length 4 not in 8"),
        (struct.pack("!II", 8, 2 << 16), "protocol 2.0"),
        (struct.pack("!II", 8, 3 << 16), "a text without its NUL"),
        (struct.pack("!II", 9, 3 << 16) + b"\0" + message(b"Q", b"x" * 997), "length 1001 not in 4..1000"),
        (STARTED + b"Q\0\0\0\x03", "length 3 not in 4..1000"),
        (STARTED + message(b"?"), "no such client message"),
        (STARTED + message(b"Q", b"select 1"), "Query: a text without its NUL"),
        (STARTED + message(b"Q", b"select 1\0x"), "1 bytes after its end"),
        (STARTED + message(b"D", b"Xs\0"), "neither a statement nor a portal"),
        (STARTED + bind("", "", [b"a"], formats=[2]), "only 0 and 1 exist"),
        (STARTED + bind("", "", [b"a"], formats=[0, 1]), "2 format codes for 1 values"),
        (STARTED + message(b"B", b"\0\0\0\0\0\x01\xff\xff\xff\xfe"), "-2 bytes announced"),
    ],
)
def test_what_is_not_the_protocol_is_said(data: bytes, says: str) -> None:
    _, error = read(data)
    assert error is not None
    assert says in error


CLIENT_BYTES = st.lists(
    st.one_of(
        st.sampled_from(
            [ssl_request(), STARTED, parse("s", "select 1"), bind("", "s", [b"x"]), message(b"S"), message(b"H")]
        ),
        st.builds(
            message, st.sampled_from([b"Q", b"P", b"B", b"D", b"E", b"C", b"d", b"X", b"?"]), st.binary(max_size=20)
        ),
        st.binary(max_size=12),
    ),
    max_size=8,
).map(b"".join)


@given(CLIENT_BYTES, st.lists(st.integers(0, 120), max_size=6))
def test_messages_do_not_depend_on_how_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert read(*pieces) == read(data)
