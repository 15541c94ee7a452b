"""An application with secrets: `CANARY=secret python -m tests.drivers.redis.secretive URL`."""

from __future__ import annotations

import json
import os
import sys
import zlib
from typing import Any

import redis
from opentelemetry import trace


def main(url: str) -> None:
    secret = os.environ["CANARY"]
    with trace.get_tracer("tests").start_as_current_span("GET /secrets"):
        client: Any = redis.Redis.from_url(url, decode_responses=True)
        client.set("password", secret)
        client.hset("user:1", mapping={"name": "ada", "token": secret})
        client.rpush("audit", json.dumps({"api_key": secret}))
        saw = {"read": client.get("password"), "count": client.incr("logins")}
        plain: Any = redis.Redis.from_url(url)
        plain.set("packed", zlib.compress(json.dumps({"token": secret, "page": 7}).encode()))
        saw["page"] = json.loads(zlib.decompress(plain.get("packed")))["page"]
        plain.hset("signed", mapping={"sig": secret.encode().hex().ljust(64, "0"), "name": "ada"})
        saw["name"] = plain.hgetall("signed")[b"name"].decode()
        plain.close()
        client.pipeline().set("user:1:password", secret).execute()
        client.close()
    print(json.dumps(saw))


if __name__ == "__main__":
    main(*sys.argv[1:])
