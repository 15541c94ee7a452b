"""`scripts/example payments_celery` does what it says: it checks each of its own steps."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.demonstration import Demonstration, run_example
from tests.servers.jaeger import JaegerServer
from tests.servers.postgres import PostgresServer
from tests.there_and_back import assert_come_back

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")

INSTRUMENTORS = ("celery", "psycopg", "redis", "starlette")


@pytest.fixture(scope="module")
def payments(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """What it leaves behind. It starts its own PostgreSQL; `postgres` skips where none can run."""
    folder = tmp_path_factory.mktemp("example") / "payments"
    return run_example("payments.py", folder, *INSTRUMENTORS)


def test_the_payment_that_failed_in_the_worker_fails_again(payments: Demonstration) -> None:
    assert payments.status == 0, payments.output
    assert "TypeError: unsupported operand type(s) for *: 'int' and 'NoneType'" in payments.output
    assert payments.output.count("\nsame  ") == 2


@pytest.mark.parametrize("is_launched", [True, False])
def test_a_program_that_calls_it_gets_the_transaction_of_the_task_too(
    payments: Demonstration, is_launched: bool
) -> None:
    listed = [(trace["trace_id"], each) for trace in payments.listed("--errors") for each in trace["segments"]]
    (name,) = [f"{of}/{each['segment']}" for of, each in listed if each["entry"]["outcome"].startswith("FAILURE")]
    variables = ["env", "TIMETRACER_MODE=replay", f"TIMETRACER_CASSETTE={name}"]
    launcher = ["opentelemetry-instrument"] if is_launched else []
    itself = "" if is_launched else "import timetracer_otel; timetracer_otel.install(); "
    call = "from payments.tasks import process_payment; process_payment(order_id=12345)"
    done = payments.run(*variables, *launcher, sys.executable, "-c", itself + call)
    assert "TypeError: unsupported operand type(s) for *: 'int' and 'NoneType'" in done.stderr
    assert "\nsame  " in done.stderr, done.stderr


def test_traces_over_three_processes_come_back_from_jaeger_and_replay_the_same(
    payments: Demonstration, jaeger: JaegerServer, tmp_path: Path
) -> None:
    assert_come_back(jaeger, payments, tmp_path, *INSTRUMENTORS)
