"""A bundle that somebody sent: what it chooses is no code of its own, least of all while the network is there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.demonstration import environment
from tests.launching import SPARED

DIAL = """
import os, socket
open({ran!r}, "a").write(__file__ + "\\n")
try:
    socket.create_connection(("127.0.0.1", {port}), 2).close()
except OSError:
    pass
"""
TRACE, ROOT, PROCESS = "a" * 32, "b" * 16, "c" * 32
REQUEST = {
    **{"type": "http", "method": "GET", "scheme": "http", "http_version": "1.1", "spec_version": "2.0", "path": "/"},
    **{"query_string": {"$text": ""}, "root_path": "", "headers": [], "body": [], "body_size": 0, "ended": True},
}
RESULT = {"status": 200, "headers": [], "body": [], "body_size": 0, "ended": True}


@dataclass(frozen=True, slots=True)
class Stranger:
    """`home`: where the user stands; `code`: a folder of modules that dial out and say that they ran."""

    home: Path
    code: Path
    ran: Path
    calls: list[object] = field(default_factory=list)

    def bundle(self, app: str | None = None, request: Mapping[str, Any] = REQUEST, **process: Any) -> Path:
        exchange = {
            **{"id": "c-0", "type": "http.server", "signature": {"lib": "asgi", "method": "GET", "url": "/"}},
            **{"span_id": ROOT, "request": request, "result": RESULT},
        }
        segment = {
            **{"segment": ROOT, "process": PROCESS, "parts": [0], "complete": True, "parent_segment": None},
            **{"entry": {"type": "http.server", "name": "GET /", "outcome": "200", "app": app}, "resource": {}},
            **{"connections": [], "generated": [], "dropped": {}, "exchanges": [exchange]},
            "spans": [{"span_id": ROOT, "name": "GET /", "kind": "SERVER", "start_ns": 1, "end_ns": 1000}],
        }
        recorder = {"id": PROCESS, "host": socket.gethostname(), **process}
        document = {"timetracer": 1, "trace_id": TRACE, "segments": [segment], "environments": []}
        path = self.home / "sent.cassette.json"
        path.write_text(json.dumps({**document, "processes": [recorder]}))
        return path

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        words = ["timetracer-otel", *map(str, command)]
        env = environment(**{**SPARED, **variables})
        return subprocess.run(words, cwd=self.home, env=env, capture_output=True, text=True, check=False, timeout=90)

    @property
    def has_run(self) -> bool:
        return self.ran.exists() or bool(self.calls)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    found = Stranger(tmp_path / "home", tmp_path / "theirs", tmp_path / "ran")
    found.home.mkdir()
    found.code.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_listen, args=(server, found.calls), daemon=True).start()
        text = DIAL.format(ran=str(found.ran), port=server.getsockname()[1])
        for name in ("sitecustomize", "usercustomize", "ctypes", "struct", "colorsys", "theirs_app"):
            (found.code / f"{name}.py").write_text(text)
        yield found
        server.shutdown(socket.SHUT_RDWR)


def _listen(server: socket.socket, calls: list[object]) -> None:
    try:
        while True:
            connection, address = server.accept()
            connection.close()
            calls.append(address)
    except OSError:  # closed
        return


def test_a_control_the_modules_of_the_stranger_would_dial_out(stranger: Stranger) -> None:
    env = environment(PYTHONPATH=str(stranger.code), **SPARED)
    subprocess.run([sys.executable, "-c", ""], env=env, check=True, timeout=60)
    assert stranger.has_run
    assert stranger.calls


@pytest.mark.parametrize(("choice", "isolation"), [("cwd", "namespace"), ("sys_path", "guards")])
def test_a_folder_that_a_bundle_names_runs_nothing_and_one_line_names_it(
    stranger: Stranger, choice: str, isolation: str
) -> None:
    names = {"cwd": str(stranger.code)} if choice == "cwd" else {"sys_path": [str(stranger.code)]}
    done = stranger.run("replay", stranger.bundle("theirs_app:app", **names), TIMETRACER_ISOLATION=isolation)
    assert (done.returncode, done.stdout) == (2, "")
    told, refused = done.stderr.splitlines()
    assert str(stranger.code) in told
    assert str(stranger.home) in told
    assert "no module 'theirs_app'" in refused
    assert not stranger.has_run


def test_a_relative_folder_beside_the_user_runs_nothing(stranger: Stranger) -> None:
    os.rename(stranger.code, stranger.home / "shop")
    done = stranger.run("replay", stranger.bundle("json:dumps", cwd="shop"))
    assert done.returncode == 2
    assert "'shop' (it is not absolute)" in done.stderr
    assert not stranger.has_run


def test_exec_takes_no_modules_from_a_bundle(stranger: Stranger) -> None:
    bundle = stranger.bundle(cwd=str(stranger.code), sys_path=[str(stranger.code)])
    done = stranger.run("exec", bundle, "--", sys.executable, "-c", "import colorsys; colorsys.rgb_to_hls(0, 0, 0)")
    assert done.returncode == 0
    assert str(stranger.code) in done.stderr.splitlines()[0]
    assert not stranger.has_run


def test_the_folder_of_the_user_s_own_app_is_enough(stranger: Stranger) -> None:
    (stranger.home / "users_app.py").write_text(
        "from starlette.applications import Starlette\n"
        "from starlette.responses import Response\n"
        "from starlette.routing import Route\n"
        "async def answer(request): return Response()\n"
        "app = Starlette(routes=[Route('/', answer)])\n"
    )
    done = stranger.run("replay", stranger.bundle("users_app:app", cwd="/srv/shop", host="prod-7"))
    assert "headers.content-length: recorded None, replayed '0'" in done.stdout, done.stderr  # it is the user's answer
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert not stranger.has_run


@pytest.mark.parametrize("size", ["z", None])
def test_a_size_that_is_no_number_is_one_line(stranger: Stranger, size: object) -> None:
    (stranger.home / "users_app.py").write_text("async def app(scope, receive, send): pass\n")
    done = stranger.run("replay", stranger.bundle("users_app:app", {**REQUEST, "body_size": size}))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
