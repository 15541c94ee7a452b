"""Starlette's own tests: they call applications in process, on asyncio and on trio."""

from __future__ import annotations

from tests.suites.suite import Suite

SUITE = Suite(
    distribution="starlette",
    tests="tests",
    requirements=("httpx", "httpx2", "itsdangerous", "jinja2", "pyyaml", "sniffio", "trio"),
    ignored={
        "tests/middleware/test_opentelemetry.py": "counts spans, and finds more under any instrumentor",
    },
    timeout_s=3600,
)
