"""What is fuzzed: each target takes any bytes, and returns or raises only what its documentation says."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from xml.etree import ElementTree

from tests.fuzz.printing import check_printed, print_cassette
from tests.wire.postgres.serving import Canned
from timetracer_otel.cassette import Cassette, load_bundle
from timetracer_otel.cassette.loading import load
from timetracer_otel.drivers.http.framing import response_of
from timetracer_otel.drivers.statements import mask_statement
from timetracer_otel.errors import CassetteError, Unconvertible, WireError
from timetracer_otel.exporters.otlp import reading
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.redaction import Redactor
from timetracer_otel.replay import journal
from timetracer_otel.replay.junit import render_junit
from timetracer_otel.replay.markdown import render_markdown
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.replay.summary import Result, Summary
from timetracer_otel.replay.text import render
from timetracer_otel.wire.aws import event_stream
from timetracer_otel.wire.aws.chunks import ChunkReader
from timetracer_otel.wire.mongo import extended_json
from timetracer_otel.wire.mongo.messages import MessageReader
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.backend import Backend
from timetracer_otel.wire.postgres.copying import copy_rows
from timetracer_otel.wire.postgres.reader import FrontendReader
from timetracer_otel.wire.postgres.responses import response, shape, statuses
from timetracer_otel.wire.postgres.tokens import Kind, tokens
from timetracer_otel.wire.postgres.types import to_binary, to_text
from timetracer_otel.wire.redis import readable
from timetracer_otel.wire.redis.commands import commands
from timetracer_otel.wire.redis.frames import FrameReader, split

GOLDEN: Final = Path(__file__).parent.parent / "golden"
OIDS: Final = sorted(value for name, value in vars(oids).items() if name.isupper() and type(value) is int)
KEY: Final = b"k" * 32
CANARY: Final = "canary-5c1d8e-canary-5c1d8e"


@dataclass(frozen=True, slots=True)
class Target:
    """`run` says by an exception that something is wrong; `seeds` are inputs that reach deep, to be changed."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]


def cassettes() -> list[bytes]:
    return [path.read_bytes() for path in sorted(GOLDEN.glob("*.cassette.json"))]


# ---- files -----------------------------------------------------------------------------------------------------------


def cassette(data: bytes) -> None:
    with suppress(CassetteError):
        load(data, "a file")


def printed(data: bytes) -> None:
    """`show`, `timeline`, `list` of what loads: no character reaches the terminal that it would act upon."""
    with suppress(CassetteError):
        loaded = load_bundle(data, "a file")
        check_printed(print_cassette(loaded))


def otlp(data: bytes) -> None:
    with suppress(CassetteError):
        for pulled in decode(reading.read(data, "a file"), "a file").values():
            made: Cassette = pulled.cassette()
            assert made.trace_id


def otlp_seeds() -> list[bytes]:
    from tests.exporters.otlp.test_bridge import sent
    from timetracer_otel.exporters.otlp import otlp_json

    data = [sent(load_bundle(each, "golden")) for each in cassettes()]
    return [form for each in data for form in (otlp_json.dumps(each), each.SerializeToString())]


# ---- protocols -------------------------------------------------------------------------------------------------------


def postgres_client(data: bytes) -> None:
    for is_started in (False, True):
        with suppress(WireError):
            list(FrontendReader(is_started=is_started).receive(data))
    with suppress(WireError):
        Backend(7, Canned()).receive(data)


def postgres_server(data: bytes) -> None:
    for read in (response, shape, statuses):
        with suppress(WireError):
            read(data)
    for is_binary in (False, True):
        assert b"".join(copy_rows(data, is_binary)) == data


def postgres_values(data: bytes) -> None:
    """The first byte chooses the type."""
    oid = OIDS[data[0] % len(OIDS)] if data else OIDS[0]
    with suppress(Unconvertible):
        to_text(oid, data[1:])
    with suppress(Unconvertible):
        to_binary(oid, data[1:].decode("utf-8", "surrogateescape"))


def postgres_sql(data: bytes) -> None:
    sql, redactor = data.decode("utf-8", "replace"), Redactor(KEY)
    masked, _ = mask_statement(sql, redactor)
    mask_statement(masked, redactor)
    if redactor.text(sql) == sql:  # what is known by its shape is masked anywhere, be it a name
        assert _but_strings(masked) == _but_strings(sql)
    canary, _ = mask_statement(f"alter role a password '{CANARY}'; {sql}", redactor)
    assert CANARY not in canary


