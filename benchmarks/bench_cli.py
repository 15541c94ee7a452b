"""The command line beside others': `--help` and `list` beside timetracer, a cassette of 50 MB opened beside vcrpy.

Fresh processes. In the stores are 10,000 requests of five calls each, and in the large cassette 13,000 calls, the same
for each contestant. timetracer's `list` prints the names and sizes of the ten files that were written last; so does
`list --last 10`, and it opens them for that.
"""

from __future__ import annotations

import json
import os
import random
import sys
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import peers
from commands import Command, keep_bytecode, race, tell_peaks, tell_times
from harness import is_wanted, new_folder, options

SCRIPTS = sysconfig.get_path("scripts")
OURS, TIMETRACER = (os.path.join(SCRIPTS, name) for name in ("timetracer-otel", "timetracer"))
COUNT = 10_000
CALLS = 5
LARGE_BYTES = 50_000_000
OPEN_OURS = """
import sys
from timetracer_otel.store import Store
cassette, _ = Store(sys.argv[1]).open_cassette(sys.argv[2])
assert len(cassette.segments[0].exchanges) == int(sys.argv[3])
"""
OPEN_VCRPY = """
import sys, vcr
with vcr.VCR(record_mode="none").use_cassette(sys.argv[1]) as cassette:
    assert len(cassette) == int(sys.argv[2])
"""


def rows(chance: random.Random, count: int) -> list[dict[str, object]]:
    return [{"id": number, "v": f"value{chance.randrange(10**6)}"} for number in range(count)]


def write_ours(store: str, number: int, bodies: list[bytes]) -> str:
    """One request with a call for each body; its trace id."""
    from timetracer_otel.cassette import Entry, Exchange, Part, Process, Signature, Span, dump_part
    from timetracer_otel.store import Store

    trace_id, root, process = f"{number + 1:032x}", f"{1 << 60:016x}", Process("ab" * 16, pid=1)
    start = 10**18 + number * 10**9
    ids = [f"{index + 1:016x}" for index in range(len(bodies))]
    spans = [Span(each, "GET", "CLIENT", start, start + 500, parent_id=root) for each in ids]
    head: dict[str, Any] = {"version": "HTTP/1.1", "status": 200, "reason": b"OK"}
    answers = [{"headers": [[b"Content-Type", b"application/json"]], "body": [body]} for body in bodies]
    place = {"scheme": "http", "host": "svc", "port": 80, "query": b""}
    asked: dict[str, Any] = {
        "client": "httpcore",
        "method": "GET",
        **place,
        "headers": [[b"Host", b"svc"]],
        "body": b"",
    }
    exchanges = [
        Exchange(
            id=f"{7:08x}-{index}",
            type="http.client",
            signature=Signature("http", "GET", "svc:80/x"),
            request={**asked, "path": b"/x/%d" % index},
            result={**head, **answer, "ended": "complete"},
            span_id=ids[index],
            at_ns=index * 1000,
            duration_ns=500,
        )
        for index, answer in enumerate(answers)
    ]
    ended = (*spans, Span(root, "GET /items", "SERVER", start, start + 10**7))
    entry = Entry("http.server", f"GET /items/{number}", "200")
    part = Part(trace_id, root, process, 0, True, ended, tuple(exchanges), entry)
    Store(store).write_part(trace_id, root, process.id, 0, dump_part(part))
    return trace_id


def write_timetracer(folder: str, number: int, bodies: list[Any]) -> None:
    from timetracer.cassette import write_cassette
    from timetracer.config import TraceConfig
    from timetracer.constants import EventType
    from timetracer.session import TraceSession
    from timetracer.types import (
        BodySnapshot,
        DependencyEvent,
        EventResult,
        EventSignature,
        RequestSnapshot,
        ResponseSnapshot,
    )

    config = TraceConfig(mode="record", cassette_dir=folder)
    session = TraceSession(config=config)
    session.set_request(RequestSnapshot(method="GET", path=f"/items/{number}"))
    for index, body in enumerate(bodies):
        answer = BodySnapshot(captured=True, encoding="json", data=body)
        session.add_event(
            DependencyEvent(
                eid=0,
                event_type=EventType.HTTP_CLIENT,
                start_offset_ms=1.0,
                duration_ms=2.0,
                signature=EventSignature(lib="httpx", method="GET", url=f"http://svc/x/{index}"),
                result=EventResult(status=200, body=answer),
            )
        )
    session.set_response(ResponseSnapshot(status=200, duration_ms=3.0))
    session.finalize()
    write_cassette(session, config)


