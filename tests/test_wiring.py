"""Taps go in whenever an instrumentor does, in real processes: by the launcher, by hand, before us and after us."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import launching
from timetracer_otel.drivers.registry import DRIVERS
from timetracer_otel.store import Store

TAPS = "from timetracer_otel.drivers import taps; print([(tap.driver, tap.state) for tap in taps.taps()])"
BOTH = "[('asgi', 'in'), ('psycopg', 'in')]\n"
STAR = (
    "aiobotocore, asyncpg, botocore, celery, httpx, httpx2, psycopg, pymongo, redis, requests, starlette, "
    "urllib, urllib3"
)
FEW = launching.instrumented("psycopg")
ALL = f"{[(name, 'in') for name in sorted(DRIVERS)]}\n"


def run(code: str, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python code without the launcher."""
    env = launching.environment(TIMETRACER_STORE=str(tmp_path / "store"), **variables)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_under_the_launcher_every_installed_instrumentor_brings_its_tap(tmp_path: Path) -> None:
    assert said(launching.launch(TAPS, tmp_path, launching.recording(tmp_path / "store"))) == ALL


def test_without_being_asked_no_tap_goes_in(tmp_path: Path) -> None:
    env = launching.recording(tmp_path / "store", OTEL_TRACES_EXPORTER="none")
    assert said(launching.launch(TAPS, tmp_path, env)) == "[]\n"


@pytest.mark.parametrize("mode", ["off", "record"])
def test_install_from_code_reaches_instrumentors_before_and_after_it(mode: str, tmp_path: Path) -> None:
    code = f"""
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
PsycopgInstrumentor().instrument()
import timetracer_otel
timetracer_otel.install()
timetracer_otel.install()
StarletteInstrumentor().instrument()
{TAPS}
from opentelemetry import trace
trace.get_tracer("app").start_span("root").end()
"""
    assert said(run(code, tmp_path, TIMETRACER_MODE=mode)) == (BOTH if mode == "record" else "[]\n")
    assert len(Store(tmp_path / "store").list_traces().traces) == (1 if mode == "record" else 0)


def test_install_in_an_environment_that_names_the_exporter_has_nothing_to_complain_of(tmp_path: Path) -> None:
    code = "import timetracer_otel; timetracer_otel.install()"
    assert said(run(code, tmp_path, OTEL_TRACES_EXPORTER="timetracer")) == ""


def test_install_takes_a_provider_a_store_and_what_to_keep(tmp_path: Path) -> None:
    code = """
from opentelemetry.sdk.trace import TracerProvider
import timetracer_otel
from timetracer_otel.config import Keep
provider = TracerProvider()
timetracer_otel.install(store="elsewhere", keep=Keep(everything=False, errors=True), provider=provider)
tracer = provider.get_tracer("app")
tracer.start_span("fine").end()
try:
    with tracer.start_as_current_span("bad"):
        raise ValueError
except ValueError:
    pass
"""
    said(run(code, tmp_path))
    (trace,) = Store(tmp_path / "elsewhere").list_traces().traces
    assert trace.segments[0].entry is not None
    assert trace.segments[0].entry.name == "bad"


def test_a_driver_without_the_names_we_need_is_one_warning_and_its_tap_is_off(tmp_path: Path) -> None:
    code = f"""
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames
class Recording:
    def install(self): raise MissingNames("psycopg", "9.9", ("Cursor._gone",), "queries are not recorded")
registry.recording = lambda name: Recording()
import timetracer_otel
timetracer_otel.install()
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
PsycopgInstrumentor().instrument()
{TAPS}
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "[('psycopg', 'off')]\n")
    (line,) = done.stderr.splitlines()
    assert "psycopg 9.9 has no Cursor._gone: queries are not recorded" in line


def test_a_tap_that_fails_leaves_the_instrumentor_and_the_app_alone(tmp_path: Path) -> None:
    code = f"""
