"""A program of the user's own that calls the recorded task."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.drivers.celery.harness import Payments

CALL = "from payments import process_payment; process_payment(order_id=12345)"
OTHER = "from payments import process_payment; process_payment(order_id=12346)"
ITSELF = "import timetracer_otel; timetracer_otel.install(); "


@pytest.fixture(scope="module")
def bundle(payments: Payments, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task that failed, as a file to mail."""
    segment = payments.failed("process_payment")
    path = tmp_path_factory.mktemp("bundle") / "celery_process_payment_failed_abc123.json"
    done = payments.run("timetracer-otel", "bundle", f"{segment.trace_id}/{segment.id}", "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_the_usage_form_runs_the_task_against_the_cassette(payments: Payments, bundle: Path) -> None:
    replaying = {"TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": str(bundle)}
    done = payments.run("opentelemetry-instrument", sys.executable, "-c", CALL, **replaying)
    assert "payments.Declined: order 12345 was declined: no card in receipt" in done.stderr
    assert "no recorded answer" not in done.stderr
    assert "recorded but not made" not in done.stderr


def test_it_does_so_without_the_launcher_and_names_what_differs(payments: Payments, bundle: Path) -> None:
    replaying = {"TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": str(bundle)}
    done = payments.run(sys.executable, "-c", ITSELF + CALL, **replaying)
    assert "payments.Declined: order 12345" in done.stderr
    assert "no recorded answer" not in done.stderr
    other = payments.run(sys.executable, "-c", ITSELF + OTHER, **replaying)
    assert "no recorded answer for  publish payments.add" in other.stderr
    assert "args.items[0]: recorded 12345, asked 12346" in other.stderr


@pytest.mark.parametrize("program", ["pass", "from payments import add; add(1, 1)"])
def test_a_recording_without_requests_leaves_a_program_nothing_to_be_compared_with(
    program: str, payments: Payments
) -> None:
    segment = next(each for each in payments.segments("add") if len(each.exchanges) == 1)
    replaying = {"TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": f"{segment.trace_id}/{segment.id}"}
    done = payments.run("opentelemetry-instrument", sys.executable, "-c", program, **replaying)
    assert "inconclusive" in done.stderr
    assert "nothing was compared: the recording holds no request" in done.stderr


def test_exec_runs_any_program_with_the_cassette(payments: Payments, bundle: Path) -> None:
    command = ["timetracer-otel", "exec", str(bundle), "--", sys.executable, "-c"]
    done = payments.run(*command, CALL)
    assert "payments.Declined: order 12345" in done.stderr
    assert done.returncode == 1  # the program's own
    assert "no recorded answer" not in done.stdout + done.stderr


def test_pdb_stops_at_the_line_of_the_task_that_raised_with_its_variables(payments: Payments) -> None:
    segment = payments.failed("process_payment")
    done = payments.run(
        "timetracer-otel", "replay", f"{segment.trace_id}/{segment.id}", "--pdb", typed="p order_id + 1\nw\nq\n"
    )
    said = done.stdout + done.stderr
    assert "timetracer: stopped where Declined was raised" in said
    assert "(Pdb) 12346" in said
    assert '-> raise Declined(order_id, f"no card in receipt' in said


def test_a_task_becomes_a_regression_test_that_passes(payments: Payments, tmp_path: Path) -> None:
    segment, test = payments.failed("process_payment"), tmp_path / "test_payment.py"
    written = payments.run("timetracer-otel", "test", f"{segment.trace_id}/{segment.id}", "-o", str(test))
    assert written.returncode == 0, written.stderr
    assert 'assert outcome["state"] == "FAILURE"' in test.read_text()
    assert 'assert outcome["exception"]["type"] == "payments.Declined"' in test.read_text()
    passed = payments.run("pytest", "-q", "-p", "no:cacheprovider", str(test))
    assert passed.returncode == 0, passed.stdout
