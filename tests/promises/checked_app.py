"""A service that checks what its clients show: tokens, sessions, passwords, keys.

The same module makes what a replay sends in their place: `SECRET` of the recording and of the replay are two.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from base64 import b64encode
from typing import Any

import itsdangerous
import psycopg
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
SECRET = os.environ.get("APP_SECRET", "")
API_KEY = os.environ.get("PARTNER_KEY", "")
HOUR_S = 3600
PASSWORD = "correct horse battery"
SCHEMA = """
CREATE TABLE accounts (id int PRIMARY KEY, name text, salt text, digest text);
CREATE TABLE seen (owner int, shown text);
"""


def digest(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**10, r=8, p=1).hex()


async def ask(statement: str, *values: Any) -> Any:
    async with await psycopg.AsyncConnection.connect(DSN) as connection:
        cursor = await connection.execute(statement, values)
        return await cursor.fetchone()


def owner_of(token: str) -> int | None:
    """None for a token that is not ours, is not valid yet, or no longer."""
    try:
        claims = jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"]).claims
        registry = jwt.JWTClaimsRegistry(now=lambda: int(time.time()), exp={"essential": True}, iat={"essential": True})
        registry.validate(claims)
    except (JoseError, ValueError):
        return None
    return int(claims["sub"])


async def orders(request: Request) -> Response:
    """A bearer token, which is given on to the database too."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if (owner := owner_of(token)) is None:
        return PlainTextResponse("who are you?", 401)
    await ask("INSERT INTO seen VALUES (%s, %s) RETURNING owner", owner, token)
    (name,) = await ask("SELECT name FROM accounts WHERE id = %s", owner)
    return JSONResponse({"name": name, "shown": token, "first": token[:12]})


async def account(request: Request) -> Response:
    """A signed session, beside another cookie."""
    if (owner := request.session.get("owner")) is None:
        return PlainTextResponse("who are you?", 401)
    (name,) = await ask("SELECT name FROM accounts WHERE id = %s", owner)
    request.session["seen"] = request.session.get("seen", 0) + 1
    return JSONResponse({"name": name, "theme": request.cookies["theme"]})


async def login(request: Request) -> Response:
    """A password, by its hash."""
    form = await request.form()
    found = await ask("SELECT id, salt, digest FROM accounts WHERE name = %s", form["name"])
    if not hmac.compare_digest(digest(str(form["password"]), found[1]), found[2]):
        return PlainTextResponse("wrong", 403)
    request.session["owner"] = found[0]
    return JSONResponse({"owner": found[0]})


async def partners(request: Request) -> Response:
    """A key that is known, in JSON and in the query."""
    body = await request.json()
    if not all(hmac.compare_digest(key, API_KEY) for key in (body["api_key"], request.query_params["api_key"])):
        return JSONResponse({"detail": "no such partner", "api_key": body["api_key"]}, 403)
    await ask("INSERT INTO seen VALUES (%s, %s) RETURNING owner", 0, body["api_key"])
    return JSONResponse({"partner": os.environ.get("PARTNER_NAME", body["partner"])})


async def talk(websocket: WebSocket) -> None:
    """A key in the first message."""
    await websocket.accept()
    if (await websocket.receive_json())["token"] != API_KEY:
        await websocket.close(4401)
        return
    (name,) = await ask("SELECT name FROM accounts WHERE id = %s", 7)
    await websocket.send_json({"name": name})
    await websocket.close()


app = Starlette(
    routes=[
        Route("/orders", orders),
        Route("/account", account),
        Route("/login", login, methods=["POST"]),
        Route("/partners", partners, methods=["POST"]),
        WebSocketRoute("/talk", talk),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=SECRET, max_age=HOUR_S)],
)

# ---- what a client shows, and what a replay shows in its place -------------------------------------------------------


def token() -> str:
    now = int(time.time())
    return jwt.encode({"alg": "HS256"}, {"sub": "7", "iat": now, "exp": now + HOUR_S}, OctKey.import_key(SECRET))


def anothers() -> str:
    """Whose signature is right, and whose owner is somebody else."""
    now = int(time.time())
    return jwt.encode({"alg": "HS256"}, {"sub": "8", "iat": now, "exp": now + HOUR_S}, OctKey.import_key(SECRET))


def session() -> str:
    signer = itsdangerous.TimestampSigner(SECRET)
    return signer.sign(b64encode(b'{"owner": 7}')).decode()


def nothing() -> None:
    return None
