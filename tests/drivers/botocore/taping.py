"""botocore's taps in one process, and clients for them."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

import boto3
from botocore.config import Config

from tests.drivers.taping import ListTape, tapped
from timetracer_otel.drivers.botocore.codec import CODEC
from timetracer_otel.drivers.botocore.record import RECORDING

REGION = "eu-west-1"


def taps(strict: bool = True) -> AbstractContextManager[ListTape]:
    """botocore with the taps in; a failure inside them is raised, unless told otherwise."""
    return tapped(RECORDING, ListTape(CODEC), strict)


@functools.lru_cache
def client(service: str, url: str, retries: str = "legacy") -> Any:
    """With keys of its own. It is made once: to load a service takes longer than to use it."""
    config = Config(retries={"mode": retries})
    return _session().client(service, endpoint_url=url, config=config)


@functools.lru_cache
def _session() -> Any:
    keys = {"aws_access_key_id": "AKIAKT4NARYKT4NARY04", "aws_secret_access_key": "kT4nary-here"}
    return boto3.Session(region_name=REGION, **keys)
