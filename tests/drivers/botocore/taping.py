"""The taps in one process: a tape that keeps what they put on it, and what the codec makes of it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from tests.drivers.psycopg.taping import ListTape
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.botocore.codec import CODEC
from timetracer_otel.drivers.botocore.record import RECORDING

REGION = "eu-west-1"


@dataclass
class Tape(ListTape):
    """Keeps everything."""

    @property
    def exchanges(self) -> list[Exchange]:
        return [exchange_of(captured) for captured in self.captured]


def exchange_of(captured: Captured) -> Exchange:
    encoded = CODEC.encode(captured)
    return Exchange(
        id=f"test-{captured.number}",
        type=encoded.type,
        signature=Signature(encoded.lib, encoded.method, encoded.url),
        request=encoded.request,
        result=encoded.result,
        complete=captured.complete,
        target=encoded.target,
        connection=captured.connection,
        at_ns=captured.number,
        duration_ns=1,
        dropped={"reason": captured.dropped} if captured.dropped else None,
    )


@contextlib.contextmanager
def taps(strict: bool = True) -> Iterator[Tape]:
    """botocore with the taps in; a failure inside them is raised, unless told otherwise."""
    tape = Tape()
    before = guard.strict
    table.activate(tape)
    guard.strict = strict
    RECORDING.install()
    try:
        yield tape
    finally:
        RECORDING.uninstall()
        guard.strict = before
        table.activate(None)


@functools.lru_cache
def client(service: str, url: str, retries: str = "legacy") -> Any:
    """With keys of its own. It is made once: to load a service takes longer than to use it."""
    config = Config(retries={"mode": retries})
    return _session().client(service, endpoint_url=url, config=config)


@functools.lru_cache
def _session() -> Any:
    keys = {"aws_access_key_id": "AKIAKT4NARYKT4NARY04", "aws_secret_access_key": "kT4nary-here"}
    return boto3.Session(region_name=REGION, **keys)