from timetracer_otel.drivers import registry
def failing(name): raise RuntimeError("made to fail")
registry.recording = failing
import timetracer_otel
timetracer_otel.install()
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
PsycopgInstrumentor().instrument()
assert PsycopgInstrumentor().is_instrumented_by_opentelemetry
{TAPS}
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "[('psycopg', 'off')]\n")
    assert "wiring failed (RuntimeError: made to fail)" in done.stderr


def test_the_instrumentors_go_in_when_we_do_not(tmp_path: Path) -> None:
    code = """
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
print(PsycopgInstrumentor().is_instrumented_by_opentelemetry)
"""
    env = launching.recording(tmp_path / "store", TIMETRACER_MODE="sideways", **FEW)
    done = launching.launch(code, tmp_path, env)
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert done.stderr.count("TIMETRACER_MODE") == 1


API_ONLY = """
from opentelemetry import trace
class Provider(trace.TracerProvider):
    def get_tracer(self, *_, **__):
        return trace.NoOpTracer()
trace.set_tracer_provider(Provider())
"""


@pytest.mark.parametrize(
    "how",
    [
        "import timetracer_otel\ntimetracer_otel.install()",
        "from timetracer_otel import wiring\nwiring.pre_instrument()",
        "from timetracer_otel.exporters import TimetracerSpanExporter\nTimetracerSpanExporter()\n"
        "from timetracer_otel import wiring\nwiring.pre_instrument()",
    ],
)
def test_r23_a_provider_of_the_api_alone_is_one_line(how: str, tmp_path: Path) -> None:
    done = run(f"{API_ONLY}{how}\nprint('the app runs')", tmp_path, OTEL_TRACES_EXPORTER="timetracer")
    assert (done.returncode, done.stdout) == (0, "the app runs\n")
    (line,) = done.stderr.splitlines()
    assert "__main__.Provider takes no span processor: nothing is recorded; use the provider of" in line


def test_a_provider_that_takes_no_processor_is_named(tmp_path: Path) -> None:
    done = run("import timetracer_otel; timetracer_otel.install(provider=object())", tmp_path)
    assert done.returncode == 0
    assert "builtins.object takes no span processor: nothing is recorded" in done.stderr


