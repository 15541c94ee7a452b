"""The request of an exchange: what was asked, in a form that recording and replay build alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.http.calls import Call, Head, Origin
from timetracer_otel.drivers.http.framing import request_of
from timetracer_otel.drivers.http.names import PORTS
from timetracer_otel.drivers.http.uploads import Upload


def request_of_call(call: Call) -> Payload:
    """Of a recorded call. Raises ValueError if what was sent is no request."""
    asked = request(call.client, call.origin, call.head, call.upload)
    unsent = asked.get("unsent")
    return {**asked, "unsent": {**unsent, "is_answered": call.has_answer}} if isinstance(unsent, dict) else asked


def request(client: str, origin: Origin, head: Head | None, upload: Upload) -> Payload:
    """`head`: None where it stands in `upload`. Raises ValueError."""
    content = upload.content()
    if head is None:
        head = Head(*request_of(upload.head))
    asked: dict[str, Value] = {"client": client, "method": head.method.decode("latin-1")}
    asked |= _place(origin, head.target)
    asked["headers"] = [[bytes(name), bytes(value)] for name, value in head.headers]
    if content is None:
        told: dict[str, Value] = {"size": upload.size, "sha256": upload.sha256}
        prefixes: dict[str, Value] = {str(size): digest for size, digest in upload.prefixes.items()}
        return {**asked, "upload" if upload.is_whole(upload.size) else "unsent": told, **_if(prefixes=prefixes)}
    if not upload.is_whole(len(content)):
        return {**asked, "unsent": unsent(content), **_if(sent=content)}
    return {**asked, "body": content}


def _if(**fields: Value) -> dict[str, Value]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value}


def unsent(content: bytes) -> dict[str, Value]:
    """What is kept of a body of which no more was sent."""
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def begun(request: Payload, size: int) -> str | None:
    """SHA-256 of the first bytes of a body, with which a recorded one broke off; None where it has fewer."""
    prefixes = request.get("prefixes")
    if isinstance(prefixes, dict):
        return str(prefixes[str(size)]) if str(size) in prefixes else None
    body = body_of(request.get("body"))
    return hashlib.sha256(body[:size]).hexdigest() if len(body) >= size else None


def _place(origin: Origin, target: bytes) -> dict[str, Value]:
    """A proxy is asked for a whole address: that is the server's."""
    if not target.startswith((b"http://", b"https://")):
        path, _, query = target.partition(b"?")
        return {"scheme": origin.scheme, "host": origin.host.lower(), "port": origin.port, "path": path, "query": query}
    url = urlsplit(target.decode("latin-1"))
    path, query = (url.path or "/").encode("latin-1"), url.query.encode("latin-1")
    port = url.port or PORTS.get(url.scheme, 0)
    return {"scheme": url.scheme, "host": url.hostname or "", "port": port, "path": path, "query": query}


def connect_request(client: str, origin: Origin) -> Payload:
    """Of a connection that was not made."""
    return {"client": client, "scheme": origin.scheme, "host": origin.host.lower(), "port": origin.port}


def origin_text(request: Payload) -> str:
    """`https://api.stripe.com:443`."""
    return f"{request.get('scheme')}://{_bracketed(request)}:{request.get('port')}"


def host_text(request: Payload) -> str:
    """`api.stripe.com`, with a port that is not the scheme's own."""
    port = request.get("port")
    is_own = port == PORTS.get(str(request.get("scheme")))
    return _bracketed(request) if is_own else f"{_bracketed(request)}:{port}"


def _bracketed(request: Payload) -> str:
    host = str(request.get("host", ""))
    return f"[{host}]" if ":" in host else host


def path_text(request: Mapping[str, Any]) -> str:
    """Any: a payload of anybody's making."""
    path = request.get("path", b"")
    return path.decode("latin-1") if isinstance(path, bytes) else str(path)


def pairs(headers: Value) -> list[tuple[bytes, bytes]]:
    """Header pairs of a payload, of anybody's making."""
    found = headers if isinstance(headers, (list, tuple)) else ()
    named = [each for each in found if isinstance(each, (list, tuple)) and len(each) == 2]
    return [
        (name, value) if isinstance(name, bytes) and isinstance(value, bytes) else (_octets(name), _octets(value))
        for name, value in named
    ]


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def header(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    """The first under the name, in lower case; empty if there is none."""
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")


def codings(headers: list[tuple[bytes, bytes]]) -> str:
    """All content codings of a message, as one line would name them."""
    return ",".join(value.decode("latin-1") for name, value in headers if name.lower() == b"content-encoding")


def body_of(value: Value) -> bytes:
    """A body in one piece: text or bytes, whole or in parts."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (list, tuple)):
        return b"".join(map(_octets, value))
    return b"" if value is None else _octets(value)
