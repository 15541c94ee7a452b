"""A chat on a bare Starlette. `uvicorn tests.promises.talk_app:app`; CHANGED stands for a change to its code."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

CHANGED = int(os.environ.get("CHANGED", "-1"))
"""The number of the message that is answered otherwise than when it was recorded."""


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    number = 0
    async for message in socket.iter_text():
        if message == "end":
            await socket.close(4000)
            return
        answer = {
            "number": number,
            "said": message.upper() if number == CHANGED else message,
            "note": "other" if number == CHANGED else "as ever",
        }
        await socket.send_json(answer)
        number += 1


app = Starlette(routes=[WebSocketRoute("/talk/{name}", talk)])
