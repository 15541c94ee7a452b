"""`exec`, and the same by environment: any program gets the answers of a recorded script, and its exit code is kept."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.promises.conftest import database
from tests.promises.running import QUIET, cassettes, execute, only, record_script, run, with_report
from timetracer_otel.cassette import Cassette
from timetracer_otel.store import Store

pytestmark = pytest.mark.postgres

SCHEMA = """
CREATE TABLE visits (visit uuid, at timestamptz);
CREATE TABLE things AS SELECT id, 'thing ' || id AS name FROM generate_series(1, 3) id;
"""
PRODUCTION = "postgresql://app@db.prod.internal/postgres"
SCRIPT = """
import datetime, os, sys, threading, uuid
import psycopg
from opentelemetry import trace

def work(dsn, numbers=(1, 2, 3)):
    seen = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for number in numbers:
            seen += connection.execute("SELECT name FROM things WHERE id = %s", (number,)).fetchone()
        visit, now = uuid.uuid4(), datetime.datetime.now(datetime.timezone.utc)
        connection.execute("INSERT INTO visits VALUES (%s, %s)", (visit, now))
        found = connection.execute("SELECT visit, 1 FROM visits WHERE visit = %s", (visit,)).fetchone()
        assert found == (visit, 1), found
    return [*seen, str(visit), now.isoformat(), len(found)]

def in_trace(function, *arguments):
    with trace.get_tracer("script").start_as_current_span("nightly"):
        return function(*arguments)

if __name__ == "__main__":
    print(in_trace(work, sys.argv[1]))
"""
FUNCTIONS = SCRIPT.partition("if __name__")[0]
WORK = "print(in_trace(work, sys.argv[1]))"


WITHOUT_INSTRUMENTOR = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "psycopg"}


@dataclass(frozen=True, slots=True)
class Script:
    trace: str
    output: str


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Recorded with a server of its own, which is stopped."""
    store = tmp_path_factory.mktemp("script") / "cassettes"
    with database(SCHEMA) as dsn:
        output = record_script(SCRIPT, store, dsn)
    cassette, segment = only(store)
    assert segment.entry is not None
    assert (segment.entry.type, segment.entry.name) == ("function", "nightly")
    return Script(cassette.path, output)


def program(last_line: str) -> tuple[str, ...]:
    """The recorded script with another ending."""
    return sys.executable, "-c", FUNCTIONS + last_line, PRODUCTION


def test_the_script_prints_the_same_with_its_ids_and_its_clock(script: Script, tmp_path: Path) -> None:
    """R35, for SQL: the uuid and the moment are those of the recording, whatever statement they return in."""
    found = execute(script.trace, tmp_path, sys.executable, "-c", SCRIPT, PRODUCTION)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    recorded, replayed = script.output.strip(), found.output.splitlines()[0]
    assert _without_clock(replayed) == _without_clock(recorded)


def test_r50_a_driver_without_its_instrumentor_dials_the_stub_all_the_same(script: Script, tmp_path: Path) -> None:
    command = ["timetracer-otel", "exec", script.trace]
    found = with_report(command, tmp_path, WITHOUT_INSTRUMENTOR, ("--", *program(WORK)))
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def _without_clock(line: str) -> list[str]:
    """The moment is in the recorded window, not the recorded one."""
    words = line.split(", ")
    assert len(words) == 6, line
    return [*words[:4], words[5]]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("VALUES (%s, %s)", "VALUES (%s, %s::timestamptz + '1 day')", "statement"),
        ("(visit, now)", "(visit, now - datetime.timedelta(days=1))", "parameters[1]"),
        ("uuid.uuid4()", "uuid.UUID(int=7)", "parameters[0]"),
    ],
)
def test_r35_what_was_not_generated_is_a_miss_beside_what_was(
    old: str, new: str, path: str, script: Script, tmp_path: Path
) -> None:
    changed = FUNCTIONS.replace(old, new)
    assert changed != FUNCTIONS
    found = execute(script.trace, tmp_path, sys.executable, "-c", changed + WORK, PRODUCTION)
    assert found.status == 1
    assert found.findings[0]["request"]["method"] == "INSERT"
    assert path in {each["path"] for each in found.findings[0]["differences"]}


