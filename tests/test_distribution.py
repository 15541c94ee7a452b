"""What is published: the wheel and the source archive hold what they must, and work where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import timetracer_otel
from tests.demonstration import ROOT

TIMEOUT_S = 240
NEEDED_TO_TEST = ("tests/conftest.py", "scripts/test", "docs/cli.md", "examples/demo.py", "benchmarks/harness.py")
PROGRAM = """
import timetracer_otel
from opentelemetry import trace
timetracer_otel.install(store="store")
with trace.get_tracer("shop").start_as_current_span("checkout"):
    pass
trace.get_tracer_provider().shutdown()
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, timeout=TIMEOUT_S)
    return folder


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_the_wheel_holds_every_module_the_licence_and_the_type_marker_and_no_test(built: Path) -> None:
    names = set(zipfile.ZipFile(only(built, "*.whl")).namelist())
    package = ROOT / "src"
    modules = {str(path.relative_to(package)) for path in package.rglob("*.py")}
    assert modules <= names
    assert {name.partition("/")[0] for name in names - modules} == {
        "timetracer_otel",
        f"timetracer_otel-{timetracer_otel.__version__}.dist-info",
    }
    assert "timetracer_otel/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_holds_what_its_tests_need(built: Path) -> None:
    with tarfile.open(only(built, "*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(NEEDED_TO_TEST) <= names


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_in_an_empty_environment_it_records_and_shows(
    built: Path, tmp_path: Path, pattern: str, pytestconfig: pytest.Config
) -> None:
    if pattern == "*.tar.gz" and not pytestconfig.getoption("--long"):
        pytest.skip("with --long only")
    venv.create(tmp_path / "venv")
    binaries = tmp_path / "venv" / "bin"

    def run(*command: str | Path) -> str:
        return subprocess.run(
            command, cwd=tmp_path, check=True, timeout=TIMEOUT_S, stdout=subprocess.PIPE, text=True
        ).stdout

    pip = (sys.executable, "-m", "pip", "--python", binaries / "python")  # one of its own takes seconds to install
    run(*pip, "install", "-q", "--no-compile", f"{only(built, pattern)}[cli]")
    assert run(binaries / "timetracer-otel", "--version").split() == ["timetracer-otel", timetracer_otel.__version__]
    run(binaries / "python", "-c", PROGRAM)
    assert "checkout" in run(binaries / "timetracer-otel", "list", "--store", "store")
