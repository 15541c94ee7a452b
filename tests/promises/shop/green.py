"""The WSGI application under gevent's own server: `python -m shop.green PORT`. `/greenlets/…` says how many are busy.

The launcher has patched this process: OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from .wsgi import app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

AT_WORK: Final = Pool(1000)


def counted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    kind, number = environ["PATH_INFO"].split("/")[1:]
    if kind != "greenlets":
        environ["RAW_URI"] = environ["PATH_INFO"]  # as gunicorn says it: by this the instrumentor names the path
        return app(environ, start_response)  # type: ignore[no-any-return]  # the middleware has no types
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps({"id": int(number), "process": len(AT_WORK) - 1}).encode()]


if __name__ == "__main__":
    server = WSGIServer(("127.0.0.1", int(sys.argv[1])), counted, spawn=AT_WORK, log=None)
    gevent.signal_handler(signal.SIGTERM, server.stop)
    server.serve_forever()
