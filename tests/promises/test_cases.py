"""Cases R27 to R48 from end to end: HTTP and psycopg recorded by a server, replayed by the command line."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.promises.conftest import FORM, RETURNED, SECRETS, SENT, Recorded, database
from tests.promises.running import execute, only, record_script, recording, replay, run, send, service
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import decompress

pytestmark = pytest.mark.postgres

# ---- R27, R28: settings of operations --------------------------------------------------------------------------------

LONG_ROWS = """
import hashlib, sys
import psycopg
from opentelemetry import trace

with trace.get_tracer("script").start_as_current_span("report"), psycopg.connect(sys.argv[1], autocommit=True) as db:
    digest = hashlib.sha256()
    for number in range(300):
        row = db.execute("SELECT %s || repeat('x', %s)", (str(number), 50_000 if number % 30 == 0 else 10)).fetchone()
        digest.update(row[0].encode())
    print(digest.hexdigest())
"""
TIGHT = {
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "20",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "4",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "1",
}


def test_r27_limits_of_attributes_do_not_cut_300_calls_with_50_kb_rows(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    printed = record_script(LONG_ROWS, tmp_path / "cassettes", postgres.dsn, **TIGHT)
    cassette, segment = only(tmp_path / "cassettes")
    assert all(len(str(value)) <= 20 for span in segment.spans for value in span.attributes.values())
    found = execute(cassette.path, tmp_path, sys.executable, "-c", LONG_ROWS, "postgresql://db.prod.internal/postgres")
    assert (found.status, found.verdict, found.output.splitlines()[0]) == (0, "same", printed.strip())


def test_r27_a_payload_over_the_limit_is_named_and_never_answered_in_part(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    record_script(LONG_ROWS, tmp_path / "cassettes", postgres.dsn, TIMETRACER_PAYLOAD_MAX="10KiB")
    cassette, segment = only(tmp_path / "cassettes")
    cut = [each for each in segment.exchanges if each.dropped]
    assert len(cut) == 10
    found = execute(cassette.path, tmp_path, sys.executable, "-c", LONG_ROWS, "postgresql://db.prod.internal/postgres")
    assert (found.status, found.verdict) == (1, "inconclusive")
    reason = f"inconclusive: exchange {cut[0].id} was recorded without its payload"
    assert [each for each in found.report["uncontrolled"] if each.startswith(reason)] != []


def test_r28_only_what_is_sampled_is_recorded(tmp_path: Path) -> None:
    """Upstream says which: flag 01 or 00 of `traceparent`, behind a sampler that takes nothing by itself."""
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    with database() as dsn:
        variables = recording(tmp_path / "cassettes", DATABASE_URL=dsn, **sampler)
        with service(tmp_path / "log", **variables) as url:
            for number, flag in enumerate(["00", "01", "00"], start=1):
                parent = f"00-{number:032x}-{number:016x}-{flag}"
                assert send(url, "/balance", headers={"traceparent": parent}).status == 200
            assert send(url, "/balance").status == 200
    cassette, _ = only(tmp_path / "cassettes")
    assert cassette.trace_id == f"{2:032x}"
    assert replay(cassette.path, tmp_path).verdict == "same"


# ---- R32 to R34: which answer ----------------------------------------------------------------------------------------


def test_r32_polling_once_more_than_recorded_is_explained_as_used_up(recorded: Recorded, tmp_path: Path) -> None:
    found = replay(recorded.trace("/poll"), tmp_path, POLLS="4")
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.findings
    assert miss["differences"] == [{"path": "calls", "recorded": 3, "asked": 4}]
    assert "recorded 3 times, all used up: this is call number 4" in found.output


def test_r32_polling_once_less_than_recorded_leaves_the_last_answer_unused(recorded: Recorded, tmp_path: Path) -> None:
    found = replay(recorded.trace("/poll"), tmp_path, POLLS="2")
    assert [each["path"] for each in found.differences] == ["body.$.states[2]"]
    assert [each["text"] for each in found.report["unused"]] == ["SELECT nextval('states') AS state"]


@pytest.mark.parametrize("careful", ["not at all", "default", "retries of OperationalError", "retries of everything"])
def test_r33_a_miss_that_the_app_swallows_still_fails_the_replay(
    careful: str, recorded: Recorded, tmp_path: Path
) -> None:
    """A default makes the response the recorded one; retries with back-off would wait for four minutes."""
    began = time.monotonic()
    found = replay(recorded.trace("/balance"), tmp_path, CHANGED="1", CAREFUL=careful)
    assert time.monotonic() - began < 30
    assert (found.status, found.verdict) == (1, "deviates")
    first, *later = found.report["misses"]
    assert first["request"]["text"] == "SELECT balance FROM accounts WHERE name = $1 FOR UPDATE"
    assert first["nearest"]["text"] == "SELECT balance FROM accounts WHERE name = $1"
    assert first["differences"] == [{"path": "statement", "recorded": "(none)", "asked": "FOR UPDATE"}]
    is_hidden = careful in ("default", "retries of everything")
    assert (found.report["outcome"]["replayed"].get("status") == 200) == is_hidden
    assert (len(later), found.findings) == (7 if careful == "retries of everything" else 0, [first])


def test_r33_the_control_without_a_change_is_the_same(recorded: Recorded, tmp_path: Path) -> None:
    for careful in ("default", "retries of everything"):
        assert replay(recorded.trace("/balance"), tmp_path, CAREFUL=careful).verdict == "same"


def test_r34_twenty_parallel_selects_in_any_order_through_a_pool_of_one(recorded: Recorded, tmp_path: Path) -> None:
    """Also under other hash seeds, with spans of the app's own and with another exporter: the same report each time."""

    def again(seed: int) -> str:
        variables = {"PYTHONHASHSEED": str(seed), "SHUFFLE": str(seed), "POOL_SIZE": "1" if seed % 2 else "3"}
        variables |= {"SPANS": "1"} if seed % 3 == 1 else {}
        variables |= {"OTEL_TRACES_EXPORTER": "console"} if seed % 3 == 2 else {}
        return json.dumps(replay(recorded.trace("/gather"), tmp_path, **variables).report)

    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(again, range(20))
    assert set(others) == {first}
    report = json.loads(first)
    assert (report["verdict"], report["misses"], report["unused"], report["ambiguous"]) == ("same", [], [], [])


