"""A real Jaeger and a real Collector: what is sent to them is shown, comes back whole, and replays.

One service records into a store and to Jaeger at once, under limits of attributes that would cut every payload (R27),
and its traces go all the ways that there are. Another has nothing but a gateway to send to.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.cassette import samples
from tests.conftest import started
from tests.demonstration import ROOT
from tests.exporters.otlp.test_bridge import same
from tests.exporters.otlp.worst import ODD, odd_spans, of_another_process
from tests.promises.conftest import SECRETS, SENT, database
from tests.promises.running import (
    TIMEOUT_S,
    only,
    record_script,
    recording,
    replay,
    send,
    service,
    with_report,
)
from tests.promises.test_cases import TIGHT
from tests.servers.collector import Collector, FileCollector
from tests.servers.jaeger import JaegerServer
from tests.servers.postgres import PostgresServer, free_ports
from tests.there_and_back import comparable, everything, pull, push
from timetracer_otel.cassette import Cassette, merge
from timetracer_otel.cli.running import run as run_command
from timetracer_otel.exporters.otlp.splitting import environments_of, parts_of
from timetracer_otel.store import save_bundle

pytestmark = pytest.mark.postgres

Answered = TypeVar("Answered")
NAME = "promises"
REQUESTS: Sequence[tuple[str, str, object, Mapping[str, str]]] = (
    ("POST", "/payments", {}, {}),
    ("POST", "/secrets", SECRETS, SENT),
    ("GET", "/gather", None, {}),
    ("GET", "/fail", None, {}),
)
CANARY = "kT4-"


@dataclass(frozen=True, slots=True)
class Recorded:
    store: Path
    cassettes: Mapping[str, Cassette]

    def trace(self, path: str) -> str:
        """The id of the trace of this request."""
        (found,) = [
            trace_id for trace_id, cassette in self.cassettes.items() if entry_of(cassette).endswith(f" {path}")
        ]
        return found


@pytest.fixture(scope="module")
def recorded(jaeger: JaegerServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """In a store and in Jaeger's memory; service and database are stopped."""
    folder = tmp_path_factory.mktemp("live")
    record(folder, jaeger.memory.otlp, "timetracer,timetracer_otlp", **TIGHT)
    cassettes = everything(folder / "cassettes")
    assert len(cassettes) == len(REQUESTS)
    return Recorded(folder / "cassettes", cassettes)


@pytest.fixture(scope="module")
def files(recorded: Recorded) -> Iterator[FileCollector]:
    """What the Collector's file exporter made of every cassette; it is stopped."""
    collector = started(FileCollector)
    for url in (collector.otlp, collector.cutting_otlp):
        push(url, recorded.store, *recorded.cassettes)
    collector.finish()
    yield collector
    collector.stop()


def record(folder: Path, otlp: str, exporters: str, **variables: str) -> None:
    """Sends the requests to a service that exports to this address. Its spans are there when it has ended."""
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "OTEL_TRACES_EXPORTER": exporters}
    with database() as dsn:
        variables = recording(folder / "cassettes", DATABASE_URL=dsn, **to, **{"OTEL_SERVICE_NAME": NAME, **variables})
        with service(folder / "log", **variables) as url:
            for method, path, body, headers in REQUESTS:
                send(url, path, method, body, headers)


def entry_of(cassette: Cassette) -> str:
    (segment,) = cassette.segments
    assert segment.entry is not None
    return segment.entry.name


# ---- live ------------------------------------------------------------------------------------------------------------


def test_r27_a_trace_that_was_sent_live_comes_back_as_the_cassette_on_disk(
    recorded: Recorded, jaeger: JaegerServer, tmp_path: Path
) -> None:
    for trace_id, cassette in recorded.cassettes.items():
        assert pull(jaeger.memory.query, trace_id, tmp_path / f"{trace_id}.cassette.json") == cassette


def test_r48_jaeger_gets_payloads_but_no_secret_in_them(recorded: Recorded, jaeger: JaegerServer) -> None:
    trace_id = recorded.trace("/secrets")
    sent = json.dumps(jaeger.memory.get(f"/api/v3/traces/{trace_id}?raw_traces=true"))
    assert "[redacted:" in sent
    assert CANARY not in sent


