"""The documentation is true: its commands run, its reference is that of `--help`, its links lead somewhere."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest

import timetracer_otel
from tests.cli.reference import page
from tests.demonstration import ROOT, Demonstration, environment
from tests.launching import SPARED
from tests.servers.jaeger import JaegerServer, Storage
from timetracer_otel.cli.app import COMMANDS, app
from timetracer_otel.cli.settings import KEYS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
VARIABLE = re.compile(r"TIMETRACER_[A-Z_]+")
NEXT_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?] +[A-Z`]")
TRACE = "7f3a"
WHOLE_TRACE = "7f3a91c2d4e5f60718293a4b5c6d7e8f"
"""Jaeger is asked by the whole id."""
OTLP, QUERY = "http://127.0.0.1:4318", "http://127.0.0.1:16686"
"""Where Jaeger listens by default; the one of the tests does not."""

ANNOUNCEMENTS = sorted((ROOT / "docs" / "announcements").glob("*.md"))

RUN_ELSEWHERE = ("scripts/demo", "scripts/example", "scripts/test", "scripts/dev", "scripts/check")
"""`.ci/run` runs these, and tests/test_demo.py and tests/test_examples.py what the demo and the examples do: a test run
within a test run says nothing more."""


EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("[a-z]*_*") if path.is_dir())
"""The shop is `scripts/demo`."""
IMPORT = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
"""Also in a program that an example writes as text."""


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in PAGES
    for number, block in enumerate(BLOCK.findall(path.read_text()))
]


def test_there_are_console_blocks() -> None:
    assert len(BLOCKS) > 5


@pytest.fixture(scope="module")
def failing(demo: Demonstration) -> str:
    """The trace that failed, asked for once."""
    return demo.failing


@pytest.fixture(scope="module")
def storage(jaeger: JaegerServer, demo: Demonstration, failing: str) -> Storage:
    """A Jaeger that has the trace which failed."""
    pushed = demo.run("timetracer-otel", "push", failing, "--to", jaeger.memory.otlp)
    assert pushed.returncode == 0, pushed.stderr
    return jaeger.memory


@pytest.mark.postgres
@pytest.mark.parametrize("block", BLOCKS)
def test_each_command_of_a_console_block_runs(
    block: str, demo: Demonstration, failing: str, request: pytest.FixtureRequest
) -> None:
    if OTLP in block or QUERY in block:
        storage: Storage = request.getfixturevalue("storage")
        block = block.replace(OTLP, storage.otlp).replace(QUERY, storage.query)
    for command in commands(block.replace(WHOLE_TRACE, failing)):
        if command.split()[0] in RUN_ELSEWHERE:
            assert os.access(ROOT / command.split()[0], os.X_OK)
            continue
        done = subprocess.run(
            ["bash", "-c", command.replace(TRACE, failing[:8])],
            cwd=demo.folder,
            env=environment(**({} if "doctor" in command else SPARED)),  # the doctor finds fault with what is off
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


EXCERPT = re.compile(r"^```text\n(\S.*?)^```$", re.MULTILINE | re.DOTALL)
MINTED = re.compile(r"[0-9a-f]{8}-\d+|[0-9a-f]{64}|\.\.\.")
"""Ids of exchanges, hashes of what holds one, and what is left out."""


@pytest.mark.postgres
def test_jaeger_shows_what_the_page_about_it_says(storage: Storage, failing: str) -> None:
    (trace,) = storage.get(f"/api/traces/{failing}")["data"]
    excerpts = EXCERPT.findall((ROOT / "docs" / "jaeger.md").read_text())
    assert len(excerpts) == 2
    for excerpt in excerpts:
        heading, *lines = excerpt.splitlines()
        name, _, service = heading.rpartition("  ")
        shown = [line.split(maxsplit=1) for line in lines]
        spans = [span for span in trace["spans"] if span["operationName"] == name.strip()]
        assert [span for span in spans if _shows(span, shown)] != [], excerpt
        assert {trace["processes"][span["processID"]]["serviceName"] for span in spans} == {service}


def _shows(span: dict[str, Any], lines: list[list[str]]) -> bool:
    tags = {tag["key"]: str(tag["value"]) for tag in span["tags"]}
    return all(re.match(_pattern(value), tags.get(name, ""), re.DOTALL) for name, value in lines)


def _pattern(value: str) -> str:
    return ".*".join(re.escape(piece.strip()) for piece in MINTED.split(value))


def test_the_reference_is_that_of_the_command_line() -> None:
    written = (ROOT / "docs" / "cli.md").read_text()
    assert written == page(), "run: python -m tests.cli.reference"


def test_the_commands_that_errors_name_are_those_that_there_are() -> None:
    assert tuple(command.name for command in app.registered_commands) == COMMANDS


def test_each_variable_is_documented_and_each_documented_one_is_read() -> None:
    read = set(VARIABLE.findall((ROOT / "src" / "timetracer_otel" / "config.py").read_text()))
    documented = set(VARIABLE.findall((ROOT / "docs" / "configuration.md").read_text()))
    assert documented == read


def test_each_key_of_the_project_table_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    table = text.partition("[tool.timetracer-otel]\n")[2].partition("```")[0]
    assert sorted(line.split()[0] for line in table.splitlines()) == sorted(KEYS)


def test_what_python_may_import_is_documented_with_its_arguments_and_the_example_records(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    documented = dict(re.findall(r"^\| `(timetracer_otel[\w.]+)(\(.*?\))?`", page, re.MULTILINE))
    assert {f"timetracer_otel.{name}" for name in timetracer_otel.__all__} <= documented.keys()
    for name, arguments in documented.items():
        module, _, attribute = name.rpartition(".")
        public = getattr(import_module(module), attribute)
        if arguments:
            shown = [each.strip().partition("=")[0] for each in arguments.strip("()").split(",") if each]
            taken = inspect.signature(public).parameters.values()
            assert shown == [each.name for each in taken if each.kind is not each.VAR_KEYWORD], name
    (example,) = PYTHON.findall(page)
    program = (
        example + 'with trace.get_tracer("shop").start_as_current_span("checkout"):\n    pass\nprovider.shutdown()'
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment(**SPARED), check=True, timeout=120)
    assert any((tmp_path / "cassettes").iterdir())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    broken = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if "decisions" not in path.parts],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_line_holds_one_sentence(path: Path) -> None:
    prose = FENCED.sub("", path.read_text())
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "-", "**"))]
    assert [line for line in lines if NEXT_SENTENCE.search(line)] == []


def test_scripts_can_be_run() -> None:
    scripts = [path for path in (ROOT / "scripts").iterdir() if not path.name.startswith("_")]
    assert {"dev", "demo", "test", "check"} <= {path.name for path in scripts}
    assert [path.name for path in [*scripts, ROOT / ".ci" / "run"] if not os.access(path, os.X_OK)] == []


@pytest.mark.parametrize("path", ANNOUNCEMENTS, ids=lambda path: path.stem)
def test_the_code_of_an_announcement_is_that_of_an_example(path: Path) -> None:
    sources = [each.read_text() for each in (ROOT / "examples").rglob("*.py")]
    (shown,) = PYTHON.findall(path.read_text())
    assert [source for source in sources if shown in source]


@pytest.mark.parametrize("path", ANNOUNCEMENTS, ids=lambda path: path.stem)
def test_an_announcement_is_half_a_page(path: Path) -> None:
    assert 20 < len(path.read_text().splitlines()) < 50


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_stands_in_the_readme_with_its_one_command(name: str) -> None:
    assert f"`scripts/example {name}`" in (ROOT / "README.md").read_text()
    assert f"\n{name})" in (ROOT / "scripts" / "example").read_text().replace(" | ", ")\n")


def test_an_example_that_there_is_not_is_said_in_one_line() -> None:
    done = subprocess.run(
        [str(ROOT / "scripts" / "example"), "nothing"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("no example nothing; there are ")
    assert all(name in done.stderr for name in EXAMPLES)


def test_the_demo_extra_installs_what_the_examples_import() -> None:
    wanted = {name for path in (ROOT / "examples").rglob("*.py") for name in IMPORT.findall(path.read_text())}
    own = {path.stem for path in (ROOT / "examples").rglob("*") if path.suffix == ".py" or path.is_dir()}
    installed = installed_by_demo()
    missing = {
        name: distributions
        for name, distributions in packages_distributions().items()
        if name in wanted - own and not installed.intersection(map(normal, distributions))
    }
    assert missing == {}


def installed_by_demo() -> set[str]:
    """What the extra names, and what that names: a pool comes with psycopg's extra, pydantic with FastAPI."""
    project = re.findall(r"^demo = \[\n(.*?)^\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    named = {normal(name) for name in re.findall(r'"([\w-]+)', project[0])} - {"timetracer-otel"}
    return named | {normal(line) for name in named for line in requires(name) or ()}


def normal(requirement: str) -> str:
    """The distribution's name, as the registry of packages compares names."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


RUN = re.compile(r"^ +(?:- )?run: (.+)$", re.MULTILINE)
"""A step of the workflow in `docs/ci.md`."""


@pytest.mark.postgres
def test_the_steps_of_the_workflow_for_ci_run(demo: Demonstration, tmp_path: Path) -> None:
    """But for the one that installs: what a test runs in is installed."""
    install, *steps = RUN.findall((ROOT / "docs" / "ci.md").read_text())
    assert install.startswith("python -m pip install -r requirements.txt 'timetracer-otel[")
    assert [step.split()[0] for step in steps] == ["timetracer-otel", "timetracer-otel", "cat"]
    shop = tmp_path / "shop"  # what other commands of the docs have left in the demo's own folder is not here
    shutil.copytree(demo.folder, shop, ignore=shutil.ignore_patterns("tests"))
    (shop / "tests" / "cassettes").mkdir(parents=True)
    demo = replace(demo, folder=shop)
    bundled = demo.run("timetracer-otel", "bundle", demo.failing, "-o", "tests/cassettes/it-fails.cassette.json")
    assert bundled.returncode == 0, bundled.stderr
    for step in steps:
        done = subprocess.run(
            ["bash", "-e", "-c", step],
            cwd=demo.folder,
            env=environment(GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"), **SPARED),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "summary.md").read_text() == "### ✅ Replay: 1 same\n"