def test_the_exit_code_of_the_program_is_kept(script: Script, tmp_path: Path) -> None:
    found = execute(script.trace, tmp_path, *program("in_trace(work, sys.argv[1]); sys.exit(7)"))
    assert (found.status, found.report["misses"]) == (7, [])


def test_r33_a_miss_that_the_program_swallows_is_exit_code_1(script: Script, tmp_path: Path) -> None:
    swallowing = """
try:
    in_trace(work, sys.argv[1], [1, 4])
except psycopg.Error as error:
    print("swallowed", type(error).__name__, error.sqlstate)
"""
    found = execute(script.trace, tmp_path, *program(swallowing))
    assert (found.status, found.verdict) == (1, "deviates")
    assert found.output.startswith("swallowed InternalError_ XX000")
    (miss,) = found.report["misses"]
    assert miss["differences"] == [{"path": "parameters[0]", "recorded": "2", "asked": "4"}]


def test_work_in_threads_gets_the_answers_of_the_script(script: Script, tmp_path: Path) -> None:
    threads = """
def one(number, out):
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        out[number] = connection.execute("SELECT name FROM things WHERE id = %s", (number,)).fetchone()[0]

def fan_out():
    out = {}
    threads = [threading.Thread(target=one, args=(number, out)) for number in (3, 1, 2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return sorted(out.items())

print(in_trace(fan_out))
"""
    found = execute(script.trace, tmp_path, *program(threads))
    assert found.report["misses"] == []
    assert found.output.splitlines()[0] == "[(1, 'thing 1'), (2, 'thing 2'), (3, 'thing 3')]"


def test_a_forked_child_gets_answers_and_its_misses_count(script: Script, tmp_path: Path) -> None:
    forks = """
child = os.fork()
if child == 0:
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        print(connection.execute("SELECT name FROM things WHERE id = %s", (int(sys.argv[2]),)).fetchone(), flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    found = execute(script.trace, tmp_path, *program(forks), "2")
    assert (found.status, found.output.splitlines()[0]) == (0, "('thing 2',)"), found.output
    missed = execute(script.trace, tmp_path, *program(forks), "9")
    assert missed.status == 1
    assert [miss["request"]["values"] for miss in missed.report["misses"]] == [["9"]]


def test_a_shell_that_starts_the_script_is_followed(script: Script, tmp_path: Path) -> None:
    found = execute(script.trace, tmp_path, "sh", "-c", '"$0" -c "$1" "$2"; exit 3', sys.executable, SCRIPT, PRODUCTION)
    assert (found.status, found.report["misses"]) == (3, []), found.output
    assert _without_clock(found.output.splitlines()[0]) == _without_clock(script.output.strip())


def test_a_program_that_starts_another_python_is_followed(script: Script, tmp_path: Path) -> None:
    starts = f"""
import subprocess
done = subprocess.run([sys.executable, "-c", {SCRIPT!r}, sys.argv[1]])
sys.exit(done.returncode)
"""
    found = execute(script.trace, tmp_path, *program(starts))
    assert (found.status, found.report["misses"]) == (0, []), found.output


# ---- by environment --------------------------------------------------------------------------------------------------


def by_environment(script: Script, code: str, **variables: str) -> tuple[int, str, str]:
    replay = {"TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": script.trace, **QUIET}
    command = ["opentelemetry-instrument", sys.executable, "-c", code, PRODUCTION]
    done = run(command, {**replay, "OTEL_TRACES_EXPORTER": "none", **variables})
    return done.returncode, done.stdout, done.stderr


def test_the_environment_form_gives_the_same_answers_and_ends_with_the_report(script: Script) -> None:
    status, out, err = by_environment(script, SCRIPT)
    assert (status, _without_clock(out.strip())) == (0, _without_clock(script.output.strip())), err
    assert err.splitlines()[0] == "uncontrolled: native sockets"
    assert err.splitlines()[-1].startswith("same ")


def test_the_environment_form_finds_a_cassette_by_the_beginning_of_its_id(script: Script) -> None:
    path = Path(script.trace)
    status, _, err = by_environment(
        script, SCRIPT, TIMETRACER_CASSETTE=path.name[:10], TIMETRACER_STORE=str(path.parent)
    )
    assert status == 0, err


def test_the_environment_form_reports_a_miss_on_stderr(script: Script) -> None:
    swallowing = "import contextlib\nwith contextlib.suppress(psycopg.Error): in_trace(work, sys.argv[1], [9])"
    _, _, err = by_environment(script, program(swallowing)[2])
    assert "no recorded answer for  SELECT name FROM things WHERE id = $1   ('9',)" in err
    assert err.splitlines()[-1].startswith("deviates ")


# ---- scripts as they are ---------------------------------------------------------------------------------------------

BARE = """
import sys
import psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for number in (1, 2, 3):
        print(connection.execute("SELECT name FROM things WHERE id = %s", (number,)).fetchone()[0])