def test_jaeger_shows_a_payload_as_a_tree(recorded: Recorded, jaeger: JaegerServer) -> None:
    """Its page parses a value whose first character is a brace or a bracket, and shows any other as it is."""
    (trace,) = jaeger.memory.get(f"/api/traces/{recorded.trace('/payments')}")["data"]
    tags = [tag for span in trace["spans"] for tag in span["tags"]]
    payloads = [tag for tag in tags if tag["key"] in ("timetracer.request", "timetracer.result")]
    assert {(tag["type"], tag["value"][:1]) for tag in payloads} <= {("string", "{"), ("string", "[")}
    trees = [json.loads(tag["value"]) for tag in payloads]
    assert len(trees) >= 10
    assert any("INSERT INTO payments" in tree.get("statement", "") for tree in trees)
    assert any("POST" in tree.get("method", "") for tree in trees)


def test_a_trace_replays_from_jaeger_which_has_both_then_linked(
    recorded: Recorded, jaeger: JaegerServer, tmp_path: Path
) -> None:
    trace_id, file = recorded.trace("/payments"), tmp_path / "pulled.cassette.json"
    cassette = pull(jaeger.memory.query, trace_id, file)
    to = {"OTEL_TRACES_EXPORTER": "otlp_proto_http", "OTEL_EXPORTER_OTLP_ENDPOINT": jaeger.memory.otlp}
    found = replay(file, tmp_path, **to, OTEL_SERVICE_NAME=NAME)
    assert (found.status, found.verdict) == (0, "same"), found.output
    root = the_replayed(jaeger, trace_id)
    assert root["traceID"] != trace_id
    assert (trace_id, cassette.segments[0].id) in {(each["traceID"], each["spanID"]) for each in root["references"]}


def the_replayed(jaeger: JaegerServer, trace_id: str) -> Mapping[str, Any]:
    """The root span of the replay of this trace, as Jaeger's search finds it."""
    service_of_it = urllib.parse.urlencode({"service": NAME, "tags": json.dumps({"timetracer.replay.of": trace_id})})
    (trace,) = jaeger.memory.get(f"/api/traces?{service_of_it}")["data"]
    (root,) = [span for span in trace["spans"] if "timetracer.replay.of" in {tag["key"] for tag in span["tags"]}]
    return dict(root)


# ---- pushed ----------------------------------------------------------------------------------------------------------


def test_what_badger_loses_of_a_trace_is_folded_back(recorded: Recorded, jaeger: JaegerServer, tmp_path: Path) -> None:
    push(jaeger.badger.otlp, recorded.store, *recorded.cassettes)
    for trace_id, cassette in recorded.cassettes.items():
        assert pull(jaeger.badger.query, trace_id, tmp_path / f"{trace_id}.cassette.json") == cassette


def test_the_worst_case_comes_back_from_either_storage_and_replays_the_same(
    postgres: PostgresServer, jaeger: JaegerServer, tmp_path: Path
) -> None:
    """6 MB of rows, 3,000 spans, every kind of value, and attributes that Badger refuses or renames: what a program did
    on a real server, with all that is odd of `worst` put beside it."""
    printed = record_script(MUCH, tmp_path / "cassettes", postgres.dsn)
    cassette, file = with_all_that_is_odd(only(tmp_path / "cassettes")[0]), tmp_path / "worst.cassette.json"
    *_, segment = cassette.segments
    assert (len(segment.spans) >= 3_000, len(segment.exchanges) >= 300) == (True, True)
    save_bundle(cassette, file)
    for storage in (jaeger.badger, jaeger.memory):
        push(storage.otlp, tmp_path, str(file))
        assert same(pull(storage.query, cassette.trace_id, tmp_path / "pulled.cassette.json"), cassette)
    into = ["--store", str(tmp_path / "pulled")]
    assert run_command(["pull", cassette.trace_id, "--from", jaeger.memory.query, *into]) == 0
    command = ["timetracer-otel", "exec", segment.name, *into]
    found = with_report(command, tmp_path, {}, ("--", sys.executable, "-c", MUCH, ELSEWHERE))
    assert (found.status, found.verdict, found.output.splitlines()[0]) == (0, "same", printed.strip())


