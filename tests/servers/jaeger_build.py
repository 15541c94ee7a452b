"""Builds the Jaeger and the Collector of the tests, once for each version of their sources.

`python3 -m tests.servers.jaeger_build` prints where they are; with `--check` it builds nothing and says so by its exit
code. A first build takes many minutes. It needs nothing but Python and some Go: one that is too old fetches another.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).with_name("jaeger")
JAEGER: Final = "github.com/jaegertracing/jaeger/cmd/jaeger"
SWITCHES_BY_ITSELF: Final = (1, 21)
"""From this release on, Go fetches the toolchain that a module names."""


class NotBuilt(Exception):
    """Jaeger and the Collector are not there; says how to get them."""


def programs() -> Path:
    """The folder that holds `jaeger` and `collector`. Raises NotBuilt."""
    folder = place()
    if not folder.is_dir():
        with_what = "" if shutil.which("go") else "there is no Go here (Debian: golang-go); "
        raise NotBuilt(f"{with_what}build them once: python3 -m tests.servers.jaeger_build")
    return folder


def place() -> Path:
    """Where they belong; outside of the checkout, so that a clean one finds them too."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "timetracer-otel-tests" / digest()


def digest() -> str:
    made_of = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        made_of.update(path.name.encode() + b"\0" + path.read_bytes())
    return made_of.hexdigest()[:16]


def build() -> Path:
    """The folder with both programs, which appears whole."""
    folder = place()
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        made = Path(unfinished) / "programs"
        made.mkdir()
        options = ["-trimpath", "-ldflags=-s -w", "-o", f"{made}{os.sep}"]
        subprocess.run([go(), "build", *options, ".", JAEGER], cwd=SOURCES, env=environment(), check=True)
        made.rename(folder)
    return folder


def environment(**variables: str) -> Mapping[str, str]:
    """Without cgo no C compiler is needed. Debian's Go would not fetch a toolchain unless told to."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("GOFLAGS", "GOROOT", "GOWORK")}
    return {**inherited, "CGO_ENABLED": "0", "GOTOOLCHAIN": "auto", **variables}


def go() -> str:
    """A Go that can build the sources."""
    said = output("go", "env", "GOVERSION")
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    return "go" if version >= SWITCHES_BY_ITSELF else fetched_go()


def fetched_go() -> str:
    """The Go that the sources name: it comes as a module, whose sum an older Go checks but whose modes it drops."""
    named = re.findall(r"^toolchain (\S+)$", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    system = "-".join(output("go", "env", "GOOS", "GOARCH").split())
    module = f"golang.org/toolchain@v0.0.1-{named[0]}.{system}"
    folder = Path(json.loads(output("go", "mod", "download", "-json", module))["Dir"])
    for path in (*(folder / "bin").iterdir(), *(folder / "pkg" / "tool").rglob("*")):
        path.chmod(0o755)
    return str(folder / "bin" / "go")


def output(*command: str) -> str:
    with tempfile.TemporaryDirectory() as empty:  # no go.mod there, which an older Go could not read
        return subprocess.run(
            command, cwd=empty, env=environment(), check=True, stdout=subprocess.PIPE, text=True
        ).stdout


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return not place().is_dir()
    print(build())
    return 0


if __name__ == "__main__":
    sys.exit(main())
