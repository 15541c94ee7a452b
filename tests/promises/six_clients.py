"""What an application that asks by all drivers has of them; `six_stores` starts the servers."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import boto3
from pymongo import MongoClient
from starlette.responses import JSONResponse

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
MONGO = os.environ.get("MONGO_URL", "mongodb://mongo.prod.internal/")
REDIS = os.environ.get("REDIS_URL", "redis://redis.prod.internal/")
HTTP = os.environ.get("HTTP_URL", "http://api.prod.internal")


@functools.cache
def mongo() -> Any:
    client: MongoClient[dict[str, Any]] = MongoClient(MONGO)
    return client.shop


@functools.cache
def aws(name: str) -> Any:
    return boto3.resource(name, region_name="eu-west-1")


def told(asks: tuple[Callable[[], Any], ...]) -> JSONResponse:
    """What each of them came to."""
    return JSONResponse({ask.__name__: _told(ask) for ask in asks})


def _told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001  # of six libraries
        return f"{type(error).__name__}: {error}"
