"""The servers of an application that asks by all drivers, with what its requests find there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg

from tests.conftest import started
from tests.launching import instrumented
from tests.promises.running import recording, service
from tests.servers.aws import AwsServer
from tests.servers.http import HttpServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

DRIVERS = instrumented("asyncpg", "botocore", "httpx", "psycopg", "pymongo", "redis", "starlette")
SERVERS: tuple[Callable[[], Any], ...] = (PostgresServer, MongoServer, AwsServer, HttpServer, RedisServer)


@contextmanager
def serving(app: str, schema: str, name: str, folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of the application, which records into `folder`, and where its replay believes the HTTP server to be.
    `name` is that of a bucket and of a table of DynamoDB. All servers are stopped in the end."""
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        postgres, mongo, aws, http, redis = servers = list(pool.map(started, SERVERS))
    asked = {"DATABASE_URL": postgres.dsn, "MONGO_URL": mongo.uri, "HTTP_URL": http.url, "REDIS_URL": redis.url()}
    variables = recording(folder / "cassettes", APP=app, **asked, **aws.variables)
    try:
        _fill(postgres, aws, schema, name)
        with service(folder / "log", **variables, **DRIVERS) as url:
            yield url, {**DRIVERS, "HTTP_URL": http.url}
    finally:
        for server in servers:
            server.stop()


def _fill(postgres: PostgresServer, aws: AwsServer, schema: str, name: str) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(schema)
    access = {"aws_access_key_id": "AKIAKT4NARYKT4NARY02", "aws_secret_access_key": "not-checked"}
    s3, dynamodb = (
        boto3.client(kind, endpoint_url=aws.url, region_name="eu-west-1", **access) for kind in ("s3", "dynamodb")
    )
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
