"""`uvicorn notes.web:app`"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from notes.db import make_pool


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    async with make_pool() as pool:
        yield {"pool": pool}


async def ask(on: HTTPConnection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    async with on.state.pool.connection() as connection:
        cursor = await connection.execute(statement, values)
        return list(await cursor.fetchall()) if cursor.description else []


async def show_note(request: Request) -> Response:
    ((text, author),) = await ask(request, "SELECT text, author FROM notes WHERE id = %s", request.path_params["id"])
    return JSONResponse({"text": text, "by": author.title()})


async def add_note(request: Request) -> Response:
    async with request.form() as form:
        room, text = str(form["room"]), str(form["text"])
    ((number,),) = await ask(
        request, "INSERT INTO notes (room, text, author) VALUES (%s, %s, 'you') RETURNING id", room, text
    )
    tidy_up = BackgroundTask(ask, request, "UPDATE notes SET text = trim(text) WHERE id = %s", number)
    return JSONResponse({"id": number}, 201, background=tidy_up)


async def stream(request: Request) -> Response:
    async def events() -> AsyncIterator[str]:
        for number, text in await ask(request, "SELECT id, text FROM notes ORDER BY id"):
            yield f"id: {number}\ndata: {text}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def talk(socket: WebSocket) -> None:
    """Answers the name of a room with its notes."""
    await socket.accept()
    async for room in socket.iter_text():
        notes = await ask(socket, "SELECT text, author FROM notes WHERE room = %s ORDER BY id", room)
        await socket.send_json([f"{text} ({author.title()})" for text, author in notes])
    await ask(socket, "INSERT INTO notes (room, text, author) VALUES ('log', 'somebody left', 'us')")


routes = [
    Route("/notes/{id:int}", show_note),
    Route("/notes", add_note, methods=["POST"]),
    Route("/stream", stream),
    WebSocketRoute("/talk", talk),
]
app = Starlette(routes=routes, lifespan=lifespan)
