"""A service that gives its process a name and tells a registry in Redis of it. `uvicorn tests.promises.worker_app:app`

`CHANGED` is what somebody did between recording and replay: `id` takes another id of the process where its name was
meant, `made` one that is made for the request, `job` the name of the process where an id was made for the request, and
`key` registers it elsewhere. `BUSY_S` is how long the machine needs to start it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timezone

import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CHANGED = os.environ.get("CHANGED", "")
NAME, SHORT, OTHER = uuid.uuid4().hex, f"worker-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
client = redis.from_url(os.environ.get("REDIS_URL", "redis://localhost"))


@contextlib.asynccontextmanager
async def registered(_: Starlette) -> AsyncIterator[None]:
    time.sleep(float(os.environ.get("BUSY_S", "0")))
    about = {"host": socket.gethostname(), "pid": os.getpid(), "at": time.time()}
    await client.hset("workers" if CHANGED != "key" else "others", NAME, json.dumps(about))
    await client.set(f"started:{SHORT}", datetime.now(timezone.utc).isoformat())
    assert NAME.encode() in await client.hkeys("workers" if CHANGED != "key" else "others")
    yield


async def work(request: Request) -> Response:
    named = {"id": OTHER, "made": uuid.uuid4().hex}.get(CHANGED, NAME)
    job = uuid.uuid4().hex if CHANGED != "job" else OTHER
    await client.publish("jobs", json.dumps({"job": job, "by": named}))
    await client.set(f"busy:{SHORT}", job)
    is_known = NAME.encode() in await client.hkeys("workers")
    return JSONResponse({"by": named, "job": job, "is_known": is_known})


app = Starlette(routes=[Route("/work", work)], lifespan=registered)
