"""The same worker on SQS (moto), with results in a database: a broker that is asked, a backend that does not count."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import started
from tests.drivers.celery.harness import Payments, until
from tests.servers.aws import ACCESS_KEY, REGION, AwsServer

SECRET = "secret"
"""Goes into a URL."""


def test_a_task_on_sqs_that_reads_results_of_a_database_replays_with_both_gone(tmp_path: Path) -> None:
    aws, results = started(AwsServer), tmp_path / "results.db"
    try:
        servers = {"BROKER": f"sqs://{ACCESS_KEY}:{SECRET}@{aws.url.removeprefix('http://')}"}
        payments = Payments.at(tmp_path, **servers, BACKEND=f"db+sqlite:///{results}", AWS_DEFAULT_REGION=REGION)
        with payments.worker("-c", "2"):
            seen = payments.client("print(reads_on_the_way.delay().get(timeout=60)[0])")
            until(lambda: payments.states().get("reads_on_the_way"), "the task")
    finally:
        aws.stop()
    results.unlink()
    (segment,) = payments.segments("reads_on_the_way")
    sent = [each.signature.url for each in segment.exchanges if each.type == "task.publish"]
    gone = {"BROKER": "sqs://", "BACKEND": "db+postgresql://results.prod.example/results"}
    replayed = payments.replay(segment, **gone)
    assert seen == "[6, 3]\n"
    assert sent.count("celery.chord_unlock") == 1
    assert replayed.status == 0, replayed.output
