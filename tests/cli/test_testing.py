"""`timetracer-otel test`: what it writes passes, can be read, and is only ever data of the cassette."""

from __future__ import annotations

import ast
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import QUERY, Cli, part_of, write
from tests.demonstration import Demonstration
from timetracer_otel.cassette import Entry
from timetracer_otel.cli import testing
from timetracer_otel.replay.report import Report
from timetracer_otel.store import Store

HOSTILE = '"""\nimport os\nos.system("x")\r\u2028# \x1b[31m\\'


@pytest.mark.postgres
@pytest.mark.timeout(900)
def test_a_request_becomes_a_test_that_passes_until_the_code_changes(demo: Demonstration, tmp_path: Path) -> None:
    shop = Demonstration(tmp_path / "shop", "", 0)
    shutil.copytree(demo.folder, shop.folder, ignore=shutil.ignore_patterns("tests"))  # another test may have made one
    (shop.folder / "tests").mkdir()
    written = shop.run("timetracer-otel", "test", demo.failing, "-o", "tests/test_orders.py")
    assert written.returncode == 0, written.stderr
    test, cassette = (shop.folder / line for line in written.stdout.splitlines())
    assert (test.name, cassette.parent, cassette.is_file()) == ("test_orders.py", test.parent / "cassettes", True)
    lines = [line.strip() for line in test.read_text().splitlines()]
    assert "def test_get_orders_id_int_500_typeerror() -> None:" in lines
    assert 'outcome = assert_same(CASSETTE, app="shop.web:app")' in lines
    assert 'assert outcome["status"] == 500' in lines
    assert any(line.startswith("#   psycopg: SELECT id, reference") for line in lines)
    shutil.rmtree(shop.folder / "cassettes")  # it needs nothing but its own
    passed = shop.run("pytest", "-q", "tests/test_orders.py")
    assert passed.returncode == 0, passed.stdout

    again = shop.run("timetracer-otel", "test", str(cassette), "-o", "tests/test_orders.py")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == (
        "timetracer-otel: --output: 'tests/test_orders.py' is there already; name another file, or --force\n"
    )
    for module in (shop.folder / "shop").rglob("*.py"):
        module.write_text(module.read_text().replace("FROM order_lines l", "FROM order_lines AS l"))
    failed = shop.run("pytest", "-q", "tests/test_orders.py")
    assert failed.returncode == 1
    assert "no recorded answer for  SELECT l.sku" in failed.stdout


def test_a_replay_that_deviates_becomes_no_test(
    cli: Cli, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "replayed", lambda *arguments: Report("x", "y", "inconclusive", reasons=("a gap",)))
    done = cli("test", "7f3a", "-o", "test_x.py")
    assert (done.status, done.out, list(folder.glob("test_*"))) == (3, "", [])
    assert "inconclusive: a gap" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "x.txt"), "--output: 'x.txt' is no Python file; name one, such as tests/test_orders.py"),
        (("-o", "nowhere/test_x.py"), "--output: 'nowhere/test_x.py' has no folder nowhere to be in"),
        (("-o", ""), "--output: '' is empty"),
        (("-o", "test_x.py", "--app", " "), "--app: ' ' is empty"),
        ((), "Missing option"),
    ],
)
def test_what_cannot_become_a_test_is_one_line(cli: Cli, store: Store, options: tuple[str, ...], message: str) -> None:
    done = cli("test", "7f3a", *options)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_a_function_cannot_run_again_by_itself(cli: Cli, store: Store) -> None:
    write(store, part_of("8b" * 16, exchanges=(QUERY,), entry=Entry("function", "nightly", "ok")))
    done = cli("test", "8b8b", "-o", "test_x.py", "--app", "shop.web:app")
    assert (done.status, "it has no recorded request or task that could run again" in done.err) == (2, True)


def test_what_a_stranger_has_recorded_cannot_become_code(store: Store) -> None:
    cassette, _ = store.open_cassette("7f3a")
    (segment,) = cassette.segments
    hostile = replace(segment, entry=Entry("http.server", f"GET {HOSTILE}", HOSTILE, HOSTILE))
    outcome = {"status": 500, "exception": {"type": HOSTILE}, "state": [HOSTILE]}
    report = Report("x", "y", "same", replayed=outcome)
    text = testing.source(replace(cassette, segments=(hostile,)), hostile, HOSTILE, HOSTILE, report, {})
    module = ast.parse(text)
    calls = [node.func for node in ast.walk(module) if isinstance(node, ast.Call)]
    assert sorted(ast.unparse(call) for call in calls) == ["Path", "assert_same"]
    values = [node.value for node in ast.walk(module) if isinstance(node, ast.Constant)]
    assert values.count(HOSTILE) == 4
    assert "\x1b" not in text
