"""What `--help` says, made by `python -m tests.cli.reference`: typer takes a quarter of a second."""

HELP = """\
Usage: timetracer-otel [OPTIONS] COMMAND [ARGS]...

  Record traces with their payloads under OpenTelemetry, replay them with the
  servers gone.

Options:
  --version  Print the version.
  --help     Show this message and exit.

Commands:
  list      List what was recorded, newest first.
  show      Show a recorded trace: segments, exchanges, exception.
  timeline  Show when everything in a trace happened: its spans, and the...
  diff      Compare two recorded traces: what came of them, statement by...
  replay    Run a recorded request again, offline, and compare.
  exec      Run a program, offline, with recorded answers.
  test      Write a regression test of a recorded request or task.
  bundle    Make one readable file of a recorded trace.
  fmt       Rewrite a bundle as `bundle` would write it: readable, in one...
  push      Send recorded traces to Jaeger, or to whatever takes OTLP.
  pull      Get a recorded trace from Jaeger or from a file of OTLP.
  prune     Delete old traces, and what only they needed.
  audit     Search every byte for secrets that the rules would mask.
  doctor    Say whether it would record here, and why not.
"""
