"""Secrets in every place that a recording looks at: none of their bytes is in any file of the store, at any time."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import pytest
import zstandard

from tests.demonstration import ROOT, environment
from tests.launching import SPARED
from tests.promises.canary_app import BIG_BYTES, SCHEMA
from tests.promises.conftest import database
from tests.promises.running import TIMEOUT_S, Answer, _free_port, _wait_for, cassettes, recording, replay, run, send
from timetracer_otel.cassette import Exchange
from timetracer_otel.redaction.names import NAMES
from timetracer_otel.store import Store

MARK = "kT4nary"
"""In every secret, and in nothing else."""


def canary(carrier: str) -> str:
    return f"{MARK}{carrier}0Zx81Qw"


HEADERS = {
    "AUTHORIZATION": f"Bearer {canary('bearer')}",
    "cookie": f"theme=dark; session={canary('cookie')}",
    "X-Api-Key": canary("header"),
    "proxy-authorization": f"Basic {base64.b64encode(canary('basic').encode()).decode()}",
    "Baggage": f"tier=gold,session_token={canary('baggage')}",
    "Referer": f"https://ann:{canary('referer')}@shop.example/?next=%2F%3Ftoken%3D{canary('nested')}",
}
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
TEXT = {"content-type": "text/plain"}
BINARY = {"content-type": "application/octet-stream"}
MULTIPART = {"content-type": "multipart/form-data; boundary=b0"}
PACKED = {**JSON, "content-encoding": "gzip"}
PARTS = (
    '--b0\r\nContent-Disposition: form-data; name="password"\r\n\r\n{0}\r\n'
    '--b0\r\nContent-Disposition: form-data; name="file"; filename="k.txt"\r\n\r\napi_key={1}\r\n--b0--\r\n'
)


def body(**secrets: object) -> bytes:
    return json.dumps(secrets).encode()


USER = body(
    user={"Password": canary("literal"), "Token": canary("json")},
    refresh={"token": canary("answer")},
    environment=[{"name": "DB_PASSWORD", "value": canary("neighbour")}],
)
OWN = {key: canary(key) for key in ("name", "link", "attribute", "event", "status", "dsn", "traceback", "pair")}
WRONG = body(secret={"literal": canary("wrong"), "parameter": canary("parameter")})
DOTS = b"." * BIG_BYTES
Sent: TypeAlias = "tuple[str, str, bytes, Mapping[str, str]]"
REQUESTS: Mapping[str, Sent] = {
    "carriers": (f"/carriers?page=2&API_KEY={canary('query')}", "PUT", USER, {**HEADERS, **JSON}),
    "form": ("/form", "POST", f"user=ann&password={canary('form')}".encode(), FORM),
    "multipart": ("/form", "POST", PARTS.format(canary("multipart"), canary("file")).encode(), MULTIPART),
    "gzip": ("/packed", "PATCH", gzip.compress(body(credentials={"client_secret": canary("gzip")})), PACKED),
    "spans": ("/traced", "POST", b"", {}),
    "exception": ("/fail", "POST", b"", {}),
    "database": ("/wrong", "DELETE", WRONG, JSON),
    "large text": ("/big?kind=text", "POST", DOTS + f" token={canary('bigtext')}".encode(), TEXT),
    "large binary": ("/big?kind=binary", "POST", b"\0" * BIG_BYTES + f" token={canary('bin')}".encode(), BINARY),
}
FAILING = ("exception", "database")


# ---- the search ------------------------------------------------------------------------------------------------------


def spellings(secret: bytes) -> Mapping[str, bytes]:
    found = {
        "as it is": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "utf-16-le": secret.decode().encode("utf-16-le"),
        "utf-16-be": secret.decode().encode("utf-16-be"),
        "percent": "".join(f"%{byte:02X}" for byte in secret).encode(),
        "escapes": "".join(f"\\u{byte:04x}" for byte in secret).encode(),
    }
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + secret)
        found[f"base64 at {shift}"] = coded[-(-8 * shift // 6) : 8 * (shift + len(secret)) // 6]
    return found


NEEDLES = spellings(MARK.encode())


ZSTD = b"\x28\xb5\x2f\xfd"
COMPRESSED = re.compile(rb"\x1f\x8b\x08|x\x9c|" + re.escape(ZSTD))


def search(folder: Path, needles: Mapping[str, bytes] = NEEDLES) -> list[str]:
    """Where the mark of the canaries stands, in any spelling, in any file."""
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # a living process renames and removes
            if path.is_file():
                spellings = _found_in(path.read_bytes(), needles)
                found += [f"{path.relative_to(folder)}: {spelling}" for spelling in spellings]
    return found


def _found_in(data: bytes, needles: Mapping[str, bytes], depth: int = 0) -> Iterator[str]:
    yield from (name for name, needle in needles.items() if needle in data)
    for inner in _inside(data) if depth < 4 else ():
        yield from _found_in(inner, needles, depth + 1)


def _inside(data: bytes) -> Iterator[bytes]:
    if COMPRESSED.match(data):
        yield from _unpacked(data, 0)
    if len(data) < 8 * BIG_BYTES:
        for coded in re.findall(rb"[A-Za-z0-9+/]{16,}", data):
            with contextlib.suppress(ValueError):
                yield from _begun(base64.b64decode(coded + b"=" * (-len(coded) % 4)))
        for digits in re.findall(rb"\\x((?:[0-9a-f]{2}){8,})", data):  # bytes of PostgreSQL
            yield from _begun(bytes.fromhex(digits.decode()))


def _begun(data: bytes) -> Iterator[bytes]:
    """What begins somewhere in it, as behind a length of a protocol."""
    for found in COMPRESSED.finditer(data):
        yield from _unpacked(data, found.start())


def _unpacked(data: bytes, start: int) -> Iterator[bytes]:
    if data.startswith(ZSTD, start):
        yield _of_zstd(data[start:])
    else:
        with contextlib.suppress(zlib.error):  # it only looked so
            yield zlib.decompressobj(47).decompress(data[start:])


def _of_zstd(data: bytes) -> bytes:
    """As far as it goes: a file that is being written has no end."""
    out = bytearray()
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    with contextlib.suppress(zstandard.ZstdError):
        while piece := reader.read(65536):
            out += piece
    return bytes(out)


# ---- the service -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def send(self, name: str) -> Answer:
        path, method, data, headers = REQUESTS[name]
        return send(self.url, path, method, data, headers)


@contextlib.contextmanager
def program(folder: Path, *arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The careless program, recording into `folder/cassettes`; and its log."""
    command = ["opentelemetry-instrument", sys.executable, "-m", "tests.promises.canary_app", *arguments]
    resource = f"service.name=canaries,deployment.api_key={canary('resource')}"
    log = folder / "program.log"
    with database(SCHEMA) as dsn, log.open("wb") as output:
        settings = recording(folder / "cassettes", OTEL_RESOURCE_ATTRIBUTES=resource, **SECRETS, **variables)
        env = {**environment(PYTHONPATH=str(ROOT), **SPARED), **settings, "DATABASE_URL": _with_password(dsn)}
        process = subprocess.Popen(
            [*command, "--password", canary("argv")], cwd=ROOT, env=env, stdout=output, stderr=output
        )
        try:
            yield process, log
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


