"""R51: calls that no driver covers are named before a replay, refused in it, or let through by name."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.replay.conftest import APP, ROOT
from tests.replay.recordings import ROOT as ROOT_ID
from tests.replay.recordings import exchange, segment, span
from timetracer_otel.cassette.model import Cassette, Segment, Span
from timetracer_otel.cli.running import run
from timetracer_otel.replay.live import Live
from timetracer_otel.replay.uncovered import Uncovered, in_words, uncovered
from timetracer_otel.store import save_bundle

Recordings = Mapping[str, tuple[Cassette, Segment]]


def call(number: int, scope: str, parent: str = ROOT_ID, kind: str = "CLIENT", **attributes: str | int) -> Span:
    made = replace(span(f"{number:016x}", "GET", parent), kind=kind, scope=scope)
    return replace(made, attributes={name.replace("_", "."): value for name, value in attributes.items()})


def of(*spans: Span, exchanges: tuple[str, ...] = ()) -> list[Uncovered]:
    recorded = [exchange(number, span_id=each) for number, each in enumerate(exchanges)]
    one = segment(*recorded)
    return uncovered(replace(one, spans=(*one.spans, *spans)))


PREFIX = "opentelemetry.instrumentation."


def test_r51_calls_that_are_spans_alone_are_named_by_library_and_target() -> None:
    found = of(
        call(1, f"{PREFIX}grpc", server_address="10.0.0.7", server_port=50051),
        call(2, f"{PREFIX}grpc", server_address="10.0.0.7", server_port=50051),
        call(3, f"{PREFIX}elasticsearch", url_full="https://search.example/a"),
        call(4, "shop", kind="PRODUCER"),
    )
    assert [in_words(each) for each in found] == [
        "grpc: GET 10.0.0.7:50051, 2 times",
        "elasticsearch: GET https://search.example/a",
        "shop: GET",
    ]


@pytest.mark.parametrize(
    "spans",
    [
        [call(1, f"{PREFIX}grpc")],
        [call(2, "shop"), call(1, f"{PREFIX}grpc", "2".rjust(16, "0"))],
        [call(3, f"{PREFIX}grpc", kind="INTERNAL")],
        [call(4, f"{PREFIX}psycopg")],
        [call(5, f"{PREFIX}sqlalchemy")],
        [call(6, f"{PREFIX}aiobotocore")],
    ],
    ids=[
        "recorded",
        "recorded below it",
        "no call",
        "a connect of ours",
        "around ours",
        "another instrumentor of ours",
    ],
)
def test_calls_that_are_recorded_are_not_named(spans: list[Span]) -> None:
    assert of(*spans, exchanges=("1".rjust(16, "0"),)) == []


def test_spans_that_go_in_a_circle_are_looked_at_once() -> None:
    one, other = "1".rjust(16, "0"), "2".rjust(16, "0")
    assert of(call(1, f"{PREFIX}grpc", other), call(2, f"{PREFIX}grpc", one)) == []


# ---- --live ----------------------------------------------------------------------------------------------------------


def test_only_the_named_package_is_let_through_and_each_target_is_told_once() -> None:
    told: list[str] = []
    live = Live(["tests"], told.append)
    assert [live.lets("resolve", "db"), live.lets("resolve", "db")] == [True, True]
    assert told == ["live: tests: resolve db"]
    assert not Live(["httpx"]).lets("connect", "x")
    assert not Live([]).lets("connect", "x")


def test_a_name_that_it_has_asked_an_event_loop_for_is_looked_up_in_a_thread() -> None:
    """There nobody of the package is seen to call: a thread that runs a method of ours alone."""
    live, found = Live(["tests"]), list[bool]()
    live.lets("resolve", "db")
    with ThreadPoolExecutor(1) as pool:
        found += pool.map(live.lets, ["resolve", "resolve", "connect"], ["db", "elsewhere", "db"])
    assert found == [True, False, False]


def test_r51_a_refused_call_names_library_target_and_what_to_do_and_live_lets_it_through(
    recorded: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also on a loopback of its own, where the kernel would refuse it without a word."""
    cassette = save_bundle(recorded["/reach"][0], tmp_path / "reach.cassette.json")
    with closing(socket.create_server(("127.0.0.1", 0))) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(60)
        port = str(server.getsockname()[1])
        monkeypatch.chdir(ROOT)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("HONEYPOT", port)
        arguments = ["replay", str(cassette), "--app", f"{APP}:app", "--json", str(tmp_path / "r.json")]
        assert run(arguments) == 1
        out = capsys.readouterr().out
        assert out.startswith(
            f"no recorded answer for  connect 127.0.0.1:{port}\n  asked by  tests/replay/app_under_test.py:"
        )
        assert "  to do     stub the call where TIMETRACER_MODE is replay, or let it through\n" in out
        calling = pool.submit(server.accept)
        assert run([*arguments, "--live", "tests"]) == 1  # the app answers otherwise when somebody is there
        calling.result()[0].close()
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["misses"] == []
    assert report["uncontrolled"] == ["native sockets", f"live: tests: connect 127.0.0.1:{port}"]


@pytest.mark.parametrize(
    ("library", "said"), [("psycopg", "answered from the recording"), ("rediss", "no package 'rediss'"), ("", "''")]
)
def test_r49_what_cannot_be_let_through_is_one_line(
    recorded: Recordings, tmp_path: Path, capsys: pytest.CaptureFixture[str], library: str, said: str
) -> None:
    cassette = save_bundle(recorded["/reach"][0], tmp_path / "reach.cassette.json")
    assert run(["replay", str(cassette), "--live", library]) == 2
    err = capsys.readouterr().err
    assert (err.count("\n"), said in err) == (1, True)