def test_one_of_thirty_statements_in_other_words_is_one_miss_and_touches_no_other(
    recorded: Recorded, tmp_path: Path
) -> None:
    """And of ids 3, 1 and 2, where 1 and 2 were recorded, 3 alone misses; nobody gets the answer of another."""
    found = replay(recorded.trace("/thirty"), tmp_path, ASKED="1", IDS="3,1,2")
    assert (found.status, found.verdict) == (1, "deviates")
    assert [each["request"]["text"] for each in found.report["misses"]] == [
        "SELECT 17 * $1::int + 0 AS answer",
        "SELECT -($1::int) AS answer",
    ]
    assert [each["consequent"] for each in found.report["misses"]] == [False, False]
    values = {str(number): None if number == 17 else number * 10 for number in range(1, 31)}
    told = {each["path"]: each["replayed"] for each in found.differences if each["path"].startswith("body")}
    assert told == {"body.$['17']": None, "body.$['id 3']": None}
    assert json.loads(recorded.answers["/thirty"].body) == {**values, "17": 170, "id 1": -1, "id 2": -2}


# ---- R35: ids made by the app ----------------------------------------------------------------------------------------


def test_r35_ids_inside_a_compressed_response_come_back(recorded: Recorded, tmp_path: Path) -> None:
    assert ("content-encoding", "gzip") in recorded.answers["/visits-in-gzip"].headers
    found = replay(recorded.trace("/visits-in-gzip"), tmp_path)
    assert (found.status, found.verdict, found.findings) == (0, "same", [])


# ---- the stub as a control -------------------------------------------------------------------------------------------

CARELESS = ("--app", "tests.promises.careless:app")


def test_r34_a_stub_that_ignores_parameters_mixes_the_answers_up(recorded: Recorded, tmp_path: Path) -> None:
    found = replay(recorded.trace("/gather"), tmp_path, *CARELESS, IGNORED="parameters", SHUFFLE="5", POOL_SIZE="1")
    assert (found.status, found.verdict, found.report["misses"]) == (1, "deviates", [])


def test_r33_a_stub_that_ignores_the_statement_takes_a_changed_one_for_the_same(
    recorded: Recorded, tmp_path: Path
) -> None:
    """So the tests of R33 above would fail on it."""
    found = replay(recorded.trace("/balance"), tmp_path, *CARELESS, IGNORED="statement", CHANGED="1")
    assert (found.status, found.verdict) == (0, "same")


# ---- before and after the request ------------------------------------------------------------------------------------


def test_r19_work_after_the_response_is_replayed_with_it_and_with_its_ids(recorded: Recorded, tmp_path: Path) -> None:
    assert len(recorded.cassettes["/later"][1].generated) == 2
    found = replay(recorded.trace("/later"), tmp_path)
    assert (found.status, found.verdict, found.findings) == (0, "same", [])


def test_r19_a_changed_statement_after_the_response_is_a_miss(recorded: Recorded, tmp_path: Path) -> None:
    found = replay(recorded.trace("/later"), tmp_path, CHANGED="1")
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.findings
    assert miss["request"]["text"] == "SELECT balance FROM accounts WHERE name = $1 FOR UPDATE"
    assert {each["path"] for each in found.differences} == {"exception.type", "exception.message"}


def test_what_start_up_learnt_does_not_answer_a_request(recorded: Recorded, tmp_path: Path) -> None:
    """The very statement was recorded: in the lifespan of the process, not in this request."""
    found = replay(recorded.trace("/balance"), tmp_path, ASKED_AGAIN="1", CAREFUL="default")
    assert (found.status, found.verdict) == (1, "deviates")
    assert [each["request"]["text"] for each in found.report["misses"]] == ["SELECT name FROM accounts ORDER BY name"]


