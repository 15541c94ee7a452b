"""boto3 against a canned server in a process of its own: recorded over plain OpenTelemetry, replayed over live calls.

The peers are vcrpy and placebo.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
from harness import TRACE, Case, Contestant, Run, Setup, main, nothing
from providers import CONTESTANTS, plain, provider, traced

URL = "BENCH_URL"
GET_ITEM, GET_OBJECT = "DynamoDB get_item", "S3 get_object of 1 MiB"


def operation(name: str, watch: Callable[[Any], None] | None = None) -> Callable[[], object]:
    """`watch` is given the session before it has a client."""
    import boto3

    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    session = boto3.Session(region_name="us-east-1", **keys)
    if watch is not None:
        watch(session)
    if name == GET_ITEM:
        dynamodb = session.client("dynamodb", endpoint_url=os.environ[URL])
        return lambda: dynamodb.get_item(TableName="t", Key={"id": {"S": "1"}})["Item"]
    s3 = session.client("s3", endpoint_url=os.environ[URL])

    def read() -> object:
        return s3.get_object(Bucket="b", Key="k")["Body"].read()

    return read


def recording(name: str, contestant: str) -> Setup:
    def setup() -> Contestant:
        if contestant == "plain":
            return Contestant(plain(operation(name)))
        if contestant == "placebo":
            return Contestant(plain(operation(name, peers.placebo)))
        if contestant == "vcrpy":
            return Contestant(peers.vcrpy(operation(name)))
        made = provider(contestant)
        from opentelemetry.instrumentation.botocore import BotocoreInstrumentor

        BotocoreInstrumentor().instrument()
        return Contestant(*traced(made, operation(name)))

    return setup


def replaying(contestant: str) -> Setup:
    def setup() -> Contestant:
        return _replayed() if contestant == "replayed" else _vcrpy()

    return setup


def _replayed() -> Contestant:
    """From a session that is made anew for each batch, before the clock starts: each exchange answers once."""
    from timetracer_otel.drivers.botocore.replay import REPLAYING

    host = Host()
    one = operation(GET_ITEM)
    REPLAYING.install(host)
    return Contestant(plain(one), nothing, host.fill)


class Host:
    """Implements what botocore asks of `drivers.base.ReplayHost`."""

    def __init__(self) -> None:
        self.session: Any = None
        self.fill(1)

    def fill(self, count: int) -> None:
        from canned_aws import ITEM

        from timetracer_otel.cassette.model import Exchange, Signature
        from timetracer_otel.drivers.botocore.questions import question_of
        from timetracer_otel.replay.instants import window
        from timetracer_otel.replay.journal import MemoryJournal
        from timetracer_otel.replay.library import Library, Recorded
        from timetracer_otel.replay.origin import Origins
        from timetracer_otel.replay.session import Session

        params = {"TableName": "t", "Key": {"id": {"S": "1"}}}
        request = {"service": "dynamodb", "operation": "GetItem", "region": "us-east-1", "params": params}
        headers = [["Content-Type", "application/x-amz-json-1.0"], ["x-amzn-RequestId", "R"]]
        result = {"attempts": [{"status": 200, "headers": headers, "body": ITEM}]}
        signature = Signature("botocore", "GetItem", "dynamodb")
        exchanges = tuple(
            Exchange(f"p-{number}", "aws.call", signature, request, result, at_ns=number * 10, duration_ns=5)
            for number in range(count)
        )
        library, limits = Library(exchanges, question_of), window(0, 1)
        origins = Origins((), limits, lambda: limits)
        self.session = Session(Recorded("segment", exchanges), library, origins, MemoryJournal())

    def current(self) -> Any:
        from timetracer_otel.capture.frames import app_frame
        from timetracer_otel.drivers.base import Asked

        return self.session, Asked(frame=app_frame(), span="DynamoDB.GetItem", span_path=("work", "DynamoDB.GetItem"))


def _vcrpy() -> Contestant:
    import vcr

    one = operation(GET_ITEM)
    file = str(Path(tempfile.mkdtemp(prefix="timetracer-bench-")) / "cassette.yaml")
    with vcr.VCR(record_mode="all").use_cassette(file):
        plain(one)(TRACE)

    def run(count: int) -> None:
        while count > 0:
            with vcr.VCR(record_mode="none").use_cassette(file):
                plain(one)(min(count, TRACE))
            count -= TRACE

    return Contestant(run)


def live() -> Contestant:
    run: Run = plain(operation(GET_ITEM))
    return Contestant(run)


NAMES = (*CONTESTANTS, *peers.available("vcrpy", "placebo"))
CASES = {
    name: Case("otel", {n: recording(name, n) for n in NAMES}, {"recorded": goal})
    for name, goal in ((GET_ITEM, 1.10), (GET_OBJECT, 1.50))
}
CASES[f"replay of {GET_ITEM}"] = Case(
    "live",
    {"live": live, **{name: replaying(name) for name in ("replayed", *peers.available("vcrpy"))}},
    {"replayed": 0.45},
)


@contextmanager
def canned() -> Iterator[None]:
    """The server, as long as the block lasts; the workers find it by their environment."""
    command = [sys.executable, str(Path(__file__).with_name("canned_aws.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    os.environ[URL] = process.stdout.readline().strip()
    try:
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    with canned():
        main(CASES, __file__)