MUCH = """
import hashlib, sys
import psycopg
from opentelemetry import trace

with trace.get_tracer("script").start_as_current_span("report"), psycopg.connect(sys.argv[1], autocommit=True) as db:
    digest = hashlib.sha256()
    for number in range(300):
        values = (number, bytes([number % 256, 0, 255]))
        row = db.execute("SELECT 9007199254740993 + %s, %s, 'NaN'::float8, 1e99::numeric", values).fetchone()
        digest.update(repr(row).encode())
    rows = db.execute("SELECT repeat(chr(233), 200), n::bytea FROM generate_series(1, 15000) AS n").fetchall()
    digest.update(repr(rows).encode())
    print(digest.hexdigest())
"""
ELSEWHERE = "postgresql://db.prod.internal/postgres"


def with_all_that_is_odd(recorded: Cassette) -> Cassette:
    """In the trace of the recorded one; neither its exchanges nor its process are touched."""
    first, *others = parts_of(recorded)
    spans = (*first.spans, *odd_spans(range(1, 3_000), first.segment))
    mine = replace(first, spans=spans, resource={**first.resource, **ODD}, dropped={"spans": 2})
    # A child of the first would have to replay with it.
    odd = replace(of_another_process(), trace_id=first.trace_id, parent_segment=None)
    environments = [*environments_of(recorded), samples.ENVIRONMENT_PART]
    return comparable(merge(first.trace_id, [mine, *others, odd], environments))


def test_a_trace_that_is_pushed_again_is_still_one(recorded: Recorded, jaeger: JaegerServer, tmp_path: Path) -> None:
    trace_id = recorded.trace("/gather")
    push(jaeger.memory.otlp, recorded.store, trace_id)
    assert pull(jaeger.memory.query, trace_id, tmp_path / "twice.cassette.json") == recorded.cassettes[trace_id]


def test_a_search_lists_what_was_recorded(
    recorded: Recorded, jaeger: JaegerServer, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--service", NAME, "--tags", "timetracer.outcome=201", "--since", "2h", "--json"]
    assert run_command(["pull", "--from", jaeger.memory.query, *wanted]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["trace_id"], each["entry"], each["outcome"]) for each in found] == [
        (recorded.trace("/payments"), "POST /payments", "201")
    ]


def test_a_cassette_as_otlp_json_opens_on_the_page_where_jaeger_takes_files(
    recorded: Recorded, jaeger: JaegerServer, tmp_path: Path
) -> None:
    trace_id, file = recorded.trace("/payments"), tmp_path / "payments.jsonl"
    push(str(file), recorded.store, trace_id)
    (trace,) = jaeger.memory.transform(file.read_bytes())["data"]
    assert trace["traceID"] == trace_id
    names = {span["operationName"] for span in trace["spans"]}
    assert {span.name for span in recorded.cassettes[trace_id].segments[0].spans} <= names
    assert NAME in {process["serviceName"] for process in trace["processes"].values()}


# ---- files of the Collector ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json_lines", "protobuf"])
def test_a_file_of_the_collector_holds_each_cassette(
    form: str, recorded: Recorded, files: FileCollector, tmp_path: Path
) -> None:
    for trace_id, cassette in recorded.cassettes.items():
        assert pull(str(getattr(files, form)), trace_id, tmp_path / f"{trace_id}.cassette.json") == cassette


