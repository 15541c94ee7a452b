"""R27, R47 and R48 over the wire: a trace that was only sent as OTLP replays, and what was cut of it is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.exporters.otlp.receiver import receiver
from tests.promises.running import execute, record_script, run
from tests.promises.test_cases import TIGHT, _exported
from tests.servers.postgres import PostgresServer
from timetracer_otel.exporters.otlp import names

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
