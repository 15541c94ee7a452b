"""`scripts/example checkout` does what it says: it checks each of its own steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.demonstration import Demonstration, run_example
from tests.servers.jaeger import JaegerServer
from tests.there_and_back import assert_come_back, everything

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")

INSTRUMENTORS = ("celery", "httpx", "redis", "starlette")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """What it leaves behind."""
    folder = tmp_path_factory.mktemp("example") / "checkout"
    return run_example("checkout.py", folder, *INSTRUMENTORS)


def test_the_checkout_that_failed_fails_again_without_api_redis_and_worker(checkout: Demonstration) -> None:
    assert checkout.status == 0, checkout.output
    assert "TypeError: 'NoneType' object is not subscriptable" in checkout.output
    assert checkout.output.count("\nsame  ") == 2


def test_checkouts_come_back_from_jaeger_and_replay_the_same(
    checkout: Demonstration, jaeger: JaegerServer, tmp_path: Path
) -> None:
    api = stand_in(checkout.folder / "cassettes")
    assert_come_back(jaeger, checkout, tmp_path, *INSTRUMENTORS, PAYMENT_API=api)


def stand_in(store: Path) -> str:
    """The address of the payment API that there was: the service still names it."""
    segments = [segment for cassette in everything(store).values() for segment in cassette.segments]
    (found,) = {each.target for segment in segments for each in segment.exchanges if each.type == "http.client"}
    return str(found)
