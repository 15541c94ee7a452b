"""Source distributions: the tests of a library are not in what is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import distributions, version
from pathlib import Path

from tests.suites.suite import Suite

TIMEOUT_S = 300


def unpack(suite: Suite, folder: Path) -> Path:
    """The folder with the tests of the installed version, and nothing of the library's code beside it."""
    wanted = f"{suite.distribution}=={version(suite.distribution)}"
    _pip("download", "--no-deps", "--no-binary", suite.distribution, "--dest", str(folder), wanted)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    shutil.move(source / suite.tests, folder / "run" / suite.tests)
    return folder / "run"


def install(requirements: tuple[str, ...], folder: Path) -> Path:
    """A folder of the packages that only the tests need, and of what these need in the versions that are installed."""
    folder.mkdir()
    if requirements:
        constraints = folder / "constraints.txt"
        constraints.write_text("".join(f"{name}=={found}\n" for name, found in _installed()))
        _pip("install", "--target", str(folder), "--constraint", str(constraints), *requirements)
    return folder


def _installed() -> list[tuple[str, str]]:
    """From the index, so without what is installed from a folder, as we are."""
    found = ((each.metadata["Name"], each) for each in distributions())
    return sorted({(name, each.version) for name, each in found if not each.read_text("direct_url.json")})


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", arguments[0], "--quiet", "--disable-pip-version-check", *arguments[1:]]
    subprocess.run(command, check=True, timeout=TIMEOUT_S)
