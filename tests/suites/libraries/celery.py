"""Celery's own units. A real worker needs another session (`celery_worker`): none starts after the units."""

from __future__ import annotations

from typing import Final

from tests.suites.suite import Suite

REQUIREMENTS: Final = ("fakeredis[lua]", "pytest-click", "pytest-freezer", "pytest-order", "tblib")
OPTIONS: Final = ("-o", "python_classes=test_*", "-p", "celery.contrib.pytest")
HIDES_THE_PROCESS = (
    "puts a mock in place of os.getpid: OpenTelemetry's BatchSpanProcessor, of any exporter, takes that for a fork and "
    "starts its thread once more, of which all tests after it complain"
)
NEEDS_MORE = "does not load without the libraries of a cloud that we do not listen to"

SUITE = Suite(
    distribution="celery",
    tests="t",
    files=("t/unit",),
    requirements=REQUIREMENTS,
    ignored={
        "t/unit/backends/test_azureblockblob.py": NEEDS_MORE,
        "t/unit/backends/test_gcs.py": NEEDS_MORE,
        "t/unit/utils/test_debug.py::test_ps": HIDES_THE_PROCESS,
    },
    options=OPTIONS,
    timeout_s=3600,
)
