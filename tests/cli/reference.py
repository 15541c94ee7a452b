"""`docs/cli.md` and the help that is kept, made of what `--help` says. `python -m tests.cli.reference` writes both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from timetracer_otel.cli.app import COMMANDS, app
from timetracer_otel.cli.quick import HELP_COLUMNS
from timetracer_otel.cli.task import NAME

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cli.md"
HELP_MODULE = ROOT / "src" / "timetracer_otel" / "cli" / "help_text.py"
HEAD = """# Command line

This page is made of what `timetracer-otel COMMAND --help` says; a test keeps it so.

`CASSETTE` is one of

- a trace id, or its beginning
- a segment: `TRACE/SPAN`, prefixes of both ids, as `list` prints it where a trace has several
- the folder of a trace
- a file: a bundle, or a single part; for `exec` also the file of a process in `processes/`, or the beginning of its id

`python -m timetracer_otel` is the same command.
A duration carries a unit: `500ms`, `60s`, `5m`, `2h`, `7d`.
Every error is one line on stderr.

| exit code | |
|---|---|
| 0 | done; of `replay`: same; of `diff`: the same; of `doctor`: it would record |
| 1 | `replay`: deviates; `diff`: different; `exec`: a request had no recorded answer; `fmt --check`: it would change; \
`audit`: it found something; `doctor`: it would not record; `prune`: something could not be read or deleted |
| 2 | bad input or usage |
| 3 | `replay`: inconclusive, the recording is not whole where it was needed; `pull`: something did not come back |
| other | of `exec`: the program's own |

Where a choice comes from is said in [Configuration](configuration.md).
"""


def page() -> str:
    group: Any = typer.main.get_command(app)
    return "\n".join([HEAD, *(line for name in COMMANDS for line in _command(name, group.commands[name]))])


def _command(name: str, command: Any) -> Iterator[str]:
    """Any: typer gives classes of its own, or those of click, depending on its release."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    yield f"## {name}\n"
    yield f"`{' '.join([NAME, name, *('[options]' for _ in options[:1]), *(each.metavar for each in arguments)])}`\n"
    yield from (f"{' '.join(paragraph.split())}\n" for paragraph in command.help.strip().split("\n\n"))
    yield "| | |\n|---|---|"
    yield from (f"| `{each.metavar}` | {each.help} |" for each in arguments)
    yield from (f"| `{_spelled(each)}` | {each.help} |" for each in options)
    yield ""


def _spelled(option: Any) -> str:
    return f"{', '.join(option.opts)} {option.metavar or ''}".strip()


def help_module() -> str:
    """The source of `timetracer_otel.cli.help_text`."""
    group: Any = typer.main.get_command(app)
    text = group.get_help(group.make_context(NAME, [], resilient_parsing=True, terminal_width=HELP_COLUMNS - 2))
    return f'''"""What `--help` says, made by `python -m tests.cli.reference`: typer takes a quarter of a second."""

HELP = """\\
{text}
"""
'''


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    HELP_MODULE.write_text(help_module(), "utf-8")
