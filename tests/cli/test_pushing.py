"""`push` and `pull`: what they print, how they end, and that a failure changes nothing here."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette.samples import ENVIRONMENT_PART, TRACE_ID
from tests.cli.conftest import Cli, part_of, write
from tests.exporters.otlp.receiver import Reply, receiver
from timetracer_otel.cassette import dump_environment
from timetracer_otel.cli import pushing
from timetracer_otel.exporters.otlp import otlp_json, transfer
from timetracer_otel.exporters.otlp.push import push
from timetracer_otel.exporters.otlp.reading import read
from timetracer_otel.exporters.otlp.transfer import Connection
from timetracer_otel.store import Store

OTHER_ID = "11" * 16


@pytest.fixture
def whole(store: Store) -> Store:
    """With an environment."""
    store.write_environment(ENVIRONMENT_PART.process.id, 0, dump_environment(ENVIRONMENT_PART))
    return store


def unchanged(folder: Path) -> list[tuple[Path, int]]:
    """What is there, and since when."""
    return sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))


def shown(cli: Cli, store: str) -> object:
    return json.loads(cli("show", TRACE_ID, "--json", "--store", store).out)


@pytest.mark.parametrize("name", ["trace.jsonl", "trace.pb"])
def test_a_trace_comes_back_from_a_file_as_it_was(name: str, cli: Cli, whole: Store, folder: Path) -> None:
    assert cli("push", TRACE_ID[:4], "--to", name).out == f"{name}\n"
    done = cli("pull", "--from", name, "--store", "pulled")
    assert (done.status, done.out, done.err) == (0, f"pulled/{TRACE_ID}\n", "")
    assert shown(cli, "pulled") == shown(cli, "cassettes")
    assert sorted(os.listdir("pulled")) == [TRACE_ID, "processes"]
    again = cli("pull", "--from", name, "--store", "pulled")
    assert (again.status, again.out) == (2, "")
    assert "the store has this trace already" in again.err
    done = cli("pull", TRACE_ID, "--from", name, "-o", "one.json", "--json")
    assert json.loads(done.out) == {"trace_id": TRACE_ID, "path": "one.json", "problems": []}
    assert cli("show", "one.json").status == 0


def test_a_trace_comes_back_from_a_backend_as_it_was(cli: Cli, whole: Store) -> None:
    with receiver() as backend:
        done = cli("push", TRACE_ID, "--to", backend.url, "--ui", "http://127.0.0.1:16686/")
        body = otlp_json.dumps(read(backend.data, "it"))
        backend.answer = lambda path, _: Reply(200, b'{"result":%b}' % body)
        pulled = cli("pull", TRACE_ID, "--from", backend.url, "--store", "pulled")
    assert done.status == 0
    assert done.out.startswith(f"{TRACE_ID}: 8 spans in 1 request, ")
    assert done.out.endswith(f", http://127.0.0.1:16686/trace/{TRACE_ID}\n")
    assert (pulled.status, pulled.err) == (0, "")
    assert shown(cli, "pulled") == shown(cli, "cassettes")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_a_push_is(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    with receiver() as backend, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with pushing._progress(TRACE_ID) as on_sent:
            push(store.open_cassette(TRACE_ID)[0], backend.url, Connection(), on_sent=on_sent)
    assert f"push {TRACE_ID[:8]}" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_candidates_are_listed_by_service_and_tags(cli: Cli, store: Store) -> None:
    tags = [{"key": "timetracer.recorded", "value": "true"}, {"key": "timetracer.outcome", "value": "500 KeyError"}]
    span = {"operationName": "GET /orders", "startTime": 1_764_000_000_000_000, "duration": 1500, "tags": tags}
    answer = json.dumps({"data": [{"traceID": TRACE_ID, "spans": [span]}]}).encode()
    with receiver(lambda path, body: Reply(404) if "/v3/" in path else Reply(200, answer)) as backend:
        done = cli("pull", "--from", backend.url, "--service", "shop", "--tags", "a=b", "--since", "2h")
        _, path = backend.paths
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[-1].split() == [
        *(TRACE_ID, "2025-11-24", "16:00:00", "1.5", "GET", "/orders", "500", "KeyError", "1")
    ]
    assert path.startswith("/api/traces?service=shop&tags=%7B%22timetracer.recorded%22%3A+%22true%22%2C+%22a%22")


@pytest.mark.parametrize("command", [["push", TRACE_ID, "--to"], ["pull", TRACE_ID, "--from"]], ids=["push", "pull"])
def test_a_backend_that_is_down_is_one_line_and_changes_nothing(
    command: list[str], cli: Cli, whole: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "DELAYS_S", ())
    before = unchanged(folder)
    done = cli(*command, "http://127.0.0.1:1")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.endswith(": Connection refused; is it running, and is the address right?\n")
    assert unchanged(folder) == before


@pytest.mark.parametrize(
    ("status", "advice"),
    [(404, "--to is the address of an OTLP receiver, port 4318\n"), (500, "see its log\n"), (401, "Bearer%20...\n")],
)
def test_r49_a_server_that_is_another_is_told_from_one_that_fails(
    status: int, advice: str, cli: Cli, store: Store
) -> None:
    before = unchanged(store.root)
    with receiver(lambda path, body: Reply(status, b"no")) as backend:
        done = cli("push", TRACE_ID, "--to", backend.url)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.endswith(advice)
    assert unchanged(store.root) == before


def test_what_was_not_masked_when_it_was_recorded_does_not_leave(cli: Cli, store: Store) -> None:
    write(store, part_of(OTHER_ID, resource={"service.name": "shop", "password": "kT4-password"}))
    assert cli("push", OTHER_ID, "--to", "trace.jsonl").status == 0
    assert b"kT4-password" not in Path("trace.jsonl").read_bytes()


def test_large_payloads_may_stay_in_a_folder(cli: Cli, store: Store) -> None:
    (one, *others) = part_of().exchanges
    large = replace(others[0], result={**others[0].result, "text": "x" * 2_000_000})
    write(store, part_of(OTHER_ID, exchanges=(one, large)))
    assert cli("push", OTHER_ID, "--to", "trace.pb", "--payloads", "big").status == 0
    assert Path("trace.pb").stat().st_size < 100_000
    assert cli("pull", "--from", "trace.pb", "--payloads", "big", "--store", "pulled").status == 0
    without = cli("pull", "--from", "trace.pb", "--store", "without")
    assert without.status == 3
    assert "timetracer.result was cut: 0 of 2000" in without.err


def test_names_and_options_that_say_nothing_are_refused(cli: Cli, store: Store) -> None:
    Path("plain.jsonl").write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": OTHER_ID}]}]}]})
    )
    Path("folder.jsonl").mkdir()
    Path("mine.cassette.json").write_text("mine")
    for arguments, words in (
        (["push", TRACE_ID, "--to", "ftp://x"], "is no URL"),
        (["push", "ffff", "--to", "x.jsonl"], "no such cassette"),
        (["push", TRACE_ID, "--to", "localhost:4318"], "is neither a URL nor a file that ends in .jsonl or .pb"),
        (["push", TRACE_ID, "--to", "mine.cassette.json"], "is neither a URL nor a file"),
        (["push", TRACE_ID, "--to", "folder.jsonl"], "'folder.jsonl' is no file"),
        (["push", TRACE_ID, "--to", "x.jsonl", "--ui", "http://127.0.0.1:1"], "--ui, --json"),
        (["push", TRACE_ID, "--to", "x.jsonl", "--json"], "--ui, --json"),
        (["push", TRACE_ID, "--to", "x.jsonl", "--payloads", "plain.jsonl"], "'plain.jsonl' is no folder"),
        (["pull", "--from", "http://127.0.0.1:1"], "neither a trace id nor a service is named"),
        (["pull", "--from", "http://127.0.0.1:1", "--service", ""], "--service: '' is empty"),
        (["pull", "--from", "http://127.0.0.1:1", "--service", "x", "-o", "x.json"], "--output: without a trace id"),
        (["pull", "--from", "none.jsonl"], "is neither a URL nor a file"),
        (["pull", "--from", "plain.jsonl", "-o", "x.json", "--store", "x"], "each says where the trace goes"),
        (["pull", "7f3a", "--from", "http://127.0.0.1:1"], "is no trace id"),
        (["pull", TRACE_ID, "--from", "plain.jsonl"], f"it holds no trace {TRACE_ID}"),
        (["pull", "--from", "plain.jsonl"], "it holds 1 spans, and none with payloads"),
        (["pull", TRACE_ID, "--from", "plain.jsonl", "--service", "x"], "they choose what is listed"),
        (["pull", "--from", "http://127.0.0.1:1", "--service", "x", "--tags", "a"], "is not NAME=VALUE"),
    ):
        done = cli(*arguments)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), arguments
        assert words in done.err
    assert sorted(os.listdir()) == ["cassettes", "folder.jsonl", "mine.cassette.json", "plain.jsonl"]
    assert Path("mine.cassette.json").read_text() == "mine"
