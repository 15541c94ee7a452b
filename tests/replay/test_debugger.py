"""`--pdb`, driven as a person would: by lines on stdin, and on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.replay.conftest import APP, ROOT, clean
from timetracer_otel.cassette.model import Cassette, Segment

Recordings = Mapping[str, tuple[Cassette, Segment]]
COMMAND = (sys.executable, "-c", "from timetracer_otel.cli import main; main()")
LIMIT_S = 60


def replay(recorded: Recordings, path: str, *lines: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "replay", recorded[path][0].path, "--app", f"{APP}:app", "--pdb"]
    return driven(command, *lines, **variables)


def execute(recorded: Recordings, code: str, *lines: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "exec", recorded["/orders/42"][0].path, "--pdb", "--", sys.executable, "-c", code]
    return driven(command, *lines)


def driven(command: list[str], *lines: str, **variables: str) -> subprocess.CompletedProcess[str]:
    typed = "".join(f"{line}\n" for line in lines)
    return subprocess.run(
        command,
        input=typed,
        env=clean(**variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


# ---- replay ----------------------------------------------------------------------------------------------------------


def test_it_stops_at_the_failing_line_of_the_app_and_the_report_comes_after_it(recorded: Recordings) -> None:
    """Starlette has made a response of the exception by then; stdout is the report's alone."""
    done = replay(recorded, "/fail", "p request.url.path, totals", "q")
    assert "stopped where KeyError was raised" in done.stderr
    assert re.search(r"app_under_test\.py\(\d+\)fail\(\)\n-> return", done.stderr)
    assert "(Pdb) ('/fail', {})" in done.stderr
    assert (done.returncode, done.stdout.splitlines()[-1].split()[0]) == (0, "same")
    assert "(Pdb)" not in done.stdout


def test_it_does_not_stop_where_nothing_is_raised(recorded: Recordings) -> None:
    done = replay(recorded, "/orders/42")
    assert (done.returncode, "(Pdb)" in done.stderr) == (0, False)


def test_an_app_that_does_not_start_is_looked_into(recorded: Recordings) -> None:
    done = replay(recorded, "/orders/42", "p os.environ['STARTUP']", "q", STARTUP="fails")
    assert "(Pdb) 'fails'" in done.stderr
    assert done.returncode == 3


def test_without_lines_it_goes_on_at_once(recorded: Recordings) -> None:
    done = replay(recorded, "/fail")
    assert (done.returncode, done.stdout.splitlines()[-1].split()[0]) == (0, "same")


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Our end, and that of the command."""
    ours, its = pty.openpty()
    try:
        yield ours, its
    finally:
        os.close(ours)
        os.close(its)


def until(shown: str, end: int) -> str:
    """What the terminal shows up to this."""
    seen, deadline = "", time.monotonic() + LIMIT_S
    while shown not in seen and time.monotonic() < deadline:
        seen += os.read(end, 4096).decode()
    return seen


def test_it_stops_on_a_terminal(recorded: Recordings) -> None:
    command = [*COMMAND, "replay", recorded["/fail"][0].path, "--app", f"{APP}:app", "--pdb"]
    with terminal() as (ours, its):
        process = subprocess.Popen(
            command, env=clean(), cwd=ROOT, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        assert "-> return JSONResponse" in until("(Pdb) ", ours)
        os.write(ours, b"p 6 * 7\n")
        assert "42" in until("(Pdb) ", ours).replace("6 * 7", "")
        os.write(ours, b"q\n")
        assert "KeyError: '/fail'" in until("same  ", ours)
        assert process.wait(LIMIT_S) == 0


def test_the_network_stays_closed(recorded: Recordings) -> None:
    done = replay(recorded, "/fail", "import socket", "p socket.create_connection(('203.0.113.9', 80))", "q")
    assert (
        "*** ConnectionRefusedError: [Errno 111] timetracer replay: no network: connect 203.0.113.9:80" in done.stderr
    )


# ---- exec ------------------------------------------------------------------------------------------------------------


def test_an_uncaught_exception_of_a_script_is_looked_into(recorded: Recordings) -> None:
    done = execute(recorded, "def half(n):\n    return n / 0\nhalf(8)", "p n", "u", "q")
    assert "ZeroDivisionError" in done.stderr
    assert "(Pdb) 8\n(Pdb) > <string>(3)<module>()" in done.stdout
    assert done.returncode == 1


def test_a_script_that_ends_itself_is_not_looked_into(recorded: Recordings) -> None:
    done = execute(recorded, "raise SystemExit(7)")
    assert (done.returncode, done.stdout) == (7, "")


def test_a_breakpoint_takes_no_time_from_the_app(recorded: Recordings) -> None:
    code = "import time\nbefore = time.time()\nbreakpoint()\nprint('passed', time.time() - before < 2.5)"
    done = execute(recorded, code, "time.sleep(2.5)", "c")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "(Pdb) (Pdb) passed True"), done.stderr


def test_a_script_that_is_left_with_q_is_not_judged(recorded: Recordings) -> None:
    code = "def work():\n    breakpoint()\n    return 1\ntry:\n    work()\nexcept Exception:\n    print('handled')"
    done = execute(recorded, code, "q")
    # Since 3.14 pdb asks whether it may end the process, and q is SystemExit.
    assert ("handled" in done.stdout) == (sys.version_info < (3, 14))
    assert "inconclusive: the debugger was left with q while the app ran" in done.stderr


def test_only_the_first_python_of_a_program_has_the_terminal(recorded: Recordings) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', '1 / 0'])\nprint(sys.stdin.readline())"
    done = execute(recorded, code, "for the parent")
    assert (done.returncode, done.stdout) == (0, "for the parent\n\n")
