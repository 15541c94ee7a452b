"""Our provider stands in until the application sets its own: real processes, since there is one global provider."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from tests import launching
from timetracer_otel.store import Store

pytestmark = pytest.mark.skipif(
    not hasattr(TracerProvider(shutdown_on_exit=False), "_tracers"),
    reason="the provider of this SDK forgets its tracers",
)
OWN = """
import timetracer_otel
timetracer_otel.install()
from opentelemetry import trace
early = trace.get_tracer("instrumentor")
with early.start_as_current_span("before"):
    pass
open_span = early.start_span("across")

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
memory = InMemorySpanExporter()
own = TracerProvider(resource=Resource({"service.name": "own"}))
own.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(own)
assert trace.get_tracer_provider() is own
open_span.end()
for tracer in (early, trace.get_tracer("app")):
    tracer.start_span("after").end()
print([(span.name, span.resource.attributes["service.name"]) for span in memory.get_finished_spans()])
"""


def run(code: str, folder: Path, *launcher: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = launching.environment(TIMETRACER_STORE=str(folder / "store"), **variables)
    command = [*launcher, sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)


def names(folder: Path) -> list[str]:
    store = Store(folder / "store")
    cassettes = [store.open_cassette(trace.trace_id)[0] for trace in store.list_traces().traces]
    return sorted(span.name for cassette in cassettes for segment in cassette.segments for span in segment.spans)


def test_a_provider_that_the_app_sets_later_gets_the_spans_that_it_gets_without_us(tmp_path: Path) -> None:
    done = run(OWN, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[('after', 'own'), ('after', 'own')]\n"
    assert names(tmp_path) == ["across", "after", "after", "before"]


def test_only_ours_gives_way(tmp_path: Path) -> None:
    code = OWN + "trace.set_tracer_provider(TracerProvider())\nassert trace.get_tracer_provider() is own"
    done = run(code, tmp_path)
    assert done.returncode == 0
    assert done.stderr == "Overriding of current TracerProvider is not allowed\n"


def test_one_that_takes_no_processor_is_named_and_stays(tmp_path: Path) -> None:
    code = """
import timetracer_otel
timetracer_otel.install()
from opentelemetry import trace
class Provider(trace.TracerProvider):
    def get_tracer(self, *_, **__):
        return trace.NoOpTracer()
own = Provider()
trace.set_tracer_provider(own)
assert trace.get_tracer_provider() is own
"""
    done = run(code, tmp_path)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "__main__.Provider takes no span processor: nothing is recorded" in line


def test_what_is_not_sampled_is_recorded_under_the_new_one_too(tmp_path: Path) -> None:
    variables = {"TIMETRACER_RECORD_UNSAMPLED": "1", "OTEL_TRACES_SAMPLER": "always_off"}
    done = run(OWN, tmp_path, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
    assert names(tmp_path) == ["across", "after", "after", "before"]


def test_under_the_launcher_without_a_configurator_it_gives_way_as_well(tmp_path: Path) -> None:
    code = OWN.replace("import timetracer_otel\ntimetracer_otel.install()\n", "")
    variables = {"OTEL_TRACES_EXPORTER": "timetracer", "OTEL_PYTHON_CONFIGURATOR": "absent", **launching.SPARED}
    done = run(code, tmp_path, *launching.LAUNCHER, **variables)
    assert (done.returncode, done.stdout) == (0, "[('after', 'own'), ('after', 'own')]\n")
    assert names(tmp_path) == ["across", "after", "after", "before"]