@pytest.mark.parametrize("problem", ["no such cassette", "TIMETRACER_CASSETTE", "bad setting"])
def test_a_replay_that_cannot_begin_never_lets_the_app_run_against_the_world(problem: str, tmp_path: Path) -> None:
    variables = {
        "no such cassette": {"TIMETRACER_CASSETTE": "beef"},
        "TIMETRACER_CASSETTE": {},
        "bad setting": {"TIMETRACER_CASSETTE": "beef", "TIMETRACER_PAYLOAD_MAX": "lots"},
    }[problem]
    env = launching.recording(tmp_path / "store", TIMETRACER_MODE="replay", **FEW, **variables)
    done = launching.launch("print('the app runs')", tmp_path, env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_uninstrumenting_leaves_a_tap_that_does_no_harm(tmp_path: Path) -> None:
    code = f"""
import timetracer_otel
timetracer_otel.install()
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
StarletteInstrumentor().instrument()
StarletteInstrumentor().uninstrument()
StarletteInstrumentor().instrument()
{TAPS}
"""
    assert said(run(code, tmp_path)) == "[('asgi', 'in')]\n"


def test_nothing_heavy_is_imported_before_the_first_part(tmp_path: Path) -> None:
    heavy = ("orjson", "zstandard", "psycopg", "starlette", "timetracer_otel.redaction", "timetracer_otel.store")
    code = f"import sys; print([name for name in {heavy!r} if name in sys.modules])"
    env = launching.recording(tmp_path / "store", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*")
    assert launching.launch(code, tmp_path, env).stdout == "[]\n"


def test_an_application_that_starts_with_all_taps_in_loads_nothing_that_writes_or_replays(tmp_path: Path) -> None:
    late = ("cassette.dump", "cassette.part", "drivers.base", "exporters.encode", "redaction.engine", "replay", "store")
    code = f"import sys; print([name for name in {late!r} if f'timetracer_otel.{{name}}' in sys.modules])\n{TAPS}"
    assert launching.launch(code, tmp_path, launching.recording(tmp_path / "store")).stdout == f"[]\n{ALL}"


@pytest.mark.parametrize(
    ("names", "off"),
    [
        ("psycopg, starlette", "psycopg, starlette"),
        ("*", STAR),
    ],
)
def test_r23_instrumentors_that_are_switched_off_are_one_line(names: str, off: str, tmp_path: Path) -> None:
    env = launching.recording(tmp_path / "store", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=names)
    done = launching.launch("print('the app runs')", tmp_path, env)
    assert (done.returncode, done.stdout) == (0, "the app runs\n")
    line = f"timetracer: OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches off {off}: not recorded\n"
    assert done.stderr == line


def test_whoever_is_not_recorded_hears_nothing_of_instrumentors(tmp_path: Path) -> None:
    env = launching.recording(tmp_path, OTEL_TRACES_EXPORTER="none", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*")
    assert said(launching.launch("print('the app runs')", tmp_path, env)) == "the app runs\n"


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (
            'MissingNames("psycopg", "9.9", ("Cursor._gone",), "")',
            "timetracer: psycopg 9.9: it has no Cursor._gone, so it cannot be led to the cassette; "
            "replay with a release of psycopg that timetracer-otel knows",
        ),
        ('RuntimeError("made to fail")', "RuntimeError: made to fail"),
    ],
)
def test_a_driver_that_cannot_be_redirected_never_dials_the_world(failure: str, line: str, tmp_path: Path) -> None:
    record = "import timetracer_otel; timetracer_otel.install()\nfrom opentelemetry import trace\n"
    said(run(record + 'trace.get_tracer("app").start_span("job").end()', tmp_path))
    code = f"""
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames
class Replaying:
    def install(self, host): raise {failure}
registry.replaying = lambda name: Replaying()
import timetracer_otel
timetracer_otel.install()
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
PsycopgInstrumentor().instrument()
print("the app runs")
"""
    (trace,) = Store(tmp_path / "store").list_traces().traces
    done = run(code, tmp_path, TIMETRACER_MODE="replay", TIMETRACER_CASSETTE=trace.trace_id)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr


@pytest.mark.parametrize("exporter", ["timetracer", "none"])
def test_r24_while_it_records_children_begin_under_the_launcher_too(exporter: str, tmp_path: Path) -> None:
    """Releases of OpenTelemetry before 0.63b0 do what the first lines do, before they load entry points."""
    code = """
import os
from opentelemetry.instrumentation import auto_instrumentation
folder = os.path.dirname(auto_instrumentation.__file__)
os.environ["PYTHONPATH"] = os.pathsep.join(p for p in os.environ["PYTHONPATH"].split(os.pathsep) if p != folder)
from timetracer_otel import wiring
wiring.post_instrument()
wiring.post_instrument()
print(os.environ["PYTHONPATH"].split(os.pathsep).count(folder))
"""
    env = launching.recording(tmp_path / "store", OTEL_TRACES_EXPORTER=exporter, **FEW)
    done = launching.launch(code, tmp_path, env)
    assert (done.returncode, launching.without_what_is_off(done.stderr)) == (0, "")
    assert done.stdout == ("1\n" if exporter == "timetracer" else "0\n")


def test_r23_a_library_without_its_instrumentor_is_one_line_when_it_is_imported(tmp_path: Path) -> None:
    code = """
from timetracer_otel import instrumentation
instrumentation.entry_points = lambda **chosen: []  # as where no instrumentor is installed
import timetracer_otel
timetracer_otel.install()
timetracer_otel.install()
import psycopg
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stderr) == (
        0,
        "timetracer: psycopg is installed without its instrumentor: what it asks is not recorded; "
        "pip install 'timetracer-otel[psycopg]'\n",
    )