def test_a_collector_with_a_smaller_limit_gets_smaller_requests_and_what_it_refuses_is_named(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collector = started(FileCollector)
    try:
        trace_id = recorded.trace("/gather")
        push(collector.narrow_otlp, recorded.store, trace_id)
        (sent,) = capsys.readouterr().out.splitlines()
        assert " spans in 1 request" not in sent
        refused = with_a_large_answer(recorded.cassettes[trace_id])
        save_bundle(refused, tmp_path / "large.cassette.json")
        before = (tmp_path / "large.cassette.json").read_bytes()
        assert run_command(["push", str(tmp_path / "large.cassette.json"), "--to", collector.narrow_otlp]) == 2
        said = capsys.readouterr()
        collector.finish()
        assert pull(str(collector.json_lines), trace_id, tmp_path / "one.cassette.json") == recorded.cassettes[trace_id]
    finally:
        collector.stop()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "it answered 400 (http: request body too large) to a request of 1 spans and " in said.err
    assert f"the largest is 'SELECT' ({refused.segments[0].exchanges[-1].span_id}) with " in said.err
    assert "raise the receiver's limit (max_request_body_size)" in said.err
    assert (tmp_path / "large.cassette.json").read_bytes() == before


def with_a_large_answer(cassette: Cassette) -> Cassette:
    """In its last exchange; it cannot be packed."""
    (segment,) = cassette.segments
    *others, last = segment.exchanges
    large = replace(last, result={"results": [{"values": [[os.urandom(30_000).hex()]]}]})
    other_trace = f"{int(cassette.trace_id, 16) ^ 1:032x}"
    mine = replace(segment, trace_id=other_trace, exchanges=(*others, large))
    return replace(cassette, trace_id=other_trace, segments=(mine,))


def test_what_a_backend_cut_is_named_and_makes_the_replay_inconclusive(
    recorded: Recorded, files: FileCollector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace_id, file = recorded.trace("/payments"), tmp_path / "cut.cassette.json"
    pulled = pull(str(files.cut), trace_id, file, status=3)
    said = capsys.readouterr().err
    whole = {each.id: each for each in recorded.cassettes[trace_id].segments[0].exchanges}
    cut = [each.id for each in pulled.segments[0].exchanges if each != whole[each.id]]
    assert cut != []
    assert [each for each in cut if each not in said] == []
    found = replay(file, tmp_path)
    assert (found.status, found.verdict) == (3, "inconclusive"), found.output


# ---- a gateway -------------------------------------------------------------------------------------------------------


@pytest.fixture
def gateway(jaeger: JaegerServer) -> Iterator[tuple[str, FileCollector]]:
    """The address of `examples/collector/gateway.yaml` on Jaeger's own Collector, and the vendor behind it."""
    grpc, http = free_ports(2)
    file = ROOT / "examples" / "collector" / "gateway.yaml"
    ports = {"GATEWAY_GRPC_PORT": str(grpc), "GATEWAY_HTTP_PORT": str(http), "GATEWAY_WAIT": "1s"}
    with contextlib.ExitStack() as stack:
        vendor = started(FileCollector)
        stack.callback(vendor.stop)
        behind = {"JAEGER_ENDPOINT": jaeger.memory.otlp, "VENDOR_ENDPOINT": vendor.otlp}
        collector = Collector("jaeger", file, [grpc, http], **behind, **ports)
        stack.callback(collector.stop)
        yield f"http://127.0.0.1:{http}", vendor


def test_a_gateway_sends_what_failed_to_jaeger_whole_and_to_a_vendor_without_payloads(
    gateway: tuple[str, FileCollector], jaeger: JaegerServer, tmp_path: Path
) -> None:
    otlp, vendor = gateway
    record(tmp_path, otlp, "timetracer_otlp", OTEL_SERVICE_NAME="gated")
    assert not (tmp_path / "cassettes").exists()
    (trace,) = awaited(lambda: jaeger.memory.get("/api/traces?service=gated")["data"])
    file = tmp_path / "pulled.cassette.json"
    assert entry_of(pull(jaeger.memory.query, trace["traceID"], file)) == "GET /fail"
    found = replay(file, tmp_path)
    assert (found.status, found.verdict) == (0, "same"), found.output
    sent = awaited(vendor.json_lines.read_text)
    spans = [span for line in sent.splitlines() for span in spans_of(json.loads(line))]
    assert {span["traceId"] for span in spans} == {trace["traceID"]}
    assert {"GET /fail", "SELECT"} <= {span["name"] for span in spans}
    assert "timetracer." not in sent


def awaited(ask: Callable[[], Answered]) -> Answered:
    """What is answered once it is not empty."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (answered := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answered


def spans_of(traces: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in traces["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]
