"""`uvicorn notes.web:app`"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import BackgroundTasks, FastAPI, Form, WebSocket
from fastapi.responses import StreamingResponse

from notes.db import make_pool


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with make_pool() as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


async def ask(statement: str, *values: Any) -> list[Any]:
    return list(await app.state.pool.fetch(statement, *values))


@app.get("/notes/{number}")
async def show_note(number: int) -> dict[str, str]:
    (note,) = await ask("SELECT text, author FROM notes WHERE id = $1", number)
    return {"text": note["text"], "by": note["author"].title()}


@app.post("/notes", status_code=201)
async def add_note(
    room: Annotated[str, Form()], text: Annotated[str, Form()], after: BackgroundTasks
) -> dict[str, int]:
    (note,) = await ask("INSERT INTO notes (room, text, author) VALUES ($1, $2, 'you') RETURNING id", room, text)
    after.add_task(ask, "UPDATE notes SET text = trim(text) WHERE id = $1", note["id"])
    return {"id": note["id"]}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        for note in await ask("SELECT id, text FROM notes ORDER BY id"):
            yield f"id: {note['id']}\ndata: {note['text']}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.websocket("/talk")
async def talk(socket: WebSocket) -> None:
    """Answers the name of a room with its notes."""
    await socket.accept()
    async for room in socket.iter_text():
        notes = await ask("SELECT text, author FROM notes WHERE room = $1 ORDER BY id", room)
        await socket.send_json([f"{note['text']} ({note['author'].title()})" for note in notes])
    await ask("INSERT INTO notes (room, text, author) VALUES ('log', 'somebody left', 'us')")
