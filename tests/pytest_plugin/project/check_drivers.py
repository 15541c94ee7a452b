"""Real drivers, sync and async, with fixtures of every scope. Copied and run by tests of the plugin."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import boto3
import psycopg
import pytest
import shop  # type: ignore[import-not-found]  # it lies beside these where they run
import sqlalchemy
from opentelemetry import trace
from starlette.testclient import TestClient

pytestmark = pytest.mark.timetracer


@pytest.fixture
def connection() -> Iterator[psycopg.Connection]:
    with psycopg.connect(os.environ["DSN"]) as made:
        yield made


@pytest.fixture
async def pool() -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(os.environ["DSN"], min_size=1, max_size=2) as made:
        yield made


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(shop.app) as made:
        yield made


@pytest.fixture(scope="module", params=["red", "blue"])
def table(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"things_{request.param}"
    with shop.ENGINE.begin() as made:
        made.execute(sqlalchemy.text(f"create table {name} (n int)"))
    yield name
    with shop.ENGINE.begin() as made:
        made.execute(sqlalchemy.text(f"drop table {name}"))


def test_psycopg_with_an_id_of_the_test_itself(connection: psycopg.Connection) -> None:
    given = uuid4()
    row = connection.execute("select %s::text, clock_timestamp() > now()", [str(given)]).fetchone()
    assert row == (str(given), True)


@pytest.mark.parametrize(
    "given", ["../../x", "/abs", "a:b*?", "x" * 400, "\u00e9", "e\u0301", "ID", "id", "con", "", "\x00"]
)
def test_ids(given: str) -> None:
    assert shop.scalar("select length(:given)", given=given.replace("\x00", "")) == len(given.replace("\x00", ""))


@pytest.mark.asyncio
async def test_asyncpg_by_asyncio(pool: asyncpg.Pool) -> None:
    numbers = await asyncio.gather(*(pool.fetchval("select $1::int + 1", n) for n in range(3)))
    assert numbers == [1, 2, 3]


@pytest.mark.xdist_group("of its own")  # xdist may add it to the id
class TestScopes:
    def test_module(self, client: TestClient, table: str) -> None:
        assert client.get("/orders/4").json() == {"double": 8}
        assert shop.scalar(f"select count(*) from {table}") == 0

    def test_module_again(self, client: TestClient, table: str) -> None:
        assert client.get("/orders/5").json() == {"double": 10}
        assert shop.scalar(f"select count(*) from {table}") == 0


def test_mongo() -> None:
    orders = shop.MONGO["shop"]["orders"]
    orders.insert_one({"total": 3})
    assert [found["total"] for found in orders.find({"total": 3})] == [3]
    orders.delete_many({})


def test_s3() -> None:
    s3 = boto3.client("s3")
    place = {"Bucket": "bucket", "Key": "key"}
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(**place, Body=b"hello")
    assert s3.get_object(**place)["Body"].read() == b"hello"
    s3.delete_object(**place)
    s3.delete_bucket(Bucket="bucket")


def test_a_thread_of_the_test_is_the_test() -> None:
    found: list[object] = []
    worker = threading.Thread(target=lambda: found.append(shop.double(7)))
    worker.start()
    worker.join()
    assert found == [14]


def test_the_application_sees_the_time_of_the_recording_and_a_tracer(connection: psycopg.Connection) -> None:
    import datetime

    now = connection.execute("select now()").fetchone()
    assert now is not None
    assert abs(now[0] - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=10)
    with trace.get_tracer("shop").start_as_current_span("work") as span:
        assert span.is_recording()
        connection.execute("select 1")
