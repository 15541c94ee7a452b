"""R26 with real processes: the store fails or our code does, while the app itself fails too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import launching
from timetracer_otel.cassette import Segment
from timetracer_otel.diagnosis import diagnose
from timetracer_otel.store import Store

OWN = "the app's own"
PROGRAM = """
import os, random, sys
import timetracer_otel
timetracer_otel.install()
from opentelemetry import trace
tracer = trace.get_tracer("app")

def job(number):
    with tracer.start_as_current_span(f"job {{number}}", attributes={{"noise": random.randbytes(2000).hex()}}):
        if number == 2:
            raise ValueError("{own}")
        return number

def outcome(number):
    try:
        return job(number)
    except Exception as error:
        return repr(error), repr(error.__context__)

job(0)
{broken}
print([outcome(number) for number in (1, 2, 3)])
{mended}
print(outcome(4))
"""
PRINTED = f"{[1, (repr(ValueError(OWN)), 'None'), 3]}\n4\n"


@dataclass(frozen=True, slots=True)
class Failure:
    broken: str
    mended: str
    cause: str
    """In the one line of the log."""
    counted: Mapping[str, int]
    """What the next part that is written has lost."""


STORE = 'store = os.environ["TIMETRACER_STORE"]'
FAILURES = {
    "a store without the right to write": Failure(
        f"{STORE}; os.chmod(store, 0o500); root = os.geteuid() == 0; root and os.seteuid(65534)",
        "root and os.seteuid(0); os.chmod(store, 0o700)",
        "Permission denied",
        {"guard.store.EACCES": 3, "part": 3},
    ),
    "a file in place of the store": Failure(
        f'{STORE}; os.rename(store, store + ".away"); open(store, "w").close()',
        'os.remove(store); os.rename(store + ".away", store)',
        "ENOTDIR",
        {"guard.store.ENOTDIR": 3, "part": 3},
    ),
    "a disk without room": Failure(
        # Python's own bytecode would be cut off, too.
        "import resource; sys.dont_write_bytecode = True; limits = resource.getrlimit(resource.RLIMIT_FSIZE); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, limits)",
        "File too large",
        {"guard.store.EFBIG": 3, "part": 3},
    ),
    "redaction that raises": Failure(
        """
from timetracer_otel.redaction import Redactor
def failing(*_, **__): raise RuntimeError("made to fail")
whole = {name: value for name, value in vars(Redactor).items() if not name.startswith("_")}
for name in whole: setattr(Redactor, name, failing)
""",
        "for name, value in whole.items(): setattr(Redactor, name, value)",
        "made to fail",
        {"guard.part": 3, "part": 3},
    ),
}


def run(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = launching.environment(TIMETRACER_STORE=str(folder / "store"), **variables)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def ours(stderr: str) -> list[str]:
    """Our lines."""
    return [line for line in stderr.splitlines() if line.startswith("timetracer: ")]


def segments(folder: Path) -> list[Segment]:
    """The oldest first."""
    store = Store(folder / "store")
    traces = reversed(store.list_traces().traces)
    return [segment for trace in traces for segment in store.open_cassette(trace.trace_id)[0].segments]


@pytest.mark.skipif(sys.platform == "win32", reason="rights and limits are those of POSIX")
@pytest.mark.parametrize("name", FAILURES)
def test_r26_a_failure_is_one_line_and_counted_and_recording_resumes_when_its_cause_is_gone(
    name: str, tmp_path: Path
) -> None:
    failure = FAILURES[name]
    tmp_path.chmod(0o755)
    done = run(PROGRAM.format(own=OWN, broken=failure.broken, mended=failure.mended), tmp_path)
    assert (done.returncode, done.stdout) == (0, PRINTED), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("timetracer: ")
    assert failure.cause in line
    before, after = segments(tmp_path)
    assert [segment.root.name for segment in (before, after) if segment.root] == ["job 0", "job 4"]
    assert (before.dropped, after.dropped) == ({}, failure.counted)
    environ = {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(tmp_path / "store")}
    (losses,) = [finding.text for finding in diagnose(environ) if finding.topic == "losses"]
    assert all(f"{reason} {count}" in losses for reason, count in failure.counted.items())


ODD = """
import asyncio, httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.routing import Route

class Odd(ValueError):
    def __str__(self): raise RuntimeError("no text")
    __repr__ = __str__

class Unprintable:
    def __repr__(self): raise RuntimeError("no text either")

async def odd(request):
    request.state.one = Unprintable()
    raise Odd(Unprintable())

async def caught(request):
    try:
        raise Odd(Unprintable())
    except Odd as error:
        return JSONResponse({"caught": type(error).__name__})

app = Starlette(routes=[Route("/odd", odd), Route("/caught", caught)])

async def main():
    for raises in (True, False):
        transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for path in ("/caught", "/odd", "/caught"):
                try:
                    answer = await client.get(path)
                    print(path, answer.status_code, answer.text)
                except Exception as error:
                    print(path, type(error).__name__)
asyncio.run(main())
"""


def test_r26_an_exception_without_a_text_ends_as_it_does_without_us(tmp_path: Path) -> None:
    off, record = (
        launching.launch(
            ODD, tmp_path, launching.recording(tmp_path / "store", TIMETRACER_MODE=mode, **launching.SPARED)
        )
        for mode in ("off", "record")
    )
    assert (record.returncode, record.stdout) == (off.returncode, off.stdout)
    assert "/caught 200" in record.stdout
    said = launching.without_what_is_off(record.stderr)
    assert len(ours(said)) <= 1  # that the text is lost
    assert [segment.complete for segment in segments(tmp_path)] == [True] * 6
    requests = [one for segment in segments(tmp_path) for one in segment.exchanges if one.type == "http.server"]
    assert [one.request["path"] for one in requests] == ["/caught", "/odd", "/caught"] * 2


ENDING = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from timetracer_otel.capture import guard
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.exporters import TimetracerSpanExporter
exporter, other = TimetracerSpanExporter(), TimetracerSpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
provider.add_span_processor(BatchSpanProcessor(other))
tracer = provider.get_tracer("app")
tracer.start_span("before").end()
if sys.argv[1] == "raises":
    def failing(*_, **__): raise RuntimeError("made to fail")
    Recorder.flush = failing
exporter.shutdown()
exporter.shutdown()
provider.shutdown()
provider.shutdown()
exporter.force_flush()
tracer.start_span("after").end()
raise ValueError("the app's own")
"""


@pytest.mark.parametrize("how", ["works", "raises"])
def test_r26_an_end_that_comes_twice_or_raises_leaves_the_apps_own_exception(how: str, tmp_path: Path) -> None:
    env = launching.environment(TIMETRACER_STORE=str(tmp_path / "store"))
    command = [sys.executable, "-c", ENDING, how]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ValueError: the app's own" in done.stderr
    assert [line.split(";")[0] for line in ours(done.stderr)] == (
        []
        if how == "works"
        else [f"timetracer: {tap} failed (RuntimeError: made to fail)" for tap in ("flush", "exit")]
    )
    assert "before" in [segment.root.name for segment in segments(tmp_path) if segment.root]


def test_a_store_is_named_by_a_path_too(tmp_path: Path) -> None:
    code = """
import pathlib
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from timetracer_otel.exporters import TimetracerSpanExporter
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(TimetracerSpanExporter(store=pathlib.Path("store"))))
provider.get_tracer("app").start_span("job").end()
"""
    env = launching.environment()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(segments(tmp_path)) == 1
    assert os.listdir(tmp_path) == ["store"]
