"""Cases R32 to R36 and R51 from end to end where a request asks several stores: all are stopped before any replay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from tests.conftest import started
from tests.launching import instrumented
from tests.promises import stores_app
from tests.promises.running import Replayed, cassettes, recording, replay, send, service
from tests.servers.aws import AwsServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.smtp import SmtpServer
from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.cli.running import run as show

pytestmark = pytest.mark.postgres

DRIVERS = instrumented("botocore", "psycopg", "pymongo", "starlette")
SERVERS: tuple[Callable[[], Any], ...] = (PostgresServer, MongoServer, AwsServer)
PATHS = ("/poll", "/gather", "/order", "/receipts")


@dataclass(frozen=True, slots=True)
class Recorded:
    answers: dict[str, Any]
    cassettes: dict[str, tuple[Cassette, Segment]]
    mail: SmtpServer
    log: str

    def replay(self, path: str, folder: Path, **variables: str) -> Replayed:
        return replay(self.cassettes[path][0].path, folder, **{**DRIVERS, **variables})


def fill(postgres: PostgresServer, aws: AwsServer) -> None:
    """What the requests find there."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(stores_app.SCHEMA)
    access = {"aws_access_key_id": "AKIAKT4NARYKT4NARY02", "aws_secret_access_key": "not-checked"}
    s3, sqs, sns = (
        boto3.client(name, endpoint_url=aws.url, region_name="eu-west-1", **access) for name in ("s3", "sqs", "sns")
    )
    s3.create_bucket(Bucket=stores_app.BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in stores_app.FILES:
        s3.put_object(Bucket=stores_app.BUCKET, Key=f"files/{number}", Body=f"file {number}".encode())
    queue = sqs.create_queue(QueueName=stores_app.QUEUE)["QueueUrl"]
    for state in stores_app.STATES:
        sqs.send_message(QueueUrl=queue, MessageBody=state)
    assert sns.create_topic(Name=stores_app.TOPIC.rpartition(":")[2])["TopicArn"] == stores_app.TOPIC


@contextmanager
def stopping(*servers: Any) -> Iterator[None]:
    try:
        yield
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("stores")
    with ThreadPoolExecutor(3) as pool:
        postgres, mongo, aws = list(pool.map(started, SERVERS))
    mail = SmtpServer()
    asked = {"DATABASE_URL": postgres.dsn, "MONGO_URL": mongo.uri, "MAIL": mail.address, **aws.variables}
    variables = recording(folder / "cassettes", APP="tests.promises.stores_app:app", **asked, **DRIVERS)
    with stopping(postgres, mongo, aws, mail):
        fill(postgres, aws)
        with service(folder / "log", **variables, BAGGAGE="ming") as url:
            answers = {path: send(url, path) for path in PATHS}
    log = (folder / "log").read_text()
    assert [each.status for each in answers.values()] == [200] * len(PATHS), log
    found = {path_of(each[1]): each for each in cassettes(folder / "cassettes")}
    assert sorted(found) == sorted(PATHS)
    return Recorded({path: json.loads(each.body) for path, each in answers.items()}, found, mail, log)


def path_of(segment: Segment) -> str:
    (entry,) = [each for each in segment.exchanges if each.type == "http.server"]
    return str(entry.request["path"])


def test_r32_a_message_asked_for_once_more_than_recorded_is_explained_as_used_up(
    recorded: Recorded, tmp_path: Path
) -> None:
    found = recorded.replay("/poll", tmp_path, POLLS="4")
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.report["misses"]
    assert miss["request"]["text"] == "sqs.ReceiveMessage"
    assert miss["differences"] == [{"path": "calls", "recorded": 3, "asked": 4}]
    assert "recorded 3 times, all used up: this is call number 4" in found.output
    bodies = [found.report["outcome"][side]["body"] for side in ("recorded", "replayed")]
    assert bodies == [["pending", "packed", "done"], ["pending", "packed", "done", "UnrecordedCallError"]]


@pytest.mark.long
def test_r34_twenty_selects_and_three_files_in_any_order_through_a_pool_of_one(
    recorded: Recorded, tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    squares = [number * number for number in stores_app.NUMBERS]
    assert recorded.answers["/gather"] == [*squares, *(f"file {number}" for number in stores_app.FILES)]
    for seed in range(rounds(20)):
        found = recorded.replay("/gather", tmp_path, SHUFFLE=str(seed + 1), POOL_SIZE="1")
        assert (found.status, found.verdict, found.findings) == (0, "same", []), (seed, found.output)
        assert found.report["ambiguous"] == []


@pytest.mark.parametrize(
    ("variables", "carried"),
    [({"XRAY": "1"}, "carried:  False"), ({"BAGGAGE": "zoe"}, "carried: tenant=zoe True")],
    ids=["none", "another"],
)
def test_r35_r36_ids_go_through_three_stores_and_what_propagators_carry_takes_no_part(
    variables: dict[str, str], carried: str, recorded: Recorded, tmp_path: Path
) -> None:
    """Of the application's own making, and of a driver's. Baggage, or none, where there was other baggage."""
    assert "carried: tenant=ming True\n" in recorded.log
    exchanges = recorded.cassettes["/order"][1].exchanges
    (message,) = [each.request for each in exchanges if each.request.get("service") == "sns"]
    assert "tenant=ming" in repr(message["params"])
    found = recorded.replay("/order", tmp_path, **variables)
    assert f"{carried}\n" in found.output
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def test_r35_a_changed_field_beside_a_generated_id_is_one_miss(recorded: Recorded, tmp_path: Path) -> None:
    found = recorded.replay("/order", tmp_path, TOTAL="13")
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.report["misses"]
    assert (miss["request"]["lib"], miss["request"]["method"]) == ("pymongo", "insert")
    assert miss["differences"] == [{"path": "command.documents[0].total", "recorded": 12, "asked": 13}]
    assert found.findings == [miss]


def test_r51_mail_that_no_driver_covers_is_named_before_a_replay_and_refused_in_it(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two messages one has a span, which is all that a recording can know. The server is up, and sees nobody."""
    assert [each.splitlines()[0] for each in recorded.mail.messages] == [b"Subject: order 7", b"Subject: order 8"]
    cassette, _ = recorded.cassettes["/receipts"]
    named = f"smtplib: send {recorded.mail.address}"
    assert show(["show", cassette.path]) == 0
    assert f"unanswered {named}; not recorded, a replay refuses it\n" in capsys.readouterr().out
    mail = SmtpServer()
    with stopping(mail):
        found = recorded.replay("/receipts", tmp_path, MAIL=mail.address)
    assert (mail.connections, mail.messages) == (0, [])
    assert (found.status, found.verdict) == (1, "deviates")
    assert f"timetracer-otel: not recorded, to be refused: {named}" in found.output
    (miss,) = found.report["misses"]
    assert (miss["request"]["lib"], miss["request"]["text"]) == ("smtplib", f"connect {mail.address}")
    assert miss["frame"].startswith("tests/promises/stores_app.py:")
    assert "stub the call where TIMETRACER_MODE is replay, or let it through: --live smtplib\n" in found.output
    assert found.report["outcome"]["replayed"]["body"] == ["ConnectionRefusedError"] * 2
