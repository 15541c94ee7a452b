"""Cassettes pushed to a real Jaeger and pulled from it again, by the command line in this process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.demonstration import Demonstration, environment
from tests.launching import SPARED, instrumented
from tests.promises.sealed import is_possible, sealed
from tests.servers.jaeger import JaegerServer
from timetracer_otel.cassette import Cassette
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.cli.running import run
from timetracer_otel.store import Store

TIMEOUT_S: Final = 240


def assert_come_back(
    jaeger: JaegerServer, demonstration: Demonstration, folder: Path, *instrumentors: str, **variables: str
) -> None:
    """Each cassette comes back the same from either storage, and each request in what was pulled replays the same.

    `instrumentors` and `variables` are what the demonstration needs, beside those that are usual.
    """
    store = demonstration.folder / "cassettes"
    recorded = everything(store)
    assert recorded, demonstration.output
    for storage in (jaeger.badger, jaeger.memory):
        push(storage.otlp, store, *recorded)
        for trace_id, cassette in recorded.items():
            found = pull(storage.query, trace_id, folder / f"{trace_id}.cassette.json")
            assert found == cassette, f"{trace_id} from {storage.query}"
    env = environment(**(instrumented(*instrumentors) if instrumentors else SPARED), **variables)
    assert_replay(folder, demonstration.folder, env)


def assert_replay(folder: Path, app: Path, env: Mapping[str, str]) -> None:
    """Each request in a cassette of the folder, beside the app, and without a packet to anybody."""
    command, seen = ["timetracer-otel", "replay", "--all", str(folder), "--json", "-"], folder / "seen.json"
    if is_possible():
        command = sealed(seen, command)
    done = subprocess.run(command, cwd=app, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.stdout, done.stderr
    replays = json.loads(done.stdout)["replays"]
    assert replays
    wrong = [each for each in replays if each["verdict"] != "same"]
    assert wrong == [], json.dumps(wrong, indent=1)
    if is_possible():
        assert json.loads(seen.read_text()) == {"packets": 0, "called": []}


def everything(store: Path) -> dict[str, Cassette]:
    """Every cassette of a store, by its trace id."""
    opened = Store(store)
    return {each.trace_id: comparable(opened.open_cassette(each.trace_id)[0]) for each in opened.list_traces().traces}


def push(to: str, store: Path, *trace_ids: str) -> None:
    assert run(["push", *trace_ids, "--to", to, "--store", str(store)]) == 0


def pull(source: str, trace_id: str, file: Path, status: int = 0) -> Cassette:
    """The cassette that an answer of Jaeger or a file makes: whole, unless another exit code is expected."""
    assert run(["pull", trace_id, "--from", source, "-o", str(file)]) == status
    return comparable(Store(file.parent).open_cassette(str(file))[0])


def comparable(cassette: Cassette) -> Cassette:
    """In readable form, in which it is pushed and bundled, and without the path that it was read from."""
    return replace(in_readable_form(cassette), path="")
