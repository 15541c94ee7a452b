"""A server for tests that keep it, older releases, and pymongo's spans in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

from tests.conftest import started
from tests.drivers.pymongo.harness import ROOT
from tests.servers.mongo import MongoServer


@pytest.fixture(scope="session")
def server() -> Iterator[MongoServer]:
    """One for the whole run: never stop it, use a database of your own."""
    running = started(MongoServer)
    yield running
    running.stop()


@pytest.fixture
def spans() -> Iterator[None]:
    """Clients that are made from now on have the instrumentor's listener."""
    instrumentor = PymongoInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A PYTHONPATH with that pymongo, by its version."""
    return cache(lambda version: installed(version, tmp_path_factory.mktemp("packages")))


def installed(version: str, folder: Path) -> str:
    """Skips or fails where it cannot be installed."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    command = [*pip, "--only-binary", "pymongo", "--target", str(folder)]
    done = subprocess.run([*command, f"pymongo=={version}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
            pytest.fail(done.stderr)
        pytest.skip(f"pymongo {version} cannot be installed: {done.stderr.strip()[-200:]}")
    return os.pathsep.join([str(folder), str(ROOT)])
