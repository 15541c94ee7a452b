"""Marked tests, recorded with real servers, replayed without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import started
from tests.pytest_plugin.running import Project
from tests.servers.aws import AwsServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(900)]


def test_r30_r31_r52_tests_of_every_kind_replay_without_a_server_in_parallel_or_alone(
    tmp_path: Path, stoppable_postgres: PostgresServer, mongo: MongoServer
) -> None:
    aws = started(AwsServer)
    try:
        variables = {"DSN": stoppable_postgres.dsn, "MONGO": mongo.uri, **aws.variables}
        project = Project(tmp_path, variables, "drivers", "anyio")
        recorded = project.run("--timetracer=record")
        assert recorded.code == 0, recorded.output
    finally:
        for server in (stoppable_postgres, mongo, aws):
            server.stop()
    names = [path.relative_to(tmp_path).as_posix() for path in project.cassettes]
    assert len({name.lower() for name in names}) == len(names) == recorded.counts["passed"] + 4  # of `table`
    assert all(name.isascii() and name.startswith("cassettes/test_") and len(name) < 130 for name in names)
    together = project.run("-n4", "--dist=load")
    assert (together.code, together.counts) == (0, recorded.counts), together.output
    alone = project.run("-k", "module_again and red or anyio and 2")
    assert (alone.code, alone.counts["passed"]) == (0, 2), alone.output
    assert "changed: []" in alone.output
