# mypy: disable-error-code="untyped-decorator"
# Celery has no types.
"""Tasks with their worker, and spans of the program's own."""

from __future__ import annotations

import base64
import contextlib
import os
import traceback
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from celery import Celery, chain
from celery.contrib.testing.worker import start_worker
from opentelemetry import trace

from tests.promises.canaries.secrets import HASH, QUERIES, document, secret, text, told

app = Celery("shop", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.update(result_extended=True)


@app.task(name="login")
def login(name: str, password: str, **more: Any) -> Any:
    trace.get_current_span().set_attribute("seen", f"token={password}")
    if name == "fail":
        raise ValueError(f"wrong password={password} for {more}")
    return {"name": name, "token": password, **more}


def _tasks() -> None:
    with start_worker(app, pool="solo", perform_ping_check=False), told("celery"):
        asked = [
            login.apply_async(("ann", secret("positional")), {"api_key": secret("keyword"), "doc": document("task")}),
            login.apply_async(("fail", secret("failing")), {"token": secret("failingkeyword")}),
            login.apply_async(("bob",), {"password": secret("kwargs")}, headers={"x-api-key": secret("taskheader")}),
            chain(login.si("a", secret("chained")), login.si("b", password=secret("chainedtoo"))).apply_async(),
        ]
        for each in asked:
            with contextlib.suppress(ValueError):
                each.get(timeout=120)


def _spans() -> None:
    with told(f"span password={secret('name')}"):
        span = trace.get_current_span()
        span.set_attributes({"user.password": secret("attribute"), "url.full": f"https://x/?{QUERIES[0]}", "sig": HASH})
        span.set_attributes({"args": ("--token", secret("option")), "doc": text("span")})
        event = {"authorization": f"Bearer {secret('event')}", "text": quote(f"a?token={secret('eventtext')}")}
        span.add_event("seen", event)
        dsn = f"postgresql://app:{secret('cause')}@db/shop?sslpassword={secret('sslpassword')}"
        try:
            raise ConnectionError(f"no route to {dsn}")
        except ConnectionError as error:
            basic = base64.b64encode(f"ann:{secret('traceback')}".encode()).decode()
            lines = "".join(traceback.format_exception(error))
            raise RuntimeError(f"Authorization: Basic {basic}\n{lines}") from error


PROGRAMS: Final[tuple[Callable[[], None], ...]] = (_tasks, _spans)
