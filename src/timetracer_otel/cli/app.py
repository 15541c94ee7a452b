"""The command line as typer parses it. Each command returns the task that it asks for; `running` runs it.

What a command needs is imported by its task: `--help` loads neither a cassette library nor OpenTelemetry.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, Optional, TypeAlias

import typer

from timetracer_otel.cli.elsewhere import pull_command, push_command
from timetracer_otel.cli.options import EarlierOption, SecretOption, StoreOption
from timetracer_otel.cli.task import NAME, Task
from timetracer_otel.errors import UsageError

COMMANDS: Final = (
    "list",
    "show",
    "timeline",
    "diff",
    "replay",
    "exec",
    "test",
    "bundle",
    "fmt",
    "push",
    "pull",
    "prune",
    "audit",
    "doctor",
)

# typer reads annotations at run time, on Python 3.10 too: hence Optional.
CassetteArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="CASSETTE",
        help="A trace id or its beginning, a segment (TRACE/SPAN), a trace's folder, or a file.",
        show_default=False,
    ),
]
AppOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--app", metavar="MODULE:ATTR", help="The application, or MODULE:FACTORY(). [as it was recorded]"),
]
TimeoutOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--timeout", metavar="DURATION", help="How long a replay may take. [60s]"),
]
PdbOption: TypeAlias = Annotated[bool, typer.Option("--pdb", help="Stop in pdb where an exception was raised.")]
ReportOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--json", metavar="FILE", help="Write the report as JSON; - is stdout, without the text then."),
]
ServiceOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--service", metavar="NAME", help="Only traces of this service (service.name)."),
]
EntryOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--entry", metavar="TEXT", help="Only traces with an entry whose name contains this."),
]
ErrorsOption: TypeAlias = Annotated[bool, typer.Option("--errors", help="Only traces with an entry that failed.")]
SinceOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--since", metavar="DURATION", help="Only traces that began in the last 500ms, 60s, 5m, 2h, 7d."),
]

app = typer.Typer(
    name=NAME,
    help="Record traces with their payloads under OpenTelemetry, replay them with the servers gone.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def without_command(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from timetracer_otel import __version__

        print(f"{NAME} {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


@app.command("list")
def list_command(
    service: ServiceOption = None,
    entry: EntryOption = None,
    errors: ErrorsOption = False,
    since: SinceOption = None,
    last: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--last", metavar="COUNT", min=1, help="Look at so many traces only, those written last."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """List what was recorded, newest first."""
    from timetracer_otel.cli import listing

    wanted = listing.Wanted(service=service, entry=entry, errors=errors, since=since)
    return listing.task(store, wanted, as_json, last)


@app.command("show")
def show_command(
    cassette: CassetteArgument,
    exchange: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--exchange", metavar="ID", help="Only this exchange, in full; its number will do."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print JSON as it is stored: results in wire form.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in readable form.")] = False,
    store: StoreOption = None,
) -> Task:
    """Show a recorded trace: segments, exchanges, exception."""
    from timetracer_otel.cli import show

    if raw and as_json:
        raise UsageError("--raw, --json", "each asks for a form of its own", "name one of them")
    if raw:
        return partial(show.print_raw, store, cassette, exchange)
    return partial(show.print_json if as_json else show.print_text, store, cassette, exchange)


@app.command("timeline")
def timeline_command(
    cassette: CassetteArgument,
    minimum: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--min", metavar="DURATION", help="Hide what took less, such as 5ms; failures stay."),
    ] = None,
    width: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--width", metavar="COLUMNS", help="Plain text of this width. [the terminal's]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """Show when everything in a trace happened: its spans, and the requests under them, on one axis of time."""
    from timetracer_otel.cli import timeline

    return partial(timeline.print_timeline, store, cassette, minimum, width, as_json)


@app.command("diff")
def diff_command(
    a: Annotated[str, typer.Argument(metavar="A", help="A cassette, or one segment of it.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """Compare two recorded traces: what came of them, statement by statement, value by value.

    Exits with 0 the same, 1 different, 2 bad input.
    """
    from timetracer_otel.cli import diffing

    return partial(diffing.print_diff, store, a, b, as_json)


@app.command("replay")
def replay_command(
    cassette: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(
            metavar="CASSETTE",
            help="A trace id or its beginning, a segment (TRACE/SPAN), a trace's folder, or a file; "
            "with --all also a folder of them. [with --all: the whole store]",
            show_default=False,
        ),
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Replay every cassette, side by side.")] = False,
    service: ServiceOption = None,
    entry: EntryOption = None,
    errors: ErrorsOption = False,
    since: SinceOption = None,
    app_name: AppOption = None,
    timeout: TimeoutOption = None,
    pdb: PdbOption = False,
    json_file: ReportOption = None,
    junit: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--junit", metavar="FILE", help="Write the report as JUnit's XML; - is stdout."),
    ] = None,
    markdown: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--markdown", metavar="FILE", help="Write it as Markdown, for a pull request; - is stdout."),
    ] = None,
    live: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--live", metavar="LIB", help="Let this package through to the network; may be repeated."),
    ] = None,
    ignore: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--ignore", metavar="PATH", help="Do not compare this path of the report, such as headers.x-build."
        ),
    ] = None,
    chunks: Annotated[bool, typer.Option("--chunks", help="Compare streamed answers chunk by chunk too.")] = False,
    secret: SecretOption = None,
    earlier: EarlierOption = None,
    store: StoreOption = None,
) -> Task:
    """Run a recorded request again, offline, and compare.

    Exits with 0 same, 1 deviates, 2 bad input, 3 inconclusive; with --all as the worst of them does.
    """
    from timetracer_otel.cli import replaying
    from timetracer_otel.cli.listing import Wanted
    from timetracer_otel.cli.reports import Files

    wanted, files = Wanted(service=service, entry=entry, errors=errors, since=since), Files(json_file, junit, markdown)
    if all_of_them:
        from timetracer_otel.cli import replaying_all
        from timetracer_otel.cli.settings import secrets, wishes

        if pdb or earlier:
            option, does = ("--pdb", "looks into") if pdb else ("--earlier", "is of")
            raise UsageError(option, f"it {does} one replay, --all runs many", "name one of them")
        wished, supplied = wishes(ignore, chunks), secrets(secret)
        options = replaying_all.All(store, wanted, app_name, timeout, files, tuple(live or ()), wished, supplied)
        return partial(replaying_all.print_all, cassette, options)
    if wanted != Wanted():
        raise UsageError("replay", "--service, --entry, --errors and --since choose among many", "say --all")
    if cassette is None:
        raise UsageError("replay", "no cassette is named", "name one, or say --all")
    rest = live or (), ignore or (), chunks, secret or (), earlier or ()
    return replaying.task(cassette, store, app_name, timeout, pdb, files, *rest)


@app.command("exec")
def exec_command(
    cassette: CassetteArgument,
    command: Annotated[
        list[str],
        typer.Argument(metavar="-- COMMAND...", help="The program and its arguments.", show_default=False),
    ],
    pdb: PdbOption = False,
    json_file: ReportOption = None,
    store: StoreOption = None,
) -> Task:
    """Run a program, offline, with recorded answers.

    Exits with 1 after a miss, else as the program does.
    """
    from timetracer_otel.cli import replaying

    return partial(replaying.print_exec, store, cassette, command, pdb, json_file)


@app.command("test")
def regression_command(
    cassette: CassetteArgument,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The test to write, such as tests/test_x.py.", show_default=False
        ),
    ],
    app_name: AppOption = None,
    timeout: TimeoutOption = None,
    secret: SecretOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a test that is there.")] = False,
    store: StoreOption = None,
) -> Task:
    """Write a regression test of a recorded request or task.

    The replay is tried first: where it deviates nothing is written, and it exits as replay does.
    """
    from timetracer_otel.cli import testing

    return partial(testing.print_test, store, cassette, output, app_name, timeout, secret or (), force)


@app.command("bundle")
def bundle_command(
    cassette: CassetteArgument,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--output", "-o", metavar="FILE", help="Where to. [a name made of entry, outcome and trace]"),
    ] = None,
    store: StoreOption = None,
) -> Task:
    """Make one readable file of a recorded trace.

    The file holds everything that a replay needs; its path is printed.
    """
    from timetracer_otel.cli import bundling

    return partial(bundling.print_bundle, store, cassette, output)


@app.command("fmt")
def fmt_command(
    cassette: CassetteArgument,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--output", "-o", metavar="FILE", help="Where to. [the bundle itself]"),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if it would change.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Leave results in the form in which they are.")] = False,
    store: StoreOption = None,
) -> Task:
    """Rewrite a bundle as `bundle` would write it: readable, in one order.

    Only a bundle is rewritten in place; of anything else it makes one, with --output.
    """
    from timetracer_otel.cli import formatting

    return partial(formatting.print_fmt, store, cassette, output, check, raw)


app.command("push")(push_command)
app.command("pull")(pull_command)


@app.command("prune")
def prune_command(
    older: Annotated[
        str,
        typer.Option(
            "--older",
            metavar="DURATION",
            help="Traces whose newest file is older than this: 2h, 7d.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, delete nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """Delete old traces, and what only they needed.

    It may run beside applications that record.
    """
    from timetracer_otel.cli import pruning

    return partial(pruning.print_prune, store, older, dry_run, as_json)


@app.command("audit")
def audit_command(
    cassettes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="CASSETTE",
            help="A trace id, a file or a folder, as many as you like. [the whole store]",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say for each value where it stands and which rule hits.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: StoreOption = None,
) -> Task:
    """Search every byte for secrets that the rules would mask.

    Exits with 0 clean, 1 found something, 2 bad input or a file that is damaged.
    """
    from timetracer_otel.cli import auditing

    return partial(auditing.print_audit, store, cassettes or [], explain, as_json)


@app.command("doctor")
def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> Task:
    """Say whether it would record here, and why not.

    Shows what is set, which taps fit the installed libraries, and what is missing.
    """
    from timetracer_otel.cli import doctor

    return partial(doctor.print_doctor, as_json)
