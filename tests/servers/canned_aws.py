"""An HTTP server that plays services moto does not: throttling, objects without end, connections that break, SSO.

What it does is told by the path or the table's name; it keeps what it was sent, and counts what it has sent.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MIB = 1024 * 1024
LARGE_BYTES = 50 * MIB
BLOCK = bytes(64 * 1024)
ITEM = json.dumps({"Item": {"id": {"S": "1"}, "n": {"N": "1.50"}}}).encode()
THROTTLED = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}'
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it came."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class CannedAws:
    """Runs from construction to `stop`."""

    def __init__(self) -> None:
        self.requests: list[Sent] = []
        self.counts: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        """Of bodies, by path."""
        self.is_silent = threading.Event()
        """Somebody waits in vain."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """Environment of an application that uses this server in place of AWS."""
        keys = {"AWS_ACCESS_KEY_ID": "AKIAKT4NARYKT4NARY02", "AWS_SECRET_ACCESS_KEY": "kT4nary-canned-secret-key"}
        return {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "eu-west-1", **keys}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(canned: CannedAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._hear()
            path = self.path.partition("?")[0]
            if path.startswith("/large/"):
                self._send_large(path)
            elif path == "/broken/object":
                self._break_off()
            elif path == "/federation/credentials":
                self._reply(200, _sso())
            else:
                self._reply(200, b'{"echo": "%s"}' % path.encode(), "application/octet-stream")

        def handle_expect_100(self) -> bool:
            """What it has no time for, it does not even want to hear."""
            if not self.path.startswith("/refuses/"):
                return super().handle_expect_100()
            self.close_connection = True
            self._reply(503, b"<Error><Code>SlowDown</Code></Error>", "application/xml")
            return False

        def do_PUT(self) -> None:
            self._hear()
            canned.counts[self.path] += 1
            if self.path.startswith("/busy/") and canned.counts[self.path] == 1:
                self._reply(503, b"<Error><Code>SlowDown</Code><Message>m</Message></Error>", "application/xml")
            else:
                self._reply(200, b"", "application/xml")

        def do_POST(self) -> None:
            body = self._hear()
            if self.path == "/token":
                self._reply(
                    200, b'{"accessToken": "kT4nary-access", "refreshToken": "kT4nary-refresh", "expiresIn": 9}'
                )
                return
            target = self.headers.get("X-Amz-Target", "")
            if target.startswith("AWSCognito"):
                tokens = {"AccessToken": "kT4nary-a", "IdToken": "kT4nary-i", "RefreshToken": "kT4nary-r"}
                self._reply(200, json.dumps({"AuthenticationResult": {**tokens, "ExpiresIn": 1}}).encode())
            else:
                self._dynamodb(str(json.loads(body or b"{}").get("TableName", "")))

        def _dynamodb(self, table: str) -> None:
            canned.counts[table] += 1
            if table == "hangs-up" and canned.counts[table] == 1:
                self.close_connection = True
            elif table == "silent":
                canned.is_silent.set()
                self.rfile.read(1)  # until the client has gone
                self.close_connection = True
            elif table == "after-silent":
                canned.is_silent.wait()
                self._reply(200, ITEM)
            elif table.startswith("always") or (table.startswith("twice") and canned.counts[table] <= 2):
                self._reply(400, THROTTLED)
            else:
                self._reply(200, ITEM)

        def _hear(self) -> bytes:
            chunked = self.headers.get("Transfer-Encoding") == "chunked"
            body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
            canned.requests.append(Sent(self.requestline, tuple(self.headers.items()), body))
            return body

        def _chunks(self) -> bytes:
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def _reply(self, status: int, body: bytes, kind: str = "application/x-amz-json-1.0") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _send_large(self, path: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(LARGE_BYTES))
            self.end_headers()
            self.close_connection = True
            try:
                for _ in range(LARGE_BYTES // len(BLOCK)):
                    self.wfile.write(BLOCK)
                    canned.sent_bytes[path] += len(BLOCK)
            except OSError:  # the client has read enough
                return

        def _break_off(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nhello\r\nff\r\nnot all")
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    return Handler


def _sso() -> bytes:
    keys = {"accessKeyId": "AKIAKT4NARYKT4NARY03", "secretAccessKey": "kT4nary-sso", "sessionToken": "kT4nary-token"}
    return json.dumps({"roleCredentials": {**keys, "expiration": 1_900_000_000_000}}).encode()
