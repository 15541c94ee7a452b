"""The same worker on SQS (moto), with results in a database: a broker that is asked, a backend that does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import started
from tests.drivers.celery.harness import Payments, until
from tests.launching import instrumented
from tests.servers.aws import ACCESS_KEY, REGION, AwsServer
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres

SECRET = "secret"
"""Goes into a URL."""


def test_a_task_on_sqs_that_reads_results_of_a_database_replays_with_both_gone(tmp_path: Path) -> None:
    """What Celery asks both for, by libraries that are recorded elsewhere, is none of the task's."""
    aws, results = started(AwsServer), started(PostgresServer)
    try:
        servers = {
            "BROKER": f"sqs://{ACCESS_KEY}:{SECRET}@{aws.url.removeprefix('http://')}",
            "BACKEND": f"db+{results.dsn.replace('postgresql', 'postgresql+psycopg')}",
            "AWS_DEFAULT_REGION": REGION,
        }
        payments = Payments.at(tmp_path, **servers, **instrumented("botocore", "celery", "psycopg"))
        with payments.worker("-c", "2"):
            seen = payments.client("print(reads_on_the_way.delay().get(timeout=60)[0])")
            until(lambda: payments.states().get("reads_on_the_way"), "the task")
    finally:
        aws.stop()
        results.stop()
    (segment,) = payments.segments("reads_on_the_way")
    sent = [each.signature.url for each in segment.exchanges if each.type == "task.publish"]
    gone = {"BROKER": "sqs://", "BACKEND": "db+postgresql://results.prod.example/results"}
    replayed = payments.replay(segment, **gone)
    assert seen == "[6, 3]\n"
    assert sent.count("celery.chord_unlock") == 1
    assert {each.signature.lib for each in segment.exchanges} == {"celery"}
    assert replayed.status == 0, replayed.output
