"""One recording of a real prefork worker on Redis, for every test that replays some of it."""

from __future__ import annotations

import pytest

from tests.conftest import started
from tests.drivers.celery.harness import Payments, until
from tests.drivers.celery.mix import CLIENT, has_ended
from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Payments:
    """Recorded; its Redis has been stopped. Never change its application: copy it."""
    redis = started(RedisServer)
    try:
        recorded = Payments.at(tmp_path_factory.mktemp("payments"), BROKER=redis.url(), BACKEND=redis.url(1))
        schedule, notes = str(recorded.folder / "schedule"), str(recorded.folder / "notes")
        with recorded.worker("-c", "4", "-B", "-s", schedule, BEAT="1", NOTES=notes):
            recorded.client(CLIENT)
            until(lambda: has_ended(recorded), "all tasks")
    finally:
        redis.stop()
    return recorded
