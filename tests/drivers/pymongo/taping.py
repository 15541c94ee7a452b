"""pymongo's taps in one process: a tape that keeps what they put on it, and a replay of that."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.drivers.psycopg.replaying import Replayed
from tests.drivers.taping import ListTape, tapped
from tests.drivers.traced import replayed_by
from timetracer_otel.drivers.pymongo.codec import CODEC
from timetracer_otel.drivers.pymongo.record import RECORDING
from timetracer_otel.drivers.pymongo.replay import REPLAYING

PRODUCTION = "mongodb+srv://user:pw@cluster.example/app?tls=true&replicaSet=rs0"


def taps(strict: bool = True) -> AbstractContextManager[ListTape]:
    """pymongo with the taps in; a failure inside them is raised, unless told otherwise."""
    return tapped(RECORDING, ListTape(CODEC, masks=True), strict)


def replayed(tape: ListTape) -> AbstractContextManager[Replayed]:
    """pymongo redirected to what the tape holds."""
    return replayed_by(REPLAYING, tape)
