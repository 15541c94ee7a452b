"""Credentials among the subprotocols that a client offers: a browser can send them nowhere else.

Source: `["bearer", token]` of many servers; `base64url.bearer.authorization.k8s.io.TOKEN` of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.redaction import Redactor

HEADER: Final = b"sec-websocket-protocol"
RULE: Final = "authorization"
SCHEMES: Final = frozenset(("bearer", "basic", "jwt", "auth"))
KUBERNETES: Final = "base64url.bearer.authorization.k8s.io."

Paths: TypeAlias = "tuple[str, ...]"


def redact_offers(request: Payload, result: Payload, redactor: Redactor) -> tuple[Payload, Payload, Paths]:
    """Both with credentials among the subprotocols masked, also where the app has chosen one of them."""
    offered = request.get("subprotocols")
    if not isinstance(offered, (list, tuple)) or not offered:
        return request, result, ()
    masked = _masked([str(each) for each in offered], redactor)
    if not masked:
        return request, result, ()
    found: list[Value] = [masked.get(str(each), each) for each in offered]
    headers = [_header(pair, masked) for pair in cast("Sequence[Sequence[bytes]]", request["headers"])]
    chosen = result.get("subprotocol")
    if isinstance(chosen, str) and chosen in masked:
        result = {**result, "subprotocol": masked[chosen]}
    request = {**request, "subprotocols": found, "headers": cast("list[Value]", headers)}
    return request, result, ("request.subprotocols",)


def _masked(offered: Sequence[str], redactor: Redactor) -> dict[str, str]:
    """Those that are credentials, by the name before them or by their form, with what stands for them."""
    found = {}
    for before, name in zip(["", *offered], offered, strict=False):
        rule = RULE if before.lower() in SCHEMES else redactor.rule_of(before)
        if rule is not None:
            found[name] = redactor.marker(rule, name)
        elif name.startswith(KUBERNETES):
            found[name] = KUBERNETES + redactor.marker(RULE, name.removeprefix(KUBERNETES))
        elif (text := redactor.text(name)) != name:
            found[name] = text
    return found


def _header(pair: Sequence[bytes], masked: Mapping[str, str]) -> list[bytes]:
    name, value = pair
    if name.lower() != HEADER:
        return [name, value]
    return [name, b",".join(_part(part, masked) for part in value.split(b","))]


def _part(part: bytes, masked: Mapping[str, str]) -> bytes:
    name = part.strip()
    marker = masked.get(name.decode("latin-1"))
    return part if marker is None or not name else part.replace(name, marker.encode())
