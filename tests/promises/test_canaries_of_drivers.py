"""Secrets in every channel of every driver: in no byte of what is stored, sent, pulled, edited, saved again or bundled.

One program does it all, and everything is made of what it left behind.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
import pytest

from tests.conftest import started
from tests.demonstration import ROOT, environment
from tests.exporters.otlp.receiver import Reply, receiver
from tests.launching import OFF, recording
from tests.promises.canaries.secrets import HASH
from tests.promises.canaries.stores import SCHEMA
from tests.promises.running import run
from tests.promises.test_canaries import NEEDLES, search
from tests.servers.aws import AwsServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from timetracer_otel.cli.bundling import print_bundle
from timetracer_otel.cli.formatting import print_fmt
from timetracer_otel.exporters.otlp.decoding import decode
from timetracer_otel.exporters.otlp.masking import masked
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.redaction import SECRETS
from timetracer_otel.redaction.markers import MARKER_BYTES
from timetracer_otel.store import Store, save_bundle

pytestmark = pytest.mark.postgres

SERVERS: Final[tuple[Callable[[], Any], ...]] = (PostgresServer, MongoServer, RedisServer, AwsServer)
DRIVERS: Final = {"asgi", "asyncpg", "botocore", "celery", "http", "psycopg", "pymongo", "redis"}
EXPORTERS: Final = {"OTEL_TRACES_EXPORTER": "timetracer,timetracer_otlp", OFF: ""}
KNOWN_BY_SHAPE: Final = {b"private_key", b"basic", b"aws_access_key_id"}
KNOWN_BY_NEIGHBOURS: Final = {b"code"}
"""Beside `state` in a query; in the address of a span it is known from there."""


@dataclass(frozen=True, slots=True)
class Recorded:
    folder: Path
    made_by_aws: Mapping[str, bytes]
    """What a server made up that is secret: spelled as in `NEEDLES`."""

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def sent(self) -> Path:
        return self.folder / "sent"

    @property
    def bundles(self) -> Path:
        """Of each trace one, in readable form."""
        return self.folder / "bundles"

    def secrets_in(self, folder: Path) -> list[str]:
        assert any(path.is_file() for path in folder.rglob("*"))
        return search(folder, {**NEEDLES, **self.made_by_aws})


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of the program; what it sends is in `folder/sent` afterwards."""
    (folder / "tmp").mkdir()
    (folder / "sent").mkdir()
    with ExitStack() as stack, ThreadPoolExecutor(len(SERVERS)) as pool:
        servers = list(pool.map(started, SERVERS))
        for server in servers:
            stack.callback(server.stop)
        postgres, mongo, redis, aws = servers
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute(SCHEMA)
        backend = stack.enter_context(receiver())
        echo = stack.enter_context(receiver(lambda path, body: Reply(200, body)))
        urls = {"POSTGRES": postgres.dsn, "MONGO": mongo.uri, "REDIS": redis.url(), "HTTP": echo.url}
        places = {"TMPDIR": str(folder / "tmp"), "OTEL_EXPORTER_OTLP_ENDPOINT": backend.url, "PYTHONPATH": str(ROOT)}
        places["PATH"] = environment()["PATH"]
        yield recording(folder / "store", **EXPORTERS, **urls, **places, **aws.variables)
        (folder / "sent" / "all.pb").write_bytes(backend.data)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Nothing was found while it ran."""
    folder = tmp_path_factory.mktemp("canaries")
    with serving(folder) as env, (folder / "log").open("wb") as log:
        command = ["opentelemetry-instrument", sys.executable, "-m", "tests.promises.canaries"]
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log) as process:
            try:
                while process.poll() is None:
                    assert [search(folder / name) for name in ("store", "tmp")] == [[], []]
                    _wait(process)
            finally:
                process.kill()
    said = (folder / "log").read_text()
    assert process.returncode == 0, said
    found = [json.loads(line.partition(" ")[2]) for line in said.splitlines() if line.startswith("SECRETS ")]
    made = {each for some in found for each in some} - {""}
    assert len(made) >= 7, said
    (folder / "bundles").mkdir()
    for summary in Store(folder / "store").list_traces().traces:
        print_bundle(str(folder / "store"), summary.trace_id, str(folder / "bundles"))
    spelled = {
        **{each: each.encode() for each in made},
        **{quote(each, safe=""): quote(each).encode() for each in made},
    }
    return Recorded(folder, spelled)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return


def libraries(store: Path) -> dict[str, int]:
    """How many exchanges of each hold a marker."""
    found = dict[str, int]()
    for summary in Store(store).list_traces().traces:
        cassette, _ = Store(store).open_cassette(summary.trace_id)
        for exchange in (exchange for segment in cassette.segments for exchange in segment.exchanges):
            lib = exchange.signature.lib
            found[lib] = found.get(lib, 0) + bool(exchange.redacted)
    return found


def test_r46_no_driver_puts_a_secret_into_the_store_into_temporary_files_or_on_the_wire(recorded: Recorded) -> None:
    found = libraries(recorded.store)
    assert {lib for lib, count in found.items() if count >= 2} >= DRIVERS, found
    assert recorded.secrets_in(recorded.store) == []
    assert recorded.secrets_in(recorded.sent) == []
    assert search(recorded.folder / "tmp", {**NEEDLES, **recorded.made_by_aws}) == []


def test_r46_no_secret_is_in_what_is_bundled_and_saved_again(recorded: Recorded, tmp_path: Path) -> None:
    assert recorded.secrets_in(recorded.bundles) == []
    for bundle in recorded.bundles.iterdir():
        print_fmt(None, str(bundle), str(tmp_path / bundle.name), check=False, raw=True)
    assert recorded.secrets_in(tmp_path) == []


def test_r46_no_secret_is_in_what_is_pulled(recorded: Recorded, tmp_path: Path) -> None:
    data = (recorded.sent / "all.pb").read_bytes()
    for pulled in decode(read(data, "receiver"), "receiver").values():
        save_bundle(masked(pulled.cassette("receiver"), SECRETS), tmp_path / f"{pulled.trace_id}.cassette.json")
    assert len(list(tmp_path.iterdir())) == len(Store(recorded.store).list_traces().traces)
    assert recorded.secrets_in(tmp_path) == []


def test_r46_what_somebody_puts_in_place_of_the_markers_is_masked_once_more(recorded: Recorded, tmp_path: Path) -> None:
    """As a trace of somebody whose rules were others, or a bundle that was edited."""
    (tmp_path / "edited").mkdir()
    (tmp_path / "pushed").mkdir()
    names = []
    for bundle in sorted(recorded.bundles.iterdir()):
        names.append(tmp_path / "edited" / bundle.name)
        names[-1].write_bytes(MARKER_BYTES.sub(_unmasked, bundle.read_bytes()))
    assert len(search(tmp_path / "edited")) > len(names) / 2
    sent = tmp_path / "pushed" / "all.pb"
    done = run(["timetracer-otel", "push", *map(str, names), "--to", str(sent)])
    assert done.returncode == 0, done.stderr
    assert search(sent.parent) == []


def _unmasked(marker: re.Match[bytes]) -> bytes:
    """As long as the marker: in some protocols a length stands before it."""
    rule = marker[1]
    if rule in KNOWN_BY_SHAPE | KNOWN_BY_NEIGHBOURS:
        return marker[0]
    if rule == b"signature":
        return HASH.encode() if marker[0].startswith(b"[") else quote(HASH, safe="").encode()
    return (b"kT4nary" + marker[2]).ljust(len(marker[0]), b"x")
