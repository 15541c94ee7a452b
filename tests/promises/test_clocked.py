"""Values that are reckoned from the clock: in each run others, and the same requests. All servers are stopped first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from tests.conftest import started
from tests.launching import instrumented
from tests.promises import clocked_app
from tests.promises.running import Replayed, only, recording, replay, send, service
from tests.servers.aws import AwsServer
from tests.servers.http import HttpServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.postgres

DRIVERS = instrumented("asyncpg", "botocore", "httpx", "psycopg", "pymongo", "redis", "starlette")
SERVERS: tuple[Callable[[], Any], ...] = (PostgresServer, MongoServer, AwsServer, HttpServer, RedisServer)
Again = Callable[..., Replayed]


def fill(postgres: PostgresServer, aws: AwsServer) -> None:
    """What the requests find there."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(clocked_app.SCHEMA)
    access = {"aws_access_key_id": "AKIAKT4NARYKT4NARY02", "aws_secret_access_key": "not-checked"}
    s3, dynamodb = (
        boto3.client(name, endpoint_url=aws.url, region_name="eu-west-1", **access) for name in ("s3", "dynamodb")
    )
    s3.create_bucket(Bucket=clocked_app.BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamodb.create_table(
        TableName=clocked_app.TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Again:
    """Replays the request."""
    folder = tmp_path_factory.mktemp("clocked")
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        postgres, mongo, aws, http, redis = servers = list(pool.map(started, SERVERS))
    asked = {"DATABASE_URL": postgres.dsn, "MONGO_URL": mongo.uri, "HTTP_URL": http.url, "REDIS_URL": redis.url()}
    variables = recording(folder / "cassettes", APP="tests.promises.clocked_app:app", **asked, **aws.variables)
    try:
        fill(postgres, aws)
        with service(folder / "log", **variables, **DRIVERS) as url:
            answer = send(url, "/tokens")
    finally:
        for server in servers:
            server.stop()
    assert "Error" not in answer.body.decode(), answer.body
    cassette, _ = only(folder / "cassettes")

    def replayed(report: Path, **more: str) -> Replayed:
        return replay(cassette.path, report, **{**DRIVERS, "HTTP_URL": http.url, **more})

    return replayed


def test_what_is_reckoned_from_the_clock_is_the_same_in_another_run(again: Again, tmp_path: Path) -> None:
    found = again(tmp_path)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert {each["kind"] for each in found.report["mappings"]} == {"instant"}
    assert not {str(each["recorded"]) for each in found.report["mappings"]} & {
        str(each["replayed"]) for each in found.report["mappings"]
    }


def test_a_second_more_is_another_request_of_each_driver(again: Again, tmp_path: Path) -> None:
    found = again(tmp_path, LATER="1")
    assert (found.status, found.verdict) == (1, "deviates")
    missed = {each["request"]["lib"] for each in found.report["misses"]}
    assert missed == {"asyncpg", "botocore", "http", "psycopg", "pymongo", "redis"}
    assert len(found.report["misses"]) == len(missed)
