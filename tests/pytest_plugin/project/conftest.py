"""Says at the end what the process looks like: as it was, or not."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable

import psycopg.connection
import pytest
from opentelemetry import trace

WATCHED: dict[str, Callable[[], object]] = {
    "psycopg": lambda: vars(psycopg.connection)["conninfo_attempts"],
    "wait": lambda: psycopg.Connection.wait,
    "connect": lambda: socket.socket.connect,
    "resolve": lambda: socket.getnameinfo,
    "uuid": lambda: (uuid.uuid4, uuid.uuid4.__code__),
    "sleep": lambda: time.sleep,
    "chance": lambda: (random.random, random.Random.seed, os.urandom, uuid.uuid1),
    "thread": lambda: threading.Thread.run,
    "provider": lambda: trace._TRACER_PROVIDER,
    "set provider": lambda: trace.set_tracer_provider,
    "span": lambda: trace.get_current_span().get_span_context().trace_id,
    "environment": lambda: dict(os.environ, PYTEST_CURRENT_TEST=""),
    "clock": lambda: abs(time.time() - os.stat("/proc/self").st_ctime) < 600,
}
BEFORE = {name: look() for name, look in WATCHED.items()}


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        other = [name for name, look in WATCHED.items() if look() != BEFORE[name]]
        print("\nchanged:", other)