def write_vcrpy(file: Path, bodies: list[bytes]) -> None:
    import yaml

    interactions = [
        {
            "request": {"method": "GET", "uri": f"http://svc/x/{index}", "body": None, "headers": {"host": ["svc"]}},
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"content-type": ["application/json"]},
                "body": {"string": body.decode()},
            },
        }
        for index, body in enumerate(bodies)
    ]
    dumper = getattr(yaml, "CDumper", yaml.Dumper)
    file.write_text(yaml.dump({"version": 1, "interactions": interactions}, Dumper=dumper))


def help_row(row: str, rounds: int) -> None:
    commands = with_peer("timetracer", Command([TIMETRACER, "--help"]), Command([OURS, "--help"]))
    tell_times(row, race(commands, rounds), {"timetracer-otel": 1.0})


def list_row(row: str, rounds: int) -> None:
    ours, theirs, chance = new_folder(), new_folder(), random.Random(1)
    for number in range(COUNT):
        bodies = [{"rows": rows(chance, 12)} for _ in range(CALLS)]
        write_ours(ours, number, [json.dumps(body).encode() for body in bodies])
        if peers.available("timetracer"):
            write_timetracer(theirs, number, bodies)
    ten = Command([OURS, "list", "--last", "10"], {**os.environ, "TIMETRACER_STORE": ours})
    commands = with_peer("timetracer", Command([TIMETRACER, "list", "--dir", theirs]), ten)
    tell_times(row, race(commands, rounds), {"timetracer-otel": 0.5})


def open_row(row: str, rounds: int) -> None:
    store, file = new_folder(), Path(new_folder(), "cassette.yaml")
    # In a process of its own: the peak of a child begins with what its parent has in memory (`vfork`, Linux 6.18).
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        trace_id, count = other.submit(write_large, store, file).result()
    theirs = Command([sys.executable, "-c", OPEN_VCRPY, str(file), count])
    commands = with_peer("vcrpy", theirs, Command([sys.executable, "-c", OPEN_OURS, store, trace_id, count]))
    runs = race(commands, max(rounds // 4, 1))  # vcrpy takes some seconds
    tell_times(row, runs, {"timetracer-otel": 0.05})
    tell_peaks(f"{row}, memory", runs, {"timetracer-otel": 0.35})


def write_large(store: str, file: Path) -> tuple[str, str]:
    """The trace id of ours, and the number of calls in either."""
    bodies = list(large_bodies())
    if peers.available("vcrpy"):
        write_vcrpy(file, bodies)
    return write_ours(store, 0, bodies), str(len(bodies))


def large_bodies() -> Iterator[bytes]:
    """With what stands around each, as many bytes as the goal says."""
    chance, size = random.Random(1), 0
    while size < LARGE_BYTES:
        body = json.dumps([{"id": chance.randrange(10**9), "v": f"value{chance.randrange(10**9)}"} for _ in range(80)])
        size += len(body) + 500
        yield body.encode()


def with_peer(peer: str, theirs: Command, ours: Command) -> dict[str, Command]:
    """The peer is the base, where it is installed."""
    return {**dict.fromkeys(peers.available(peer), theirs), "timetracer-otel": ours}


ROWS: dict[str, Callable[[str, int], None]] = {
    "help of the command": help_row,
    "list of 10,000": list_row,
    "opening of 50 MB": open_row,
}


def main() -> None:
    asked = options(__doc__, 21)
    keep_bytecode(Path(new_folder()))
    for row, measure in ROWS.items():
        if is_wanted(row, asked.only):
            measure(row, asked.rounds)


if __name__ == "__main__":
    main()
