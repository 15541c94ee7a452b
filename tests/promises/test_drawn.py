"""Values that are drawn from chance: in each run others, and the same requests. All servers are stopped first."""

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
from tests.promises import drawn_app
from tests.promises.running import Replayed, cassettes, recording, replay, send, service
from tests.servers.aws import AwsServer
from tests.servers.http import HttpServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.postgres

DRIVERS = instrumented("asyncpg", "botocore", "httpx", "psycopg", "pymongo", "redis", "starlette")
SERVERS: tuple[Callable[[], Any], ...] = (PostgresServer, MongoServer, AwsServer, HttpServer, RedisServer)
LIBRARIES = {"asyncpg", "botocore", "http", "psycopg", "pymongo", "redis"}
GIVEN = "ORD-12AB34CD"
Again = Callable[..., Replayed]


def fill(postgres: PostgresServer, aws: AwsServer) -> None:
    """What the requests find there."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(drawn_app.SCHEMA)
    access = {"aws_access_key_id": "AKIAKT4NARYKT4NARY02", "aws_secret_access_key": "not-checked"}
    s3, dynamodb = (
        boto3.client(name, endpoint_url=aws.url, region_name="eu-west-1", **access) for name in ("s3", "dynamodb")
    )
    s3.create_bucket(Bucket=drawn_app.BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamodb.create_table(
        TableName=drawn_app.TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Again:
    """Replays the request that draws, or the one that is given its code."""
    folder = tmp_path_factory.mktemp("drawn")
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        postgres, mongo, aws, http, redis = servers = list(pool.map(started, SERVERS))
    asked = {"DATABASE_URL": postgres.dsn, "MONGO_URL": mongo.uri, "HTTP_URL": http.url, "REDIS_URL": redis.url()}
    variables = recording(folder / "cassettes", APP="tests.promises.drawn_app:app", **asked, **aws.variables)
    try:
        fill(postgres, aws)
        with service(folder / "log", **variables, **DRIVERS) as url:
            answers = [send(url, "/orders"), send(url, f"/orders/{GIVEN}")]
    finally:
        for server in servers:
            server.stop()
    assert not [each for each in answers if "Error" in each.body.decode() or each.status != 200], answers
    drawn, given = (cassette.path for cassette, _ in cassettes(folder / "cassettes"))

    def replayed(report: Path, is_given: bool = False, **more: str) -> Replayed:
        return replay(given if is_given else drawn, report, **{**DRIVERS, "HTTP_URL": http.url, **more})

    return replayed


def test_what_is_drawn_is_the_same_in_another_run(again: Again, tmp_path: Path) -> None:
    found = again(tmp_path)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert {each["kind"] for each in found.report["mappings"]} == {"drawn", "machine"}
    drawn = found.report["mappings"]
    assert len(drawn) > 30
    assert not {str(each["recorded"]) for each in drawn} & {str(each["replayed"]) for each in drawn}
    assert any("random without a seed, drawn by" in line for line in found.report["uncontrolled"])


@pytest.mark.parametrize("changed", ["again", "status"])
def test_another_draw_for_the_same_value_and_any_other_change_is_found_with_each_driver(
    again: Again, tmp_path: Path, changed: str
) -> None:
    found = again(tmp_path, CHANGED=changed)
    assert (found.status, found.verdict) == (1, "deviates")
    assert {each["request"]["lib"] for each in found.report["misses"]} == LIBRARIES
    assert len(found.report["misses"]) == len(LIBRARIES)


def test_what_the_request_gave_is_not_taken_for_drawn(again: Again, tmp_path: Path) -> None:
    assert again(tmp_path, is_given=True).verdict == "same"
    found = again(tmp_path, is_given=True, CHANGED="own")
    assert (found.status, found.verdict) == (1, "deviates")
    (miss,) = found.report["misses"]
    assert [each["recorded"] for each in miss["differences"]] == [GIVEN]
