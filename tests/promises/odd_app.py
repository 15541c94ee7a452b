"""A service that now and then meets values which no JSON carries. `uvicorn tests.promises.odd_app:app`"""

from __future__ import annotations

import math
import os
import sys
from decimal import Decimal
from typing import Any

import psycopg
from opentelemetry import trace
from psycopg.types.json import Jsonb
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

URL = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal:5432/postgres")
LEVELS = 10
SURROGATE, BYTES, HUGE = "\ud83e", b"\xff\x00", 10**5000
QUERY = "SELECT %s::bytea, %s::float8, %s::numeric, %s::jsonb, %s::text"

sys.set_int_max_str_digits(0)  # psycopg sends an integer as its digits


def nested(levels: int) -> Any:
    """`levels` levels of mappings and lists, one in the other."""
    return "deep" if levels == 0 else {"level": levels, "below": [nested(levels - 1)]}


def fall(levels: int) -> None:
    """An exception from so many levels further down. Two that call each other: Python shortens what repeats."""
    if levels == 0:
        raise RecursionError(f"no further than {SURROGATE}")
    fall_further(levels - 1)


def fall_further(levels: int) -> None:
    fall(levels)


def good(request: Request) -> Response:
    with psycopg.connect(URL, autocommit=True) as connection:
        row = connection.execute("SELECT %s::int * 2", (request.path_params["number"],)).fetchone()
    return PlainTextResponse(repr(row))


def odd(request: Request) -> Response:
    span = trace.get_current_span()
    span.set_attribute("odd.surrogate", SURROGATE)
    span.set_attribute("odd.nan", math.nan)
    span.set_attribute("odd.huge", HUGE)
    span.set_attribute("odd.bytes", BYTES)
    values = (BYTES, math.nan, Decimal(HUGE), Jsonb(nested(LEVELS)), "\N{PILE OF POO}")
    with psycopg.connect(URL, autocommit=True) as connection:
        row = connection.execute(QUERY, values).fetchone()
    try:
        fall(LEVELS)
    except RecursionError as error:
        span.record_exception(error)
    body = repr(row).encode() + BYTES + SURROGATE.encode("utf-8", "surrogatepass")
    return Response(body, media_type="application/octet-stream", headers={"x-odd": "\xff"})


app = Starlette(routes=[Route("/good/{number:int}", good), Route("/odd", odd)])