# ---- R46: secrets ----------------------------------------------------------------------------------------------------


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _secrets(each)
    else:
        yield str(value)


SENT_SECRETS = {
    *(word for text in SENT.values() for word in text.replace("session=", "").replace("; theme=dark", "").split()[-1:]),
    *(word.split()[-1] for word in _secrets(RETURNED)),
    *_secrets({name: value for name, value in SECRETS.items() if name != "back"}),
    FORM.decode().rpartition("=")[2],
    "kT4-query-in",
    "kT4-proxy-in",
    "kT4-proxy-out",
    "kT4-dsn",
    "kT4-resource",
}


def _disguises(secret: str) -> Iterator[bytes]:
    data = secret.encode()
    yield from (data, data.hex().encode(), urllib.parse.quote(secret, safe="").encode())
    for cut in range(3):  # base64 of it wherever it stands in a longer text
        yield base64.b64encode(b"\0" * cut + data)[4 if cut else 0 : -4]


def test_r46_no_secret_is_in_any_byte_of_the_store(recorded: Recorded) -> None:
    """Sent and returned in headers of any case, cookies, query, form, JSON and columns of the database."""
    files = [path for path in recorded.store.rglob("*") if path.is_file()]
    texts = {str(path): path.read_bytes() for path in files}
    texts |= {f"{path} unpacked": decompress(path.read_bytes()) for path in files if path.suffix == ".zst"}
    assert len(SENT_SECRETS) >= 17
    wanted = [disguise for secret in SENT_SECRETS for disguise in _disguises(secret)]
    assert [(name, found) for name, text in texts.items() for found in wanted if found in text] == []
    assert [name for name in texts if "kT4" in name] == []


def test_r46_the_store_would_hold_them_if_nothing_was_masked(recorded: Recorded) -> None:
    """The control: every secret did go out or come in, and what is no secret is readable in the store."""
    answers = b"".join(bytes(each.body) + str(each.headers).encode() for each in recorded.answers.values())
    came_back = ["kT4-body-out", "kT4-password-in", "kT4-token-in", "kT4-form-in", "kT4-cookie-out", "kT4-api-key-out"]
    assert [each for each in came_back if each.encode() not in answers] == []
    texts = [decompress(path.read_bytes()) for path in recorded.store.rglob("*.zst")]
    for kept in (b"session=[redacted:", b"page=2", b"INSERT INTO users", b"deployment.api_key"):
        assert any(kept in text for text in texts), kept


@pytest.mark.parametrize("path", ["/secrets", "/form"])
def test_r46_what_was_masked_still_replays(path: str, recorded: Recorded, tmp_path: Path) -> None:
    found = replay(recorded.trace(path), tmp_path)
    assert (found.status, found.verdict) == (0, "same"), found.output


# ---- R48: other exporters --------------------------------------------------------------------------------------------

PRIVATE = """
import sys
import psycopg
from opentelemetry import trace

with trace.get_tracer("script").start_as_current_span("report"), psycopg.connect(sys.argv[1], autocommit=True) as db:
    assert db.execute("SELECT reverse(%s)", ("etavirp-retemarap",)).fetchone() == ("parameter-private",)
"""


@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP receiver: its URL, and the bodies it got."""
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def _exported(postgres: PostgresServer, exporters: str, store: Path) -> tuple[list[dict[str, Any]], bytes]:
    """What an OTLP backend gets: each span without its ids and times, and all bytes."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # it has no types
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with collector() as (url, bodies):
        otlp = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        variables = recording(store, **otlp, OTEL_TRACES_EXPORTER=exporters)
        done = run(["opentelemetry-instrument", sys.executable, "-c", PRIVATE, postgres.dsn], variables)
        assert done.returncode == 0, done.stderr
    spans: list[dict[str, Any]] = []
    for body in bodies:
        for resource in MessageToDict(ExportTraceServiceRequest.FromString(body))["resourceSpans"]:
            spans += [span for scope in resource["scopeSpans"] for span in scope["spans"]]
    minted = ("traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano")
    return [{name: value for name, value in span.items() if name not in minted} for span in spans], b"".join(bodies)


def test_r48_an_otlp_backend_gets_the_same_spans_with_us_and_no_payload(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    spans, data = _exported(postgres, "otlp,timetracer", tmp_path / "cassettes")
    without, _ = _exported(postgres, "otlp", tmp_path / "none")
    assert sorted(map(json.dumps, spans)) == sorted(map(json.dumps, without))
    assert [span["name"] for span in spans] != []
    for payload in (b"etavirp-retemarap", b"parameter-private", b"timetracer"):
        assert payload not in data
    (exchange,) = only(tmp_path / "cassettes")[1].exchanges
    assert exchange.request["parameters"] == ["etavirp-retemarap"]
    assert not (tmp_path / "none").exists()
