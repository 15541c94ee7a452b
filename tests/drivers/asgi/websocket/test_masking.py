"""Secrets in what opens and what ends a WebSocket: its messages are masked as bodies are."""

from __future__ import annotations

from typing import Any

import pytest

from timetracer_otel.drivers.asgi.masking import redact
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

SECRET = "kT4nary-secret"
KUBERNETES = "base64url.bearer.authorization.k8s.io."


def masked(result: dict[str, Any], *offered: str) -> Encoded:
    headers = [[b"host", b"h"], [b"Sec-WebSocket-Protocol", ", ".join(offered).encode()]]
    request: dict[str, Any] = {
        "type": "websocket",
        "path": "/ws",
        "query_string": b"",
        "headers": headers,
        "subprotocols": [*offered],
    }
    return redact(Encoded("http.server", "asgi", "WEBSOCKET", "/ws", request, result), Redactor(b"key"))[0]


@pytest.mark.parametrize(
    "offered", [("bearer", SECRET), ("chat", "access_token", SECRET), ("chat", KUBERNETES + SECRET)]
)
def test_r46_a_credential_among_the_subprotocols_is_masked_wherever_it_stands(offered: tuple[str, ...]) -> None:
    found = masked({"headers": [], "subprotocol": offered[-1]}, *offered)
    assert SECRET not in repr(found)
    names: Any = found.request["subprotocols"]
    assert names[:-1] == list(offered[:-1])
    headers: Any = found.request["headers"]
    assert headers[1] == [b"Sec-WebSocket-Protocol", ", ".join(names).encode()]
    assert found.result["subprotocol"] == names[-1]


def test_r47_subprotocols_without_a_credential_stay() -> None:
    result: dict[str, Any] = {"headers": [], "subprotocol": "chat", "close": {"code": 1000, "reason": "bye"}}
    found = masked(result, "chat", "graphql-transport-ws")
    assert (found.result, found.request["subprotocols"]) == (result, ["chat", "graphql-transport-ws"])


def test_r46_a_secret_in_the_reason_to_close_is_masked() -> None:
    ends = {"close": {"code": 4401, "reason": f"bad token={SECRET}"}}
    ends["departure"] = {"after": 1, "code": 1000, "reason": f"password={SECRET}"}
    found = masked({"headers": [], **ends})
    assert SECRET not in repr(found)
    assert found.result["close"]["code"] == 4401  # type: ignore[index,call-overload]