@contextlib.contextmanager
def running(folder: Path, **variables: str) -> Iterator[Running]:
    """As a service."""
    port = _free_port()
    with program(folder, "--port", str(port), **variables) as (process, log):
        _wait_for(port, process, log)
        yield Running(f"http://127.0.0.1:{port}", process, log)


SECRETS = {
    "CANARIES": json.dumps(OWN),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,otel",
}


def _with_password(dsn: str) -> str:
    return dsn.replace("@", f":{canary('connection')}@", 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a cassette of each request; nothing was found in it after any of them."""
    folder = tmp_path_factory.mktemp("canaries")
    with running(folder) as service:
        for name in REQUESTS:
            assert service.send(name).status == (500 if name in FAILING else 200), service.log.read_text()
            assert search(folder / "cassettes") == [], name
    return folder / "cassettes"


def test_the_search_finds_a_secret_in_every_spelling(tmp_path: Path) -> None:
    secret = f"<{MARK}>".encode()
    hidden = [
        secret,
        secret.hex().encode(),
        MARK.encode("utf-16-be"),
        *(base64.b64encode(b"x" * n + secret) for n in range(3)),
    ]
    for number, data in enumerate(hidden):
        (tmp_path / f"{number}.zst").write_bytes(zstandard.compress(data + os.urandom(400_000))[:-9])
    packs: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zlib": zlib.compress}
    packs["zstd"] = zstandard.compress
    for name, pack in packs.items():
        packed = pack(secret + b" " * 50 + secret)
        for begin in (b"", b"*1\r\n$99\r\n"):
            coded = base64.b64encode(begin + packed).decode()
            (tmp_path / f"{name}{len(begin)}").write_bytes(json.dumps({"$bytes": coded}).encode())
        (tmp_path / f"{name} in hexadecimal").write_bytes(json.dumps(f"\\x{packed.hex()}").encode())
    assert {place.partition(":")[0] for place in search(tmp_path)} == {path.name for path in tmp_path.iterdir()}


def test_r46_no_byte_of_a_secret_is_in_any_file_of_the_store(store: Path) -> None:
    assert search(store) == []
    assert len(Store(store).list_traces().traces) == len(REQUESTS)
    assert list((store / "blobs").iterdir())


def test_what_is_left_of_the_secrets_are_markers_and_audit_finds_nothing(store: Path) -> None:
    done = run(["timetracer-otel", "audit", "--store", str(store), "--explain"])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_r46_the_redacted_cassettes_replay_the_same(store: Path, tmp_path: Path) -> None:
    traces = [summary.trace_id for summary in Store(store).list_traces().traces]
    with ThreadPoolExecutor(2) as pool:
        replayed = list(pool.map(lambda trace: replay(store / trace, tmp_path, CANARIES=json.dumps(OWN)), traces))
    assert [(done.verdict, done.findings) for done in replayed] == [("same", [])] * len(REQUESTS)


def test_r46_nothing_is_there_while_it_runs_and_after_a_kill(tmp_path: Path) -> None:
    store = tmp_path / "cassettes"
    with ThreadPoolExecutor() as pool, running(tmp_path, TIMETRACER_KEEP="errors") as service:
        for name in REQUESTS:
            service.send(name)
            assert search(store) == []
        pool.submit(_slow, service)
        _until(lambda: "slow: waiting" in service.log.read_text())
        _until(lambda: "/wrong" in _listed(store))  # the last that is kept: a thread writes it, after its answer
        assert search(store) == []
        service.process.kill()
        service.process.wait(TIMEOUT_S)
        assert search(store) == []
    listed = _listed(store)
    assert ("/fail" in listed, "/form" in listed) == (True, False)
    assert search(store) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_r46_nothing_is_in_a_spool_nor_in_what_is_adopted_of_it(tmp_path: Path) -> None:
    store = tmp_path / "cassettes"
    with program(tmp_path) as (_, log):
        _until(lambda: "task: waiting" in log.read_text())
        _until(lambda: any(b"api_key" in path.read_bytes() for path in store.rglob("*.spool")))
        assert search(store) == []
        # At the start of a line: from Python 3.12 on a warning quotes the line of the app that forks.
        [child] = re.findall(r"^child (\d+)$", log.read_text(), re.MULTILINE)
        os.kill(int(child), signal.SIGKILL)
    listed = run(["timetracer-otel", "list", "--store", str(store)])
    assert "task" in listed.stdout, listed.stdout + listed.stderr
    assert not list(store.rglob("*.spool"))
    assert search(store) == []


def _listed(store: Path) -> str:
    return run(["timetracer-otel", "list", "--store", str(store)]).stdout


def _slow(service: Running) -> None:
    with contextlib.suppress(OSError):
        send(service.url, "/slow", "POST", body(token=canary("slow"), password=canary("spool")), {**HEADERS, **JSON})


def _until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_the_rules_they_would_be_found_and_audit_says_where(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(f"allow = {json.dumps(NAMES)}\n")
    with running(tmp_path, TIMETRACER_REDACT=str(rules)) as service:
        for name in ("carriers", "form", "spans", "large text"):
            service.send(name)
    assert len(search(tmp_path / "cassettes")) >= 4
    done = run(["timetracer-otel", "audit", "--store", str(tmp_path / "cassettes"), "--explain"])
    assert done.returncode == 1
    assert MARK not in done.stdout
    for rule in ("password", "token", "api_key", "cookie"):
        assert f": {rule}, would be [redacted:{rule}#" in done.stdout


# ---- R47: the application gets what was sent -------------------------------------------------------------------------

ALL_BYTES = bytes(range(256)) * 40
BODIES: Mapping[str, tuple[str, bytes, Mapping[str, str]]] = {
    "none": ("DELETE", b"", {}),
    "binary": ("PUT", ALL_BYTES + f"=&token={canary('binary')}".encode() + ALL_BYTES, BINARY),
    "multipart": ("PATCH", PARTS.format(canary("part"), canary("file")).encode(), MULTIPART),
    "gzip": ("POST", gzip.compress(body(token=canary("gzip")) * 9), PACKED),
    "broken JSON": ("PUT", body(user={"password": canary("broken")})[:-2] + b",,{", JSON),
    "JSON in a DELETE": ("DELETE", body(token=canary("deleted"), n=1.50), JSON),
    "30 MB": ("POST", b"lorem ipsum\n" * 2_500_000 + f"token={canary('30')}\n".encode() + b"." * 100_000, TEXT),
}


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Exchange]:
    """What is recorded of each; the application got it unchanged."""
    folder = tmp_path_factory.mktemp("bodies")
    with running(folder) as service:
        for name, (method, data, headers) in BODIES.items():
            answer = send(service.url, f"/digest?{name.replace(' ', '-')}", method, data, headers)
            assert json.loads(answer.body) == {"sha256": hashlib.sha256(data).hexdigest(), "length": str(len(data))}
    assert search(folder / "cassettes") == []
    found = [segment.exchanges[0] for _, segment in cassettes(folder / "cassettes")]
    return dict(zip(BODIES, found, strict=True))


@pytest.mark.parametrize("name", BODIES)
def test_r47_the_app_gets_what_was_sent_and_the_lengths_that_are_stored_fit(
    name: str, bodies: Mapping[str, Exchange]
) -> None:
    method, data, _ = BODIES[name]
    request = bodies[name].request
    stored = b"".join(chunk for _, chunk in cast("Sequence[tuple[int, bytes]]", request["body"]))
    headers = dict(cast("Sequence[tuple[bytes, bytes]]", request["headers"]))
    assert request["method"] == method
    assert len(stored) == request["body_size"] == int(headers[b"content-length"])
    plain = gzip.decompress(stored) if name == "gzip" else stored
    assert (b"redacted" in plain) == (name != "none")
    assert len(plain) < len(data) + 10_000
    assert bodies[name].dropped is None
