"""Cassettes pushed to a real Jaeger and pulled from it again, by the command line in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.servers.jaeger import JaegerServer
from timetracer_otel.cassette import Cassette
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.cli.running import run
from timetracer_otel.store import Store


def assert_come_back(jaeger: JaegerServer, store: Path, folder: Path) -> None:
    """Each cassette of the store comes back the same from either storage. What is pulled is left in `folder`."""
    recorded = everything(store)
    assert recorded
    for name, storage in (("memory", jaeger.memory), ("badger", jaeger.badger)):
        push(storage.otlp, store, *recorded)
        for trace_id, cassette in recorded.items():
            assert pull(storage.query, trace_id, folder / f"{name}-{trace_id}.cassette.json") == cassette, (
                f"{name} {trace_id}"
            )


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
