"""httpx GET of a server that answers at once: recorded over plain OpenTelemetry, replayed over live calls.

The peers are timetracer and vcrpy. `2,000 calls`: as many are in the recording, and all of
them are asked for, as by the application that made them. Of `some` a twentieth or so is: there the time is that of what
is made once of a recording, when it is first asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
from harness import TRACE, Case, Contestant, Setup, main, nothing
from providers import CONTESTANTS, plain, provider, traced

URL = "BENCH_URL"
MANY = 2000


def get() -> Callable[[], object]:
    import httpx

    client, url = httpx.Client(), f"{os.environ[URL]}/item"
    return lambda: client.get(url).content


def recording(contestant: str) -> Setup:
    def setup() -> Contestant:
        if contestant == "plain":
            return Contestant(plain(get()))
        if contestant == "timetracer":
            from timetracer.plugins import enable_httpx

            enable_httpx()
            return Contestant(peers.timetracer(get()))
        if contestant == "vcrpy":
            return Contestant(peers.vcrpy(get()))
        made = provider(contestant)
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor().instrument()
        return Contestant(*traced(made, get()))

    return setup


def live() -> Contestant:
    return Contestant(plain(get()))


def replayed(least: int) -> Setup:
    """From a session that is made anew for each batch, before the clock starts: each exchange answers once."""

    def setup() -> Contestant:
        from timetracer_otel.drivers.http.replay import REPLAYING

        host = Host(least)
        REPLAYING.install(host)
        return Contestant(plain(get()), nothing, host.fill)

    return setup


class Host:
    """Implements what the clients ask of `drivers.base.ReplayHost`. `least`: so many exchanges it has at any time."""

    def __init__(self, least: int) -> None:
        self._least = least
        self.session: Any = None
        self.fill(1)

    def fill(self, count: int) -> None:
        from canned_http import BODY

        from timetracer_otel.cassette.model import Exchange, Signature
        from timetracer_otel.drivers.http.questions import question_of
        from timetracer_otel.replay.instants import window
        from timetracer_otel.replay.journal import MemoryJournal
        from timetracer_otel.replay.library import Library, Recorded
        from timetracer_otel.replay.origin import Origins
        from timetracer_otel.replay.session import Session

        host, _, port = os.environ[URL].rpartition("/")[2].partition(":")
        place = {"scheme": "http", "host": host, "port": int(port), "path": b"/item", "query": b""}
        request = {"client": "httpcore", "method": "GET", **place, "headers": [[b"Accept", b"*/*"]], "body": b""}
        head = {"version": "HTTP/1.1", "status": 200, "reason": b"OK", "headers": [[b"Content-Type", b"text/plain"]]}
        result = {**head, "body": [BODY], "ended": "complete"}
        signature = Signature("http", "GET", f"{host}:{port}/item")
        exchanges = tuple(
            Exchange(f"p-{number}", "http.client", signature, request, result, at_ns=number * 10, duration_ns=5)
            for number in range(max(count, self._least))
        )
        library, limits = Library(exchanges, question_of), window(0, 1)
        origins = Origins((), limits, lambda: limits)
        self.session = Session(Recorded("segment", exchanges), library, origins, MemoryJournal())

    def current(self) -> Any:
        from timetracer_otel.capture.frames import app_frame
        from timetracer_otel.drivers.base import Asked

        return self.session, Asked(frame=app_frame(), span="GET", span_path=("work", "GET"))


def vcrpy(recorded: int) -> Setup:
    """Playback of a cassette with so many calls."""

    def setup() -> Contestant:
        import vcr

        one = get()
        file = str(Path(tempfile.mkdtemp(prefix="timetracer-bench-")) / "cassette.yaml")
        with vcr.VCR(record_mode="all").use_cassette(file):
            plain(one)(recorded)

        def run(count: int) -> None:
            while count > 0:
                with vcr.VCR(record_mode="none").use_cassette(file):
                    plain(one)(min(count, recorded))
                count -= recorded

        return Contestant(run)

    return setup


NAMES = (*CONTESTANTS, *peers.available("timetracer", "vcrpy"))
CASES = {"httpx GET": Case("otel", {name: recording(name) for name in NAMES}, {"recorded": 1.15})}


def replays(least: int, is_whole: bool) -> Case:
    """`is_whole`: all that is recorded is asked for, which takes vcrpy too long; else as much as fits a batch."""
    contestants: dict[str, Setup] = {"live": live, "replayed": replayed(least)}
    if not is_whole:
        contestants |= {name: vcrpy(least) for name in peers.available("vcrpy")}
    return Case("live", contestants, {"replayed": 0.40}, step=least if is_whole else TRACE)


CASES |= {
    "replay of httpx GET": replays(TRACE, is_whole=False),
    "replay of httpx GET, 2,000 calls": replays(MANY, is_whole=True),
    "replay of httpx GET, some of 2,000 calls": replays(MANY, is_whole=False),
}


@contextmanager
def canned() -> Iterator[None]:
    """The server, as long as the block lasts; the workers find it by their environment."""
    command = [sys.executable, str(Path(__file__).with_name("canned_http.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    os.environ[URL] = process.stdout.readline().strip()
    try:
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    with canned():
        main(CASES, __file__)
