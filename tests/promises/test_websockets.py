"""WebSockets from the socket to the disk and back: while they go on, when they have ended, when a server is killed."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.demonstration import ROOT
from tests.drivers.asgi.websocket.parts import WebSocket
from tests.launching import SPARED, uvicorn
from tests.launching import recording as recording_into
from tests.promises.running import replay
from tests.promises.serving import until
from timetracer_otel.cassette import Cassette
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.asgi.websocket.codec import messages_of
from timetracer_otel.replay.library import entry_of
from timetracer_otel.store import Store

APP = "tests.promises.talk_app:app"
WORDS = 2_500
"""Each is answered."""
SEEN_EARLY = 300


@dataclass(frozen=True, slots=True)
class Talks:
    whole: Cassette
    killed: Cassette
    early: int
    """Messages that were in the store while both went on."""


def say(socket: WebSocket, words: range, at_once: int = 100) -> None:
    for start in range(words.start, words.stop, at_once):
        stop = min(start + at_once, words.stop)
        for number in range(start, stop):
            socket.say(f"word {number}")
        socket.hear(stop - start)


def entries(store: Path) -> dict[str, tuple[Cassette, Exchange]]:
    """By path."""
    found = {}
    for summary in Store(store).list_traces().traces:
        cassette, _ = Store(store).open_cassette(summary.trace_id)
        entry = entry_of(cassette.segments[0])
        if entry is not None and entry.request:
            found[str(entry.request["path"])] = cassette, entry
    return found


def heard(store: Path, path: str) -> int:
    found = entries(store)
    return len(messages_of(found[path][1].result)) if path in found else 0


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Talks:
    store = tmp_path_factory.mktemp("talks") / "store"
    env = recording_into(store, PYTHONPATH=str(ROOT), **SPARED)
    with uvicorn(APP, ROOT, env) as (server, url):
        port = int(url.rpartition(":")[2])
        whole, killed = WebSocket(port, "/talk/whole"), WebSocket(port, "/talk/killed")
        say(whole, range(SEEN_EARLY))
        say(killed, range(150))
        until(
            lambda: heard(store, "/talk/whole") and heard(store, "/talk/killed"), "nothing is on disk while they go on"
        )
        early = heard(store, "/talk/whole")
        say(whole, range(SEEN_EARLY, WORDS))
        whole.say("end")
        assert whole.rest().close == (4000, "")
        until(lambda: entries(store)["/talk/whole"][1].complete, "the end is not on disk")
        os.kill(server.pid, signal.SIGKILL)
        killed.vanish()
    found = entries(store)
    return Talks(found["/talk/whole"][0], found["/talk/killed"][0], early)


def test_what_was_said_so_far_is_on_disk_while_a_session_goes_on(talks: Talks) -> None:
    assert 2 * SEEN_EARLY * 0.7 < talks.early <= 2 * SEEN_EARLY


def test_one_message_of_thousands_that_is_another_is_exactly_that_difference(talks: Talks, tmp_path: Path) -> None:
    entry = entry_of(talks.whole.segments[0])
    assert entry is not None
    assert talks.whole.segments[0].complete
    heard_of_it = [data for _, side, data in messages_of(entry.result) if side == "client"]
    assert heard_of_it == [*(f"word {number}" for number in range(WORDS)), "end"]
    again = replay(talks.whole.path, tmp_path, "--ignore", "messages[*].$.said", CHANGED="2000")
    assert (again.status, again.verdict) == (1, "deviates")
    found = [(each["path"], each["recorded"], each["replayed"]) for each in again.findings]
    assert found == [("messages[4001].$.note", "as ever", "other")]
    ignored = {"path": "messages[4001].$.said", "reason": "ignored by 'messages[*].$.said', as you wish"}
    assert again.report["ignored"] == [ignored]


def test_a_session_whose_server_was_killed_runs_as_far_as_it_is_recorded_and_is_inconclusive(
    talks: Talks, tmp_path: Path
) -> None:
    again = replay(talks.killed.path, tmp_path)
    assert (again.status, again.verdict) == (3, "inconclusive")
    assert "without its end" in again.output
    assert again.report["outcome"]["replayed"]["messages"][0] == again.report["outcome"]["recorded"]["messages"][0]
