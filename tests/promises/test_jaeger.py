"""A real Jaeger and a real Collector: what is sent to them is shown, comes back whole, and replays.

One service records into a store and to Jaeger at once, under limits of attributes that would cut every payload (R27),
and its traces go all the ways that there are. Another has nothing but a gateway to send to.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.conftest import started
from tests.demonstration import ROOT
from tests.exporters.otlp.test_bridge import same, worst
from tests.promises.conftest import SECRETS, SENT, database
from tests.promises.running import TIMEOUT_S, recording, replay, send, service
from tests.promises.test_cases import TIGHT
from tests.servers.collector import Collector, FileCollector
from tests.servers.jaeger import JaegerServer
from tests.servers.postgres import free_port
from tests.there_and_back import everything, pull, push
from timetracer_otel.cassette import Cassette
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


def test_the_worst_case_comes_back_from_either_storage(jaeger: JaegerServer, tmp_path: Path) -> None:
    """6 MB of rows, 3,000 spans, every kind of value, and attributes that Badger refuses or renames."""
    cassette, file = worst(), tmp_path / "worst.cassette.json"
    save_bundle(cassette, file)
    for storage in (jaeger.memory, jaeger.badger):
        push(storage.otlp, tmp_path, str(file))
        assert same(pull(storage.query, cassette.trace_id, tmp_path / "pulled.cassette.json"), cassette)


def test_a_trace_that_is_pushed_again_is_still_one(recorded: Recorded, jaeger: JaegerServer, tmp_path: Path) -> None:
    trace_id = recorded.trace("/gather")
    push(jaeger.memory.otlp, recorded.store, trace_id)
    assert pull(jaeger.memory.query, trace_id, tmp_path / "twice.cassette.json") == recorded.cassettes[trace_id]


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
    grpc, http = free_port(), free_port()
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