def _but_strings(sql: str) -> list[str]:
    return [token.text for token in tokens(sql) if token.kind is not Kind.STRING]


def mongo(data: bytes) -> None:
    with suppress(WireError):
        list(MessageReader().receive(data))
    extended_json.exact(data)
    with suppress(WireError):
        extended_json.to_text(data)
    with suppress(Unconvertible, UnicodeDecodeError):
        extended_json.from_text(data.decode())


def mongo_seeds() -> list[bytes]:
    from timetracer_otel.wire.mongo.bson import encode

    document = encode({"find": "orders", "filter": {"n": {"$gt": 7}, "tags": ["a", 2.5, None, True]}, "$db": "shop"})
    body = b"\x00\x00\x00\x00\x00" + document
    message = b"".join(each.to_bytes(4, "little") for each in (16 + len(body), 7, 0, 2013)) + body
    texts = [extended_json.to_text(document), '{"a": {"$binary": {"base64": "AA==", "subType": "04"}}}']
    return [message, document, *(text.encode() for text in texts)]


def redis(data: bytes) -> None:
    with suppress(WireError):
        FrameReader(max_bytes=10_000).receive(data)
    with suppress(WireError):
        commands(data)
    with suppress(WireError):
        for frame in split(data)[0]:
            readable.decode(frame)


def http(data: bytes) -> None:
    middle = len(data) // 2
    for method in (b"GET", b"HEAD"):
        response_of([data[:middle], data[middle:]], method)


def aws(data: bytes) -> None:
    event_stream.is_one(data)
    assert event_stream.with_payloads(data, lambda payload: payload) is data
    event_stream.with_payloads(data, lambda payload: payload + b"x")
    with suppress(ValueError):
        ChunkReader().feed(data)


# ---- redaction and report --------------------------------------------------------------------------------------------


CONTENT: Final = (
    ("application/json", ""),
    ("application/x-www-form-urlencoded", ""),
    ("multipart/form-data; boundary=b", ""),
    ("application/graphql", ""),
    ("text/plain; charset=utf-16", ""),
    ("application/octet-stream", "gzip, deflate"),
)


def redaction(data: bytes) -> None:
    """It raises on nothing, what it has made itself included. Text that is nothing may change when it is masked again:
    a marker ends what looked like a string. Beside a secret with a name, nothing hides it."""
    redactor = Redactor(KEY).of_trace()
    for place, masked in _beside_canary(data, redactor):
        assert CANARY.encode() not in masked, place
    for given in (data, redactor.data(data)):
        redactor.data(given)
        redactor.query(given, "query")
        redactor.headers([[b"cookie", given], [b"authorization", given], [b"x", given], [given, b"x"]], "headers")
        for kind, coding in CONTENT:
            masked, _ = redactor.body(given, kind, coding, "body")
            redactor.body(masked, kind, coding, "body")
    with suppress(ValueError, RecursionError):
        redactor.value(json.loads(data), "body")
    scrubber = redactor.stream()
    scrubber.feed(data)
    scrubber.end()


def _beside_canary(data: bytes, redactor: Redactor) -> Iterator[tuple[str, bytes]]:
    """Masked forms that hold `data` and a secret under a name; then, of the same trace, under none."""
    text, canary = data.decode("utf-8", "surrogateescape"), CANARY.encode()
    document = json.dumps({"a": text, "user": [{"password": CANARY}, text], text: {"api_key": [text, CANARY]}}).encode()
    form = urlencode({"a": data, "token": CANARY, "b": data}).encode()
    part = b'\r\n--b\r\ncontent-disposition: form-data; name="password"\r\n\r\n' + canary + b"\r\n--b--\r\n"
    yield "query", redactor.query(b"token=" + canary + b"&" + data, "query")[0]
    yield "headers", repr(redactor.headers([[b"x", data], [b"authorization", b"Bearer " + canary]], "h")).encode()
    yield "cookie", repr(redactor.headers([[b"cookie", b"sid=" + canary + b"; " + data]], "h")).encode()
    yield "JSON", redactor.body(document, "application/json", "", "body")[0]
    yield "gzip", gzip.decompress(redactor.body(gzip.compress(document), "application/json", "gzip", "body")[0])
    yield "form", redactor.body(form, "application/x-www-form-urlencoded", "", "body")[0]
    yield "multipart", redactor.body(b"--b" + part, "multipart/form-data; boundary=b", "", "body")[0]
    yield "data", redactor.data(data + canary + data)
    yield "value", repr(redactor.value({"password": [text, CANARY], "a": [data + canary]}, "body")).encode()
    scrubber = redactor.stream()
    yield "stream", b"".join([scrubber.feed(data + canary[:9]), scrubber.feed(canary[9:] + data), scrubber.end()])


