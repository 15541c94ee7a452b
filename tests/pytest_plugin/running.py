"""A project with tests of its own, run by pytest in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "project"
INI = """[pytest]
asyncio_default_fixture_loop_scope = function
asyncio_mode = auto
addopts = -p no:cacheprovider -p no:hypothesispytest -rA --tb=short
filterwarnings =
    error
    ignore:Using .httpx. with
"""
LIMIT_S = 280
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


@dataclass(frozen=True)
class Run:
    code: int
    output: str

    @property
    def counts(self) -> dict[str, int]:
        """`{"passed": 3}`, of the last line."""
        last = next(line for line in reversed(self.output.splitlines()) if COUNT.search(line))
        return {name.rstrip("s"): int(number) for number, name in COUNT.findall(last)}

    def of(self, test: str) -> str:
        """The lines that say PASSED, FAILED or ERROR of a test."""
        return "\n".join(re.findall(rf"^(?:PASSED|FAILED|ERROR|SKIPPED) .*{re.escape(test)}.*$", self.output, re.M))


class Project:
    def __init__(self, folder: Path, variables: Mapping[str, str], *names: str) -> None:
        """`names` of the modules of checks, which become tests here."""
        self.folder, self.variables = folder, dict(variables)
        (folder / "pytest.ini").write_text(INI)
        for helper in ("conftest.py", "shop.py"):
            shutil.copy(SOURCE / helper, folder)
        for name in names:
            shutil.copy(SOURCE / f"check_{name}.py", folder / f"test_{name}.py")

    def run(self, *options: str, **variables: str) -> Run:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TIMETRACER", "CI"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=self.folder,
            env={**kept, **self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    @property
    def cassettes(self) -> list[Path]:
        return sorted(self.folder.rglob("*.cassette.json"))
