"""R45: a recording as if of 2020 is replayed: all that tells the time tells the recording's, and nothing hangs."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import pytest
from psycopg import pq

from tests.conftest import started
from tests.launching import instrumented
from tests.promises.running import only, recording, run, with_report
from tests.servers.aws import AwsServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres

PROGRAM = (sys.executable, "-m", "tests.promises.moments")
DRIVERS = instrumented("asyncpg", "botocore", "psycopg", "pymongo")
NOWHERE = ("postgresql://app@db.prod.internal/postgres", "mongodb://mongo.prod.internal/")
YEAR = 2020

TOLD = {
    "python": {
        **dict.fromkeys(("now", "local", "today", "time", "time_ns", "clock_gettime", "localtime"), YEAR),
        **{"strftime": str(YEAR), "http date": str(YEAR), "log record": YEAR, "uuid1": YEAR},
        "types": [True, True, str(YEAR)],
    },
    "bson": {"ObjectId": YEAR, "encoded": True},
    "pymongo": {"of the key": YEAR, "found": YEAR, "elsewhere": True},
    "psycopg": {"implementation": pq.__impl__, "parameter": YEAR, "equal": True},
    "asyncpg": {"parameter": YEAR, "timeout": True},
    "boto3": {"signed": [str(YEAR)], "presigned": str(YEAR)},
    "in a thread": YEAR,
}


def test_r45_whatever_tells_the_time_tells_that_of_the_recording_and_timeouts_run_out(
    stoppable_postgres: PostgresServer, tmp_path: Path
) -> None:
    mongo, aws = started(MongoServer), started(AwsServer)
    try:
        variables = recording(tmp_path / "cassettes", STARTS=f"{YEAR}-03-01T12:00:00+00:00", **aws.variables, **DRIVERS)
        servers = (stoppable_postgres.dsn, f"mongodb://127.0.0.1:{mongo.port}/")
        done = run(["opentelemetry-instrument", *PROGRAM, *servers], variables)
        assert done.returncode == 0, done.stderr
    finally:
        for server in (stoppable_postgres, mongo, aws):
            server.stop()
    printed, _ = done.stdout.splitlines()
    loops = {"uvloop": "uvloop", "asyncio": "asyncio.unix_events"}
    told = {name: {**TOLD, "loop": {"loop": module, "took": [True, True]}} for name, module in loops.items()}
    assert json.loads(printed) == told
    cassette, _ = only(tmp_path / "cassettes")
    command = ["timetracer-otel", "exec", cassette.path]
    found = with_report(command, tmp_path, {**aws.variables, **DRIVERS}, ("--", *PROGRAM, *NOWHERE))
    again, of_c = found.output.splitlines()[:2]
    assert json.loads(again) == told, found.output
    assert (found.status, found.verdict, found.findings) == (0, "same", [])
    assert int(of_c) >= datetime.datetime.now(datetime.timezone.utc).year - 1 > YEAR  # as docs/limits.md says
