"""R27, R47 and R48 over the wire: a trace that was only sent as OTLP replays, and what was cut of it is named."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.exporters.otlp.receiver import receiver
from tests.promises.running import execute, record_script, run, send
from tests.promises.test_canaries import BODIES, OWN, _until, running, search
from tests.promises.test_cases import TIGHT, _exported
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Cassette
from timetracer_otel.exporters.otlp import names
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.store import save_bundle

pytestmark = pytest.mark.postgres

SCRIPT = """
import hashlib, sys
import psycopg
from opentelemetry import trace

with trace.get_tracer("script").start_as_current_span("report"), psycopg.connect(sys.argv[1], autocommit=True) as db:
    digest = hashlib.sha256()
    for number in range(20):
        row = db.execute("SELECT %s || repeat('x', %s)", (str(number), 60_000 if number == 7 else 10)).fetchone()
        digest.update(row[0].encode())
    db.execute("SELECT 1 AS password, %s AS note", ("Bearer kT4-over-the-wire-0123456789abcdef",))
    print(digest.hexdigest())
"""
ELSEWHERE = "postgresql://db.prod.internal/postgres"


@pytest.fixture(scope="module")
def sent(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """What a receiver got of one run that wrote no cassette, and what the program printed."""
    folder = tmp_path_factory.mktemp("otlp")
    with receiver() as backend:
        variables = {"OTEL_TRACES_EXPORTER": "timetracer_otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url, **TIGHT}
        printed = record_script(SCRIPT, folder / "cassettes", postgres.dsn, **variables)
        assert set(backend.paths) == {"/v1/traces"}
    assert not (folder / "cassettes").exists()
    return backend.data, printed


def pulled(data: bytes, folder: Path) -> tuple[int, str, str]:
    """Exit code, the trace's folder, what was said on stderr."""
    (folder / "trace.pb").write_bytes(data)
    command = ["timetracer-otel", "pull", "--from", str(folder / "trace.pb"), "--store", str(folder / "store")]
    done = run([str(Path(sys.executable).with_name(command[0])), *command[1:]])
    return done.returncode, done.stdout.strip(), done.stderr


def test_r27_a_trace_that_was_only_sent_replays_whatever_the_limits_of_attributes(
    sent: tuple[bytes, str], tmp_path: Path
) -> None:
    data, printed = sent
    code, path, said = pulled(data, tmp_path)
    assert (code, said) == (0, "")
    found = execute(path, tmp_path, sys.executable, "-c", SCRIPT, ELSEWHERE)
    assert (found.status, found.verdict, found.output.splitlines()[0]) == (0, "same", printed.strip())


def test_r27_a_payload_that_a_backend_cut_is_named_and_its_replay_is_inconclusive(
    sent: tuple[bytes, str], tmp_path: Path
) -> None:
    """As backends with a limit of 4,095 characters do, without a word."""
    data = TracesData.FromString(sent[0])
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                for attribute in span.attributes:
                    if attribute.value.WhichOneof("value") == "string_value":
                        attribute.value.string_value = attribute.value.string_value[:4095]
    code, path, said = pulled(data.SerializeToString(), tmp_path)
    assert code == 3
    (line,) = said.splitlines()
    assert f"{names.RESULT} was cut: " in line
    found = execute(path, tmp_path, sys.executable, "-c", SCRIPT, ELSEWHERE)
    assert (found.status, found.verdict) == (1, "inconclusive")
    assert "was recorded without its payload" in json.dumps(found.report["uncontrolled"])


def test_r48_a_plain_otlp_exporter_beside_ours_sends_what_it_sends_without_us(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    spans, _ = _exported(postgres, "otlp,timetracer_otlp", tmp_path / "cassettes")
    without, _ = _exported(postgres, "otlp", tmp_path / "none")
    plain = [span for span in spans if names.SCHEMA not in json.dumps(span)]
    assert sorted(map(json.dumps, plain)) == sorted(map(json.dumps, without))
    assert len(spans) > len(plain) > 0


def test_r46_nothing_secret_goes_over_the_wire(sent: tuple[bytes, str]) -> None:
    assert b"kT4-over-the-wire" not in sent[0]
    assert b"[redacted:bearer#" in sent[0]


# ---- R47 -------------------------------------------------------------------------------------------------------------


ALL_BYTES_MIN: Final = 30_000_000


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Cassette]:
    """What a receiver got of each body; the application got it unchanged, and nothing was written to disk."""
    folder = tmp_path_factory.mktemp("bodies")
    with receiver() as backend:
        to = {"OTEL_TRACES_EXPORTER": "timetracer_otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url}
        with running(folder, **to) as service:
            for name, (method, data, headers) in BODIES.items():
                answer = send(service.url, f"/digest?{name.replace(' ', '-')}", method, data, headers)
                assert json.loads(answer.body) == {"sha256": hashlib.sha256(data).hexdigest(), "length": str(len(data))}
            _until(lambda: sum(map(len, backend.bodies)) > ALL_BYTES_MIN and _whole(backend.data))
    assert not (folder / "cassettes").exists()
    (folder / "sent").mkdir()
    (folder / "sent" / "all.pb").write_bytes(backend.data)
    assert search(folder / "sent") == []
    found = decode(read(backend.data, "receiver"), "receiver").values()
    cassettes = sorted((each.cassette() for each in found), key=lambda one: one.segments[0].spans[0].start_ns)
    return dict(zip(BODIES, cassettes, strict=True))


def _whole(data: bytes) -> bool:
    """Whether all has come: a process that ends does not wait long for 30 MB."""
    return [each.problems for each in decode(read(data, "receiver"), "receiver").values()] == [()] * len(BODIES)


def test_r47_the_lengths_that_arrive_are_those_of_what_was_masked(bodies: Mapping[str, Cassette]) -> None:
    for name, cassette in bodies.items():
        (exchange,) = cassette.segments[0].exchanges
        request, (method, data, _) = exchange.request, BODIES[name]
        arrived = b"".join(chunk for _, chunk in cast("Sequence[tuple[int, bytes]]", request["body"]))
        headers = dict(cast("Sequence[tuple[bytes, bytes]]", request["headers"]))
        assert (request["method"], exchange.dropped) == (method, None), name
        assert len(arrived) == request["body_size"] == int(headers[b"content-length"]), name
        plain = gzip.decompress(arrived) if name == "gzip" else arrived
        assert (b"redacted" in plain) == (name != "none"), name
        assert len(plain) < len(data) + 10_000, name


def test_r47_what_was_masked_on_its_way_is_needed_for_no_match(bodies: Mapping[str, Cassette], tmp_path: Path) -> None:
    """The application gets the masked body, of which it answers another digest; nothing else differs."""
    for number, cassette in enumerate(bodies.values()):
        save_bundle(cassette, tmp_path / f"{number}.cassette.json")
    done = run(["timetracer-otel", "replay", "--all", str(tmp_path), "--json", "-"], {"CANARIES": json.dumps(OWN)})
    replays = json.loads(done.stdout)["replays"]
    assert [(each["misses"], each["unused"]) for each in replays] == [([], [])] * len(BODIES)
    assert sorted(each["verdict"] for each in replays) == ["deviates"] * (len(BODIES) - 1) + ["same"]
    differences = {each["path"] for replay in replays for each in replay["outcome"]["differences"]}
    assert differences <= {"body.$.sha256", "body.$.length"}
