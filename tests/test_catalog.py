"""The catalog does what it says: recorded on a MongoDB server, each of its requests replays the same without it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import started
from tests.demonstration import Demonstration, environment, example
from tests.servers.jaeger import JaegerServer
from tests.servers.mongo import MongoServer
from tests.there_and_back import assert_come_back

MODULES = ("web", "web_async")
REQUESTS = 6
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Demonstration]:
    """Each starts its own server, and a process for each request; both run at once. It skips where no server can."""
    started(MongoServer).stop()
    folder = tmp_path_factory.mktemp("example")
    running = {module: start(module, folder) for module in MODULES}
    return {module: ended(process, folder / module) for module, process in running.items()}


@pytest.mark.parametrize("module", MODULES)
def test_the_catalog_and_its_async_twin_fail_in_replay_as_they_did(
    module: str, catalogs: Mapping[str, Demonstration]
) -> None:
    assert catalogs[module].status == 0, catalogs[module].output
    assert "TypeError: 'NoneType' object is not subscriptable" in catalogs[module].output
    assert catalogs[module].output.count("\nsame  ") == REQUESTS


@pytest.mark.parametrize("module", MODULES)
def test_the_catalog_comes_back_from_jaeger_and_replays_the_same(
    module: str, catalogs: Mapping[str, Demonstration], jaeger: JaegerServer, tmp_path: Path
) -> None:
    assert_come_back(jaeger, catalogs[module], tmp_path, "pymongo", "starlette")


def start(module: str, folder: Path) -> subprocess.Popen[str]:
    command = example("catalog.py", folder / module, "pymongo", name=module)
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str], folder: Path) -> Demonstration:
    said, _ = process.communicate(timeout=TIMEOUT_S)
    return Demonstration(folder, said, process.returncode)
