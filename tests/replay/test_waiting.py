from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from timetracer_otel.replay.launch import Launch
from timetracer_otel.replay.waiting import Running

NAP = "import time; time.sleep(1)"
PROGRAM = """
import sys
from timetracer_otel.replay.launch import Launch
from timetracer_otel.replay.waiting import Running
child = "import signal, sys, time; signal.signal(%d, lambda *_: sys.exit(9)); "
child += "print('ready', flush=True); time.sleep(60)"
how = Launch((sys.executable, "-c", child % int(sys.argv[1])), {}, ".")
running = Running(how, is_program=True, has_terminal=True)
said = []
def goes_on():
    if not said:
        said.append(print("waits", flush=True))
    return False
running.wait(60, goes_on)
sys.exit(running.status)
"""


def python(code: str) -> Launch:
    return Launch((sys.executable, "-c", code), dict(os.environ), ".")


def test_a_process_that_takes_too_long_is_ended() -> None:
    running = Running(python("import time; time.sleep(60)"), is_program=False, has_terminal=False)
    assert running.wait(0.3, lambda: False) == "timed out after 0.3 s, before the end of the replay"
    assert running.status == -signal.SIGKILL


def test_no_time_passes_while_it_is_paused() -> None:
    running = Running(python(NAP), is_program=False, has_terminal=False)
    assert running.wait(0.3, lambda: True) is None
    assert running.status == 0


def test_time_passes_again_after_the_pause() -> None:
    until = time.monotonic() + 0.5
    running = Running(python("import time; time.sleep(60)"), is_program=False, has_terminal=False)
    assert running.wait(0.3, lambda: time.monotonic() < until) is not None
    assert time.monotonic() > until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_reaches_the_program_whose_exit_code_counts(number: signal.Signals) -> None:
    """Without a terminal: there the system sends Ctrl-C to both."""
    command = [sys.executable, "-c", PROGRAM, str(int(number))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as runner:
        assert runner.stdout is not None
        assert {runner.stdout.readline(), runner.stdout.readline()} == {"ready\n", "waits\n"}
        runner.send_signal(number)
        assert runner.wait(30) == 9
