"""A service that keeps its connection, and sees to its time zone when it has made it, as Django does.
`uvicorn tests.promises.settled_app:app`

`ZONE` is the zone that it wants; somebody may want another one than was recorded.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
ZONE = os.environ.get("ZONE", "UTC")
MOMENT = "SELECT TIMESTAMPTZ '2026-03-01 12:00:00+00'"


@functools.cache
def connection() -> psycopg.Connection[Any]:
    made = psycopg.connect(DSN, autocommit=True)
    if made.info.parameter_status("TimeZone") != ZONE:
        made.execute("SELECT set_config('TimeZone', %s, false)", [ZONE])
    return made


def told() -> dict[str, str]:
    (moment,) = connection().execute(MOMENT).fetchone() or (None,)
    return {"at": str(moment), "zone": str(connection().info.timezone)}


def when(_: Request) -> JSONResponse:
    return JSONResponse(told())


def moved(request: Request) -> JSONResponse:
    """From here on the connection has another zone."""
    before = told()
    connection().execute("SELECT set_config('TimeZone', %s, false)", [request.query_params["to"]])
    return JSONResponse([before, told()])


app = Starlette(routes=[Route("/when", when), Route("/moved", moved)])
