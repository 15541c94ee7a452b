"""The request of an exchange: what was asked, in a form that recording and replay build alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.http.calls import Call, Head, Origin
from timetracer_otel.drivers.http.framing import request_of
from timetracer_otel.drivers.http.names import PORTS
from timetracer_otel.drivers.http.uploads import Upload

_CODINGS: Final = b"content-encoding"
_CODINGS_LENGTH: Final = len(_CODINGS)


def request_of_call(call: Call) -> Payload:
    """Of a recorded call. Raises ValueError if what was sent is no request."""
    asked = request(call.client, call.origin, call.head, call.upload)
    if "unsent" not in asked:
        return asked
    unsent = asked["unsent"]
    return {**asked, "unsent": {**unsent, "is_answered": call.has_answer}} if isinstance(unsent, dict) else asked


def request(client: str, origin: Origin, head: Head | None, upload: Upload) -> Payload:
    """`head`: None where it stands in `upload`. Raises ValueError."""
    content = upload.content()
    if head is None:
        head = Head(*request_of(upload.head))
    asked: dict[str, Value] = {
        "client": client,
        "method": head.method.decode("latin-1"),
        **_place(origin, head.target),
        "headers": [[name, value] for name, value in head.headers],
    }
    if content is None:
        told: dict[str, Value] = {"size": upload.size, "sha256": upload.sha256}
        prefixes: dict[str, Value] = {str(size): digest for size, digest in upload.prefixes.items()}
        return {**asked, "upload" if upload.is_whole(upload.size) else "unsent": told, **_if(prefixes=prefixes)}
    if not upload.is_whole(len(content)):
        return {**asked, "unsent": unsent(content), **_if(sent=content)}
    asked["body"] = content
    return asked


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
    if target[:1] == b"/" or not target.startswith((b"http://", b"https://")):
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
    return _texts(str(request.get("scheme")), str(request.get("host", "")), str(request.get("port")))[0]


def host_text(request: Payload) -> str:
    """`api.stripe.com`, with a port that is not the scheme's own."""
    return _texts(str(request.get("scheme")), str(request.get("host", "")), str(request.get("port")))[1]


@lru_cache(maxsize=1000)
def _texts(scheme: str, host: str, port: str) -> tuple[str, str]:
    bracketed = f"[{host}]" if ":" in host else host
    is_own = port == str(PORTS.get(scheme))
    return f"{scheme}://{bracketed}:{port}", bracketed if is_own else f"{bracketed}:{port}"


def path_text(request: Mapping[str, Any]) -> str:
    """Any: a payload of anybody's making."""
    path = request.get("path", b"")
    return path.decode("latin-1") if isinstance(path, bytes) else str(path)


def pairs(headers: Value) -> list[tuple[bytes, bytes]]:
    """Header pairs of a payload, of anybody's making."""
    found = headers if isinstance(headers, (list, tuple)) else ()
    try:
        plain = [(name, value) for name, value in found if type(name) is bytes and type(value) is bytes]
    except (TypeError, ValueError):  # not one of ours
        plain = []
    if len(plain) == len(found):
        return plain
    named = [each for each in found if isinstance(each, (list, tuple)) and len(each) == 2]
    return [(_octets(name), _octets(value)) for name, value in named]


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def header(headers: Sequence[Sequence[bytes]], name: bytes) -> str:
    """The first under the name, in lower case; empty if there is none."""
    for key, value in headers:
        if len(key) == len(name) and key.lower() == name:
            return value.decode("latin-1")
    return ""


def codings(headers: Sequence[Sequence[bytes]]) -> str:
    """All content codings of a message, as one line would name them."""
    found = [value for name, value in headers if len(name) == _CODINGS_LENGTH and name.lower() == _CODINGS]
    return b",".join(found).decode("latin-1") if found else ""


def body_of(value: Value) -> bytes:
    """A body in one piece: text or bytes, whole or in parts."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (list, tuple)):
        return value[0] if len(value) == 1 and type(value[0]) is bytes else b"".join(map(_octets, value))
    return b"" if value is None else _octets(value)