def redaction_seeds() -> list[bytes]:
    return [
        b'{"user": {"password": "hunter2", "api_key": ["a", 1, null]}, "page": "x", "t": "Bearer abc.def"}',
        b"a=1&token=x%20y&page=2&password=",
        b'--b\r\ncontent-disposition: form-data; name="password"\r\n\r\nhunter2\r\n--b--\r\n',
        b'mutation { login(password: "hunter2", input: {secret: "x"}) { token } }',
        b"AKIAIOSFODNN7EXAMPLE postgresql://app:hunter2@db/shop eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ]


def report(data: bytes) -> None:
    """Whatever stands in a cassette: text and Markdown show no character that acts, and the XML is one."""
    list(journal.read(io.BytesIO(data)))
    texts = itertools.cycle(data.decode("utf-8", "surrogateescape").split("\x00"))
    miss = Miss({"text": next(texts), "values": [next(texts)]}, next(texts), next(texts), None, (), next(texts))
    difference = {"path": next(texts), "recorded": next(texts), "replayed": next(texts), "consequent": False}
    found = Report(
        next(texts),
        "52fd000000000000",
        "deviates",
        name=next(texts),
        entry=next(texts),
        misses=(miss,),
        differences=(difference,),
        uncontrolled=(next(texts),),
        reasons=(next(texts),),
    )
    summary = Summary((Result(next(texts), found), Result(next(texts), problem=next(texts))))
    check_printed(render(found))
    check_printed(render_markdown(summary))
    ElementTree.fromstring(render_junit(summary))


REPORT_SEEDS: Final = (
    b"GET /\x00</code><script>\x00``` [x](http://evil)\x00@everyone\x00\xe2\x80\xae\x1b[31m\x00\r\n# head\x00<!--",
)
TARGETS: Final = {
    "cassette": Target(cassette, cassettes),
    "printed": Target(printed, cassettes),
    "otlp": Target(otlp, otlp_seeds),
    "postgres-client": Target(
        postgres_client,
        lambda: [
            b"\x00\x00\x00\x11\x00\x03\x00\x00user\x00a\x00\x00Q\x00\x00\x00\x0dselect 1\x00",
            b"S\x00\x00\x00\x04",
        ],
    ),
    "postgres-server": Target(
        postgres_server,
        lambda: [b"T\x00\x00\x00\x1a\x00\x01a\x00" + b"\x00" * 18, b"D\x00\x00\x00\x0b\x00\x01\x00\x00\x00\x011"],
    ),
    "postgres-values": Target(postgres_values, lambda: [bytes([at]) + b"{1,2}" for at in range(len(OIDS))]),
    "postgres-sql": Target(
        postgres_sql,
        lambda: [
            b"select $1, E'\\x27' from \"t\" where password = 'hunter2' -- c\n/* /* */ */",
            b"insert into t (password, n) values (E'a\\'b', 2), ($a$c''$a$, 3); alter role b password $$d$$",
            b"$a$b$a$",
        ],
    ),
    "mongo": Target(mongo, mongo_seeds),
    "redis": Target(
        redis, lambda: [b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", b"%1\r\n+a\r\n*2\r\n:1\r\n_\r\n", b">2\r\n#t\r\n,1.5\r\n"]
    ),
    "http": Target(
        http, lambda: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\none\r\n0\r\n\r\n"]
    ),
    "aws": Target(aws, lambda: [b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n", b"\x00\x00\x00\x10" + b"\x00" * 12]),
    "redaction": Target(redaction, redaction_seeds),
    "report": Target(report, lambda: REPORT_SEEDS),
}
