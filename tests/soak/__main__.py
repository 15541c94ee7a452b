"""`scripts/soak [--minutes N]`: exit code 1 if one of the promises does not hold; it prints each with its numbers."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.servers.postgres import PostgresServer
from tests.soak.checks import Check, checks, timed_checks
from tests.soak.session import soak

STORE_MAX: Final = "200MiB"
ROUND_SIZE: Final = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak")
    parser.add_argument("--minutes", type=float, default=30.0, help="of load (30)")
    until_s = time.monotonic() + parser.parse_args().minutes * 60
    server = PostgresServer()
    try:
        with tempfile.TemporaryDirectory(prefix="timetracer-soak-") as folder:
            outcome = soak(server, Path(folder), STORE_MAX, lambda _: time.monotonic() >= until_s, ROUND_SIZE)
            found = [*checks(outcome), *timed_checks(outcome)]
    finally:
        server.stop()
    print("\n".join(map(_line, found)))
    return 0 if all(check.holds for check in found) else 1


def _line(check: Check) -> str:
    return f"{'ok' if check.holds else 'MISSED':8}{check.name:34}{check.said}"


if __name__ == "__main__":
    sys.exit(main())
