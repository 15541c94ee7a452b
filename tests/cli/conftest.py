"""A store with one trace, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cassette import samples
from timetracer_otel.cassette import Exchange, Part, Signature, dump_part
from timetracer_otel.cli.running import run
from timetracer_otel.store import Store

ESCAPE = "\x1b[31m"
QUERY = Exchange(
    id="9f9f9f9f-3",
    type="db.query",
    signature=Signature("psycopg", "SELECT", "shop"),
    request={
        "op": "query",
        "statement": "select id,\n  name\nfrom customers where id = $1 and note = $2",
        "parameters": [b"\x00\x00\x00\x2a", "[bold]x[/bold]"],
        "parameter_types": [23, 25],
        "parameter_formats": [1, 0],
    },
    result={
        "results": [
            {
                "columns": [{"name": "id", "oid": 23}, {"name": f"na{ESCAPE}me", "oid": 25}],
                "formats": [1, 0],
                "rows": 2,
                "values": [[b"\x00\x00\x00\x01", b"\x00\x00\x00\x02"], [f"王{ESCAPE}", None]],
                "tag": "SELECT 2",
            }
        ],
        "tx": "I",
    },
    target="postgresql://app@db:5432/shop",
    at_ns=1_500_000,
    duration_ns=250_000,
)
REQUEST = Exchange(
    id="9f9f9f9f-4",
    type="http.server",
    signature=Signature("asgi", "GET", "/orders/7"),
    request={"type": "http", "method": "GET", "path": "/orders/7", "query_string": b"full=1", "body_size": 0},
    result={
        "status": 500,
        "exception": {
            "type": "builtins.KeyError",
            "message": "'total'",
            "traceback": f"Traceback (most recent call last):\n  File {ESCAPE}\nKeyError: 'total'\n",
        },
    },
)


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; TIMETRACER_ variables of whoever runs the tests say nothing here."""
    for name in ("STORE", "MODE", "WRITE", "KEEP"):
        monkeypatch.delenv(f"TIMETRACER_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> Done:
        status = run(arguments)
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return call


def part_of(trace_id: str = samples.TRACE_ID, **changes: Any) -> Part:
    """The sample's part with a request, its queries, and the changes."""
    exchanges = (REQUEST, samples.query(1), samples.query(2), QUERY)
    fields = {name: getattr(samples.ROOT_PART, name) for name in Part.__dataclass_fields__}
    return Part(**{**fields, "trace_id": trace_id, "exchanges": exchanges, **changes})


def write(store: Store, part: Part) -> Path:
    return Path(store.write_part(part.trace_id, part.segment, part.process.id, part.part, dump_part(part)))


@pytest.fixture
def store(folder: Path) -> Store:
    """`./cassettes` with one trace."""
    store = Store(folder / "cassettes")
    write(store, part_of())
    return store
