"""`exec` of programs as people start them: what they are given and what comes of them is theirs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.launching import SPARED
from tests.replay.conftest import ROOT, clean
from timetracer_otel.cassette.model import Cassette, Segment

Recordings = Mapping[str, tuple[Cassette, Segment]]
COMMAND = (sys.executable, "-c", "from timetracer_otel.cli import main; main()", "exec")
ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"
HANDLING = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
print("ready", flush=True)
time.sleep(60)
"""


def execute(
    recorded: Recordings, *command: str, typed: str = "", options: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, recorded["/orders/42"][0].path, *options, "--", *command],
        input=typed,
        env=clean(**variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


ARGUMENTS = ("a b", '"q"', "it's", "", "$HOME `x` \\", "--", "-h", "--json", "x", "line\nbreak", "ü")


def test_arguments_arrive_as_they_were_given(recorded: Recordings) -> None:
    done = execute(recorded, sys.executable, "-c", ECHO, *ARGUMENTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == list(ARGUMENTS)


def test_a_shell_inside_a_shell_keeps_its_quotes(recorded: Recordings) -> None:
    script = """sh -c 'printf "%s|" "a b" '"'"'c d'"'"''; "$0" -c 'print("from \\"python\\"")'"""
    done = execute(recorded, "sh", "-c", script, sys.executable)
    assert done.stdout == 'a b|c d|from "python"\n', done.stderr


def test_a_module_gets_the_input_of_the_command(recorded: Recordings) -> None:
    done = execute(recorded, sys.executable, "-m", "json.tool", "--compact", typed='{"a":  1}')
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"a":1}\n', "")


def test_a_script_has_its_own_folder_and_name(recorded: Recordings, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    script = tmp_path / "it is.py"
    script.write_text("import beside, sys\nprint(beside.NAME, sys.argv, __name__)\nsys.exit('no more')")
    done = execute(recorded, sys.executable, str(script), "x")
    assert (done.returncode, done.stderr) == (1, "no more\n")
    assert done.stdout == f"beside {[str(script), 'x']} __main__\n"


def test_a_console_script_of_this_environment_is_a_program(recorded: Recordings) -> None:
    done = execute(recorded, str(Path(sys.executable).with_name("pytest")), "--version", TIMETRACER_ISOLATION="guards")
    assert (done.returncode, done.stdout.split()[0]) == (0, "pytest"), done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_with_guards_only_the_children_of_multiprocessing_run_and_their_calls_are_named(
    recorded: Recordings, tmp_path: Path, method: str
) -> None:
    script = tmp_path / "pool.py"
    script.write_text(f"""
import multiprocessing, socket
def work(n):
    try:
        socket.create_connection(("203.0.113.9", 8000 + n))
    except ConnectionRefusedError as error:
        return n * n
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        print(pool.map(work, [1, 2, 3]))
        pool.close()
        pool.join()
""")
    done = execute(recorded, sys.executable, str(script), TIMETRACER_ISOLATION="guards")
    assert done.stdout == "[1, 4, 9]\n", done.stderr
    for port in (8001, 8002, 8003):
        assert f"connect 203.0.113.9:{port}" in done.stderr
    assert done.returncode == 1


def test_a_signal_to_the_command_is_the_programs(recorded: Recordings) -> None:
    command = [*COMMAND, recorded["/orders/42"][0].path, "--", sys.executable, "-c", HANDLING]
    with subprocess.Popen(command, env=clean(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 9


# ---- without a namespace ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("sh", "-c", "echo reached"), "it is not this Python"),
        ((sys.executable, "-Sc", "print('reached')"), "python -S would not load the guards"),
    ],
)
def test_with_guards_only_a_program_that_would_not_load_them_is_refused(
    recorded: Recordings, command: tuple[str, ...], reason: str
) -> None:
    done = execute(recorded, *command, TIMETRACER_ISOLATION="guards")
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_with_guards_only_a_child_that_would_not_load_them_is_refused_and_named(recorded: Recordings) -> None:
    code = """
import os, subprocess, sys
def tried(*command, **how):
    try:
        print(subprocess.run(command, **how).returncode)
    except PermissionError:
        print("refused")
tried(sys.executable, "-I", "-c", "print('reached')")
tried(sys.executable, "-c", "print('reached')", env={"PATH": os.environ["PATH"]})
tried("curl", "http://203.0.113.9/")
tried(sys.executable, "-c", "print('guarded', flush=True)")
"""
    done = execute(recorded, sys.executable, "-c", code, TIMETRACER_ISOLATION="guards")
    assert done.stdout.splitlines() == ["refused", "refused", "refused", "guarded", "0"]
    assert done.stderr.startswith("uncontrolled: native sockets\n")
    assert "python -I would not load the guards" in done.stderr
    assert "curl (it is not this Python)" in done.stderr
    assert done.returncode == 1


def test_a_prompt_and_a_framework_s_shell_do_what_is_typed_inside_the_replay(recorded: Recordings) -> None:
    shell = "import code, os; code.interact(banner='', local={'os': os})"
    typed = (
        "import os, socket\nprint('mode', os.environ['TIMETRACER_MODE'])\n1 / 0\nsocket.getaddrinfo('db.example', 1)\n"
    )
    for command in ((sys.executable, "-i", "-q"), (sys.executable, "-c", shell)):
        done = execute(recorded, *command, typed=typed, **SPARED)
        assert "mode replay\n" in done.stdout
        assert "ZeroDivisionError" in done.stderr
        assert "gaierror: [Errno -2] timetracer replay: no network: resolve db.example" in done.stderr
        assert done.stderr.rstrip().splitlines()[-1].startswith("deviates")
        assert done.returncode == 1
