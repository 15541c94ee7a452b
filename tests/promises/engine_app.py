"""A service whose engine connects in a request, and sets each connection up. `uvicorn tests.promises.engine_app:app`

`WAIT` is what it sets there, which somebody changes between recording and replay.
"""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
WAIT = os.environ.get("WAIT", "5s")

engine = sa.create_engine(DSN.replace("postgresql", "postgresql+psycopg"))


@sa.event.listens_for(engine, "connect")
def set_up(connection: Any, _: object) -> None:
    """As SQLAlchemy's documentation has it, in a transaction of its own."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{WAIT}'")
    connection.commit()


def order(request: Request) -> JSONResponse:
    with engine.begin() as connection:
        found = connection.scalar(sa.text("SELECT CAST(:number AS int)"), {"number": request.path_params["number"]})
    return JSONResponse(found)


app = Starlette(routes=[Route("/orders/{number:int}", order)])
