"""The service as a WSGI application; each request asks the database twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import psycopg
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def order(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    number = int(environ["PATH_INFO"].rpartition("/")[2])
    with psycopg.connect(os.environ["SHOP_DSN"], autocommit=True) as connection:
        connection.execute("SELECT %s::text", (f"order {number}",))
        connection.execute("SELECT pg_sleep(0.01)")
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"id": number, "process": os.getpid()}).encode()]


app = OpenTelemetryMiddleware(order)
