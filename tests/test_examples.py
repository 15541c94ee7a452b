"""Each example does what it says, and each of its requests replays the same with PostgreSQL stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT, Demonstration, run_example
from tests.servers.jaeger import JaegerServer
from tests.servers.postgres import PostgresServer
from tests.there_and_back import assert_come_back

pytestmark = pytest.mark.postgres

NAMES = sorted(path.name for path in (ROOT / "examples").glob("orders_*"))
REFUSED = {
    "orders_asyncpg": "500 CheckViolationError",
    "orders_sqlalchemy": "500 IntegrityError: (psycopg.errors.CheckViolation)",
}
LEFT_OUT = {"orders_asyncpg": "'NoneType' object is not subscriptable", "orders_sqlalchemy": "'NoneType'"}


@pytest.fixture(scope="module", params=NAMES)
def example(
    request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Demonstration]:
    """Its name, and what it leaves behind. It starts its own PostgreSQL; `postgres` skips where none can run."""
    folder = tmp_path_factory.mktemp("example") / "service"
    return request.param, run_example("example.py", folder, "asyncpg", "psycopg", "starlette", name=request.param)


def test_an_example_ends_as_it_must(example: tuple[str, Demonstration]) -> None:
    name, demonstration = example
    assert demonstration.status == 0, demonstration.output
    assert REFUSED[name] in demonstration.output
    assert LEFT_OUT[name] in demonstration.output
    assert demonstration.output.count("\nsame  ") == 2


def test_the_timeline_of_an_example_shows_the_transaction_that_was_rolled_back(
    example: tuple[str, Demonstration],
) -> None:
    _, demonstration = example
    shown = demonstration.output.partition("--- 3. ")[2]
    assert "[failed] [tx " in shown
    assert [line for line in shown.splitlines() if "] ROLLBACK" in line and "[tx " in line]


def test_the_voucher_that_was_used_already_was_a_savepoint(example: tuple[str, Demonstration]) -> None:
    _, demonstration = example
    (placed,) = [each for each in demonstration.listed() if each["segments"][0]["entry"]["outcome"] == "201"]
    shown = demonstration.run("timetracer-otel", "show", str(placed["trace_id"])).stdout
    (transaction,) = [line for line in shown.splitlines() if "rolled back" in line]
    assert "COMMIT" in transaction


def test_each_request_of_an_example_comes_back_from_jaeger_and_replays_the_same(
    example: tuple[str, Demonstration], jaeger: JaegerServer, tmp_path: Path
) -> None:
    _, demonstration = example
    assert (len(demonstration.listed("--errors")), len(demonstration.listed())) == (2, 5)
    assert_come_back(jaeger, demonstration, tmp_path)


def test_each_example_can_be_started_by_its_name() -> None:
    assert set(NAMES) == set(REFUSED)
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "example.py"), "other", str(Path("nowhere"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("usage: example.py " + "|".join(NAMES))
