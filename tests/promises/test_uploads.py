"""R20 on real sockets: a large chunked upload, recorded and without us, to applications that take it in four ways."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demonstration import ROOT
from tests.launching import SPARED, get, uvicorn
from tests.launching import recording as recording_into
from tests.promises.running import cassettes
from tests.promises.serving import until
from timetracer_otel.replay.library import entry_of

APP = "tests.promises.upload_app:app"
MIB = 1024 * 1024
PIECE = bytes(range(256)) * 4096
CHUNK = b"%x\r\n" % len(PIECE) + PIECE + b"\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n\r\n'
HEADERS = b"Host: h\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=b\r\n"
MORE_MIB = 64 + 64
"""Of memory: what may be in flight, and what we are."""
TIMEOUT_S = 60


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@contextlib.contextmanager
def posting(url: str, path: bytes) -> Iterator[socket.socket]:
    """A connection over which the head of an upload has gone."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), TIMEOUT_S) as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\n%b\r\n" % (path, HEADERS))
        yield connection


def rest(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            received += data
    return received


def streamed(url: str, mib: int) -> list[str]:
    """Its answer has begun before the second chunk is sent."""
    with posting(url, b"/streamed") as connection:
        connection.sendall(CHUNK)
        begun = b""
        while b"begun" not in begun:
            begun += connection.recv(4096)
        for _ in range(mib - 1):
            connection.sendall(CHUNK)
        connection.sendall(b"0\r\n\r\n")
        return re.findall(r"[0-9a-f]{64}", rest(connection).decode())


def form(url: str, mib: int) -> list[str]:
    with posting(url, b"/form") as connection:
        connection.sendall(chunk(PART))
        for _ in range(mib):
            connection.sendall(CHUNK)
        connection.sendall(chunk(b"\r\n--b--\r\n") + b"0\r\n\r\n")
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(4096)
        return re.findall(r"\{.*\}", received.decode())


def ignored(url: str, mib: int) -> list[str]:
    """The server answers, and closes the connection before it has all."""
    with posting(url, b"/ignored") as connection:

        def send() -> None:
            with contextlib.suppress(OSError):
                for _ in range(mib):
                    connection.sendall(CHUNK)

        sending = threading.Thread(target=send)
        sending.start()
        received = rest(connection)
        sending.join(TIMEOUT_S)
        return re.findall(r"HTTP/1.1 \d+|\{.*\}", received.decode())


def polled(url: str, mib: int) -> list[str]:
    """The client leaves in the middle."""
    before = len(get(url, ["/left"])[0])
    with posting(url, b"/polled") as connection:
        for _ in range(mib // 2):
            connection.sendall(CHUNK)
    until(lambda: len(get(url, ["/left"])[0]) > before, "nobody has noticed that the client left")
    return [get(url, ["/left"])[0].decode()]


WAYS = (streamed, form, ignored, polled)


def peak_mib(pid: int) -> int:
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(peak) // 1024


def served(env: dict[str, str], mib: int, is_written: Callable[[], bool]) -> tuple[dict[str, list[str]], int]:
    """What each way gave, and how much memory that took."""
    with uvicorn(APP, ROOT, env) as (server, url):
        given = {way.__name__: way(url, mib) for way in WAYS}
        until(is_written, "a cassette is missing")
        return given, peak_mib(server.pid)


def paths(store: Path) -> set[str]:
    """Of the recorded requests."""
    found = [entry_of(segment) for _, segment in cassettes(store)]
    return {str(each.request["path"]) for each in found if each is not None and each.request}


@pytest.mark.long
def test_r20_an_upload_of_any_size_is_taken_as_without_us(tmp_path: Path, rounds: Callable[[int], int]) -> None:
    mib = rounds(200)
    env = recording_into(tmp_path / "store", PYTHONPATH=str(ROOT), **SPARED)
    plain, plain_mib = served({**env, "OTEL_TRACES_EXPORTER": "none", "TIMETRACER_MODE": "off"}, mib, lambda: True)
    every = {f"/{way.__name__}" for way in WAYS}
    recorded, recorded_mib = served(env, mib, lambda: every <= paths(tmp_path / "store"))
    assert recorded == plain
    digest = hashlib.sha256(PIECE * mib).hexdigest()
    assert plain["streamed"] == [digest]
    assert digest in plain["form"][0]
    assert plain["ignored"] == ["HTTP/1.1 200", '{"ignored":true}']
    assert recorded_mib - plain_mib < MORE_MIB