"""
BY_HAND = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
import timetracer_otel
trace.set_tracer_provider(TracerProvider())
timetracer_otel.install()
PsycopgInstrumentor().instrument()
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a process that opened no span of its own: a store without a trace."""
    store = tmp_path_factory.mktemp("bare") / "cassettes"
    with database(SCHEMA) as dsn:
        assert record_script(BARE, store, dsn).split() == ["thing", "1", "thing", "2", "thing", "3"]
    assert cassettes(store) == []
    (path,) = (store / "processes").iterdir()
    return path


def test_a_script_without_a_span_is_replayed_from_its_process(bare: Path, tmp_path: Path) -> None:
    found = execute(bare, tmp_path, sys.executable, "-c", BARE, PRODUCTION)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert found.output.split() == ["thing", "1", "thing", "2", "thing", "3"]


def test_a_process_is_found_by_the_beginning_of_its_id_too(bare: Path, tmp_path: Path) -> None:
    store = str(bare.parent.parent)
    command = ["timetracer-otel", "exec", bare.name[:8], "--store", store]
    found = with_report(command, tmp_path, {}, ("--", sys.executable, "-c", BARE, PRODUCTION))
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


@pytest.mark.parametrize(
    ("old", "new", "missed"), [("(1, 2, 3)", "(1, 2, 4)", "4"), ("(1, 2, 3)", "(1, 2, 3, 3)", "3")]
)
def test_a_script_without_a_span_gets_each_answer_once(
    bare: Path, tmp_path: Path, old: str, new: str, missed: str
) -> None:
    found = execute(bare, tmp_path, sys.executable, "-c", BARE.replace(old, new), PRODUCTION)
    assert (found.status, found.verdict) == (1, "deviates")
    assert [miss["request"]["values"] for miss in found.report["misses"]] == [[missed]]


def test_a_script_without_a_span_is_no_entry(bare: Path) -> None:
    done = run(["timetracer-otel", "replay", str(bare)])
    assert (done.returncode, done.stdout) == (2, "")
    assert "use `timetracer-otel exec`" in done.stderr


TRANSACTIONS = """
import sys
import psycopg
from sqlalchemy import create_engine, text
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute("DELETE FROM things WHERE id = 1")
    connection.rollback()
engine = create_engine(sys.argv[1].replace("postgresql:", "postgresql+psycopg:"))
with engine.begin() as connection:
    connection.execute(text("DELETE FROM things WHERE id = 2"))
with engine.connect() as connection:
    connection.execute(text("DELETE FROM things WHERE id = 3"))
    connection.rollback()
"""


@pytest.fixture(scope="module")
def bare_transactions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("bare") / "cassettes"
    with database(SCHEMA) as dsn:
        record_script(TRANSACTIONS, store, dsn)
    (path,) = (store / "processes").iterdir()
    return path


def test_the_transactions_of_a_script_without_a_span_are_its_own(bare_transactions: Path, tmp_path: Path) -> None:
    """Also those in which an engine greets: nothing of them was before the script."""
    found = execute(bare_transactions, tmp_path, sys.executable, "-c", TRANSACTIONS, PRODUCTION)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert found.report["unused"] == []


