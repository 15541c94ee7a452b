"""The commands that send cassettes to a tracing backend and get them from there; `app` registers them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Optional

import typer

from timetracer_otel.cli.options import StoreOption
from timetracer_otel.cli.task import Task


def push_command(
    cassettes: Annotated[
        list[str],
        typer.Argument(
            metavar="CASSETTE...",
            help="A trace id or its beginning, a segment (TRACE/SPAN), a trace's folder, or a file; several will do.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="An OTLP/HTTP receiver, such as http://127.0.0.1:4318; or a file: .jsonl, or .pb for protobuf.",
            show_default=False,
        ),
    ],
    payloads: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--payloads", metavar="FOLDER", help="Keep payloads above 1 MiB there. [they travel in parts]"),
    ] = None,
    viewer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--ui", metavar="URL", help="Jaeger's pages, such as http://127.0.0.1:16686, for the summary."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """Send recorded traces to Jaeger, or to whatever takes OTLP.

    Secrets are masked once more; the cassette itself stays as it is.
    """
    from timetracer_otel.cli import pushing

    return partial(pushing.print_push, store, cassettes, to, payloads, viewer, as_json)


def pull_command(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="URL",
            help="Jaeger's query service, such as http://127.0.0.1:16686; or a file of OTLP JSON lines or protobuf.",
            show_default=False,
        ),
    ],
    trace: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="TRACE_ID", help="Which trace. [the only one of a file]", show_default=False),
    ] = None,
    service: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--service", metavar="NAME", help="Without TRACE_ID: list the recorded traces of this service."),
    ] = None,
    tags: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--tags", metavar="NAME=VALUE", help="Only those with this attribute; may be repeated."),
    ] = None,
    since: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--since", metavar="DURATION", help="Only those of the last 5m, 2h, 7d. [1h]"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, metavar="N", help="List at most so many.")] = 20,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--output", "-o", metavar="FILE", help="Write one readable file. [into the store]"),
    ] = None,
    payloads: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--payloads", metavar="FOLDER", help="The folder of payloads that push was given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """Get a recorded trace from Jaeger or from a file of OTLP.

    The path of the cassette is printed.

    Exits with 0 whole, 2 bad input, 3 if something of it did not come back: each is named.
    """
    from timetracer_otel.cli import pulling

    search = pulling.Search(service, tuple(tags or ()), since, limit)
    return partial(pulling.print_pull, store, trace, source, search, output, payloads, as_json)
