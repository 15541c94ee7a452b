"""What `HttpServer` serves: `python -m tests.servers.http_app` PLAIN, TLS, ODD, PROXY, SOCKS port, CERTIFICATE, KEY."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import hypercorn.asyncio
import hypercorn.config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.servers.socks import pump, socks

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]
SLOW_S = 3
numbers = itertools.count(1)
tries: Counter[str] = Counter()


async def echo(request: Request) -> Response:
    body, headers = await request.body(), request.headers
    is_random = "boundary" in headers.get("content-type", "")
    told: dict[str, Any] = {
        "n": next(numbers),
        "method": request.method,
        "query": sorted(request.query_params),
        "sha256": "" if is_random else hashlib.sha256(body).hexdigest(),
        "length": len(body),
        "cookies": sorted(request.cookies),
        "is_known": "authorization" in headers,
    }
    return JSONResponse(told, headers={"Set-Cookie": f"sid={told['n']}"})


async def binary(_: Request) -> Response:
    return Response(bytes(range(256)) * 160, media_type="application/octet-stream")


async def zipped(_: Request) -> Response:
    content = gzip.compress(b"compressed " * 100, mtime=0)
    return Response(content, headers={"Content-Encoding": "gzip"}, media_type="text/plain")


async def stream(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(5):
            yield f"part {number} {next(numbers)}\n".encode()
            await asyncio.sleep(0.02)

    return StreamingResponse(parts(), media_type="text/plain")


async def flaky(request: Request) -> Response:
    key = request.query_params["k"]
    tries[key] += 1
    status = 503 if tries[key] % 3 else 200
    return JSONResponse({"try": tries[key], "n": next(numbers)}, status, {"Retry-After": "0"})


async def digest(request: Request) -> Response:
    if "authorization" not in request.headers:
        asked = f'Digest realm="r", nonce="{next(numbers)}", qop="auth", algorithm=MD5'
        return Response("", 401, {"WWW-Authenticate": asked})
    return JSONResponse({"in": True, "n": next(numbers)})


async def slow(_: Request) -> Response:
    await asyncio.sleep(SLOW_S)
    return Response("late")


async def empty(request: Request) -> Response:
    return Response(status_code=int(request.query_params["status"]))


async def login(request: Request) -> Response:
    """Answers with secrets, in a header and in the body."""
    await request.body()
    told = {"id": next(numbers), "access_token": "kT4nary-issued", "user": {"Token": "kT4nary-nested", "name": "ann"}}
    return JSONResponse(told, headers={"Set-Cookie": "session=kT4nary-session; Path=/", "X-Api-Key": "kT4nary-header"})


async def mirror(request: Request) -> Response:
    return Response(await request.body(), media_type=request.headers["content-type"])


async def whoami(request: Request) -> Response:
    return JSONResponse({"n": next(numbers), "length": len(request.headers.get("authorization", ""))})


async def via(request: Request) -> Response:
    """Whether it came over a proxy."""
    return JSONResponse({"n": next(numbers), "via": request.headers.get("via"), "by": request.query_params["by"]})


async def redirect(request: Request) -> Response:
    return RedirectResponse("/r2", 302)


async def redirect_again(request: Request) -> Response:
    return RedirectResponse("/echo?from=r2", 307, {"Set-Cookie": "hop=2"})


# ---- as stripe and openai answer -------------------------------------------------------------------------------------


async def charge(request: Request) -> Response:
    form = await request.form()
    number = next(numbers)
    told = {"id": f"ch_{number}", "object": "charge", "amount": int(str(form["amount"]))}
    if request.query_params.get("busy") or form.get("description") == "busy":
        tries["charge"] += 1
        if tries["charge"] % 2:
            return JSONResponse(
                {"error": {"message": "busy", "type": "api_error"}}, 503, {"Stripe-Should-Retry": "true"}
            )
    return JSONResponse(told, headers={"Request-Id": f"req_{number}"})


async def chat(request: Request) -> Response:
    body = json.loads(await request.body())
    number = next(numbers)
    if body.get("user") == "limited":
        tries["chat"] += 1
        if tries["chat"] % 2:
            return JSONResponse({"error": {"message": "slow down"}}, 429, {"Retry-After": "0"})
    if body.get("stream"):
        return StreamingResponse(_events(number), media_type="text/event-stream")
    message = {"role": "assistant", "content": f"hi {number}"}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return JSONResponse(
        {"id": f"c{number}", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
    )


async def _events(number: int) -> AsyncIterator[bytes]:
    for word in ("Hel", "lo"):
        choices = [{"index": 0, "delta": {"content": word}}]
        told = {"id": f"c{number}", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        yield f"data: {json.dumps(told)}\n\n".encode()
    yield b"data: [DONE]\n\n"


ROUTES = {
    "/echo": echo,
    "/binary": binary,
    "/zipped": zipped,
    "/stream": stream,
    "/flaky": flaky,
    "/digest": digest,
    "/slow": slow,
    "/empty": empty,
    "/login": login,
    "/mirror": mirror,
    "/whoami": whoami,
    "/via": via,
    "/r1": redirect,
    "/r2": redirect_again,
    "/v1/charges": charge,
    "/v1/chat/completions": chat,
}
app = Starlette(routes=[Route(path, answer, methods=METHODS) for path, answer in ROUTES.items()])


# ---- a server that misbehaves ----------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
TWO = b"HTTP/1.1 200 Very  Fine\r\nX-CaSe: One\r\nSet-Cookie: a=1; Path=/\r\nX-Case: two\r\nVary: a\r\nVary: b\r\n"
EXPIRES = b"Set-Cookie: c=3; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\n"
ODD = {
    "/dup": TWO + EXPIRES + b"Set-Cookie: b=\xe9\r\nContent-Length: 2\r\n\r\nok",
    "/trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n4;ext=1\r\nwiki\r\n5\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n",
    "/interim": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "/eof": b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    "/garbage": b"\x00\x01 not http\r\n\r\n",
    "/secret": OK + b"Set-Cookie:  s=kT4nary-odd\r\nX-Auth-Token:kT4nary-odd2\r\n\r\npassword=kT4nary-odd3",
    "/nothing": b"",
    "/half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
}


async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
    path = line.split(b"?")[0].decode()
    writer.write(ODD[path])
    await writer.drain()
    if path == "/half":
        await asyncio.sleep(SLOW_S)
    writer.close()


# ---- a proxy ---------------------------------------------------------------------------------------------------------


async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tunnels, and requests for whole addresses, which it says it has handed on; one for each connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, _ = head.split(b" ", 2)
    is_tunnel = method == b"CONNECT"
    place = target if is_tunnel else target.split(b"/", 3)[2]
    host, _, port = place.decode().partition(":")
    if host.endswith(".invalid"):
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        return
    there, back = await asyncio.open_connection(host, int(port))
    if is_tunnel:
        writer.write(b"HTTP/1.1 200 Tunnel\r\n\r\n")
    else:
        path = b"/" + target.split(b"/", 3)[3]
        back.write(head.replace(target, path, 1).replace(b"\r\n", b"\r\nVia: 1.1 proxy\r\nConnection: close\r\n", 1))
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def main(plain: int, tls: int, odd_port: int, via: int, socks_port: int, certificate: str, key: str) -> None:
    config = hypercorn.config.Config()
    config.insecure_bind, config.bind = [f"127.0.0.1:{plain}"], [f"localhost:{tls}"]
    config.certfile, config.keyfile, config.alpn_protocols = certificate, key, ["h2", "http/1.1"]
    await asyncio.start_server(odd, "127.0.0.1", odd_port)
    await asyncio.start_server(proxy, "127.0.0.1", via)
    await asyncio.start_server(socks, "127.0.0.1", socks_port)
    await hypercorn.asyncio.serve(app, config, mode="asgi")  # type: ignore[arg-type]  # Starlette's types are wider


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:6]), *sys.argv[6:8]))  # type: ignore[arg-type]  # five numbers and two paths