def test_a_script_without_a_span_that_commits_where_it_rolled_back_misses(
    bare_transactions: Path, tmp_path: Path
) -> None:
    changed = TRANSACTIONS.replace("connection.rollback()", "connection.commit()", 1)
    found = execute(bare_transactions, tmp_path, sys.executable, "-c", changed, PRODUCTION)
    assert (found.status, found.verdict) == (1, "deviates")
    assert found.report["misses"][0]["request"]["text"] == "COMMIT"
    assert found.report["unused"][0]["text"] == "ROLLBACK"


def test_a_script_that_sets_opentelemetry_up_by_hand_gets_its_answers(bare: Path, tmp_path: Path) -> None:
    found = execute(bare, tmp_path, sys.executable, "-c", BY_HAND + BARE, PRODUCTION)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def test_a_script_without_the_launcher_replays_by_install_alone(bare: Path) -> None:
    replay = {"TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": str(bare)}
    done = run([sys.executable, "-c", BY_HAND + BARE, PRODUCTION], replay)
    assert (done.returncode, done.stdout.split()[1::2]) == (0, ["1", "2", "3"]), done.stderr
    assert done.stderr.splitlines()[-1].startswith("same ")


POOL = """
import multiprocessing, sys
import psycopg
def work(number):
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        return connection.execute("SELECT name FROM things WHERE id = %s", (number,)).fetchone()[0]
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
        print(pool.map(work, [3, 1, 2]))
        pool.close()
        pool.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_children_of_multiprocessing_get_answers(script: Script, tmp_path: Path, method: str) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    found = execute(script.trace, tmp_path, sys.executable, str(tmp_path / "pool.py"), PRODUCTION, method)
    assert found.report["misses"] == [], found.output
    assert found.output.splitlines()[0] == "['thing 3', 'thing 1', 'thing 2']"


# ---- a trace whose processes were forked -----------------------------------------------------------------------------

FORKING = """
import os, sys
import psycopg
from opentelemetry import trace

def ask(number):
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        print(connection.execute("SELECT name FROM things WHERE id = %s", (number,)).fetchone()[0], flush=True)

def in_child(function):
    child = os.fork()
    if child == 0:
        try:
            function()
            sys.stdout.flush()
        finally:
            trace.get_tracer_provider().force_flush()
            os._exit(0)
    os.waitpid(child, 0)

with trace.get_tracer("script").start_as_current_span("nightly"):
    ask(1)
    in_child(lambda: (ask(2), in_child(lambda: ask(3))))
    ask(1)
"""


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Cassette:
    store = tmp_path_factory.mktemp("forked") / "cassettes"
    with database(SCHEMA) as dsn:
        record_script(FORKING, store, dsn)
    (summary,) = Store(store).list_traces().traces
    return Store(store).open_cassette(summary.trace_id)[0]


def test_a_trace_whose_segment_forked_is_one_replay(forked: Cassette, tmp_path: Path) -> None:
    """No segment has to be named, and a child finds what its recorded counterpart was answered."""
    assert len(forked.segments) > 1
    found = execute(forked.path, tmp_path, sys.executable, "-c", FORKING, PRODUCTION)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    assert found.output.splitlines()[:4] == ["thing 1", "thing 2", "thing 3", "thing 1"]


def test_what_a_forked_child_does_not_ask_is_listed(forked: Cassette, tmp_path: Path) -> None:
    found = execute(forked.path, tmp_path, sys.executable, "-c", FORKING.replace("ask(3)", "None"), PRODUCTION)
    assert found.verdict == "deviates"
    assert [each["values"] for each in found.report["unused"]] == [["3"]]


def test_a_miss_in_a_forked_child_counts(forked: Cassette, tmp_path: Path) -> None:
    found = execute(forked.path, tmp_path, sys.executable, "-c", FORKING.replace("ask(3)", "ask(9)"), PRODUCTION)
    assert found.status == 1
    assert [miss["request"]["values"] for miss in found.report["misses"]] == [["9"]]
