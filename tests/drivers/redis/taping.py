"""redis-py's taps in one process: a tape that keeps what they put on it, and a replay of that."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.drivers.psycopg.replaying import Replayed
from tests.drivers.taping import ListTape, tapped
from tests.drivers.traced import replayed_by
from timetracer_otel.drivers.redis.codec import CODEC
from timetracer_otel.drivers.redis.record import RECORDING
from timetracer_otel.drivers.redis.replay import REPLAYING

PRODUCTION = "rediss://app:secret@cache.example:6380/0?ssl_ca_certs=/no/ca.pem"
TIMEOUT_S = 60


def taps(strict: bool = True) -> AbstractContextManager[ListTape]:
    """redis-py with the taps in; a failure inside them is raised, unless told otherwise."""
    return tapped(RECORDING, ListTape(CODEC, masks=True), strict)


def replayed(tape: ListTape) -> AbstractContextManager[Replayed]:
    """redis-py redirected to what the tape holds."""
    return replayed_by(REPLAYING, tape)


def until(is_true: Callable[[], object]) -> None:
    """Returns once it is."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
