"""Every way to start: each records the statement and its answer, without what it records twice, sampled or not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from tests import launching
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Segment
from timetracer_otel.store import Store

pytestmark = pytest.mark.postgres

JOB = """
import os, psycopg
from opentelemetry import trace

def job(tracer, name="job"):
    with tracer.start_as_current_span(name), psycopg.connect(os.environ["SHOP_DSN"], autocommit=True) as db:
        print(name, db.execute("select upper(%s)", ("hello",)).fetchone()[0])
"""
GLOBAL = JOB + "job(trace.get_tracer('app'))"
BY_HAND = """
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from timetracer_otel.exporters import TimetracerSpanExporter
provider = TracerProvider()
"""
BEFORE = (
    "trace.set_tracer_provider(provider)\nprovider.add_span_processor(SimpleSpanProcessor(TimetracerSpanExporter()))"
)
AFTER = "provider.add_span_processor(BatchSpanProcessor(TimetracerSpanExporter()))\ntrace.set_tracer_provider(provider)"
NEVER = "provider.add_span_processor({}(TimetracerSpanExporter()))"
INSTRUMENT = "PsycopgInstrumentor().instrument(tracer_provider=provider)"
CONFIG = """
file_format: "1.0"
tracer_provider:
  sampler: {{{sampler}: {{}}}}
  processors:
    - {processor}: {{exporter: {{timetracer: {arguments}}}}}
"""


@dataclass(frozen=True, slots=True)
class Way:
    """How the program that asks PostgreSQL is started."""

    code: str
    is_launched: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] | None = None
    """`processor` and `arguments` of OTEL_CONFIG_FILE."""
    jobs: tuple[str, ...] = ("job",)


def by_hand(*lines: str, jobs: tuple[str, ...] = ("job",)) -> Way:
    body = JOB + BY_HAND + "\n".join(lines)
    return Way(body if "job(" in "".join(lines) else f"{body}\njob(provider.get_tracer('app'))", False, jobs=jobs)


NAMED = {"OTEL_TRACES_EXPORTER": "timetracer"}
WAYS = {
    "launcher": Way(GLOBAL, variables=NAMED),
    "launcher without a configurator": Way(GLOBAL, variables={**NAMED, "OTEL_PYTHON_CONFIGURATOR": "none"}),
    "configuration file, batch": Way(GLOBAL, config={"processor": "batch", "arguments": "{}"}),
    "configuration file, simple, beside the variable": Way(
        GLOBAL, variables=NAMED, config={"processor": "simple", "arguments": ""}
    ),
    "configuration file, a store": Way(GLOBAL, config={"processor": "batch", "arguments": "{{store: elsewhere}}"}),
    "by hand, provider set before": by_hand(BEFORE, INSTRUMENT),
    "by hand, provider set after": by_hand(AFTER, INSTRUMENT),
    "by hand, never set, simple": by_hand(INSTRUMENT, NEVER.format("SimpleSpanProcessor")),
    "by hand, never set, batch": by_hand(NEVER.format("BatchSpanProcessor"), INSTRUMENT),
    "by hand, two providers": by_hand(
        BEFORE,
        INSTRUMENT,
        "second = TracerProvider()",
        "second.add_span_processor(BatchSpanProcessor(TimetracerSpanExporter()))",
        "job(provider.get_tracer('app'), 'first')",
        "job(second.get_tracer('app'), 'second')",
        jobs=("first", "second"),
    ),
    "from code, to a provider that is in use": by_hand(
        "tracer = provider.get_tracer('app')",
        INSTRUMENT,
        "tracer.start_span('early').end()",
        "import timetracer_otel",
        "timetracer_otel.install(provider=provider)",
        "job(tracer)",
    ),
}
UNSAMPLED = (
    "launcher",
    "configuration file, batch",
    "by hand, never set, batch",
    "from code, to a provider that is in use",
)


def start(way: Way, folder: Path, dsn: str, sampler: str, **variables: str) -> str:
    """What the program wrote to stderr. It must have done what it does without us."""
    quiet = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_TRACES_SAMPLER": sampler}
    store = {"TIMETRACER_STORE": str(folder / "elsewhere")}
    if way.config is not None:
        pytest.importorskip("opentelemetry.configuration", reason="this OpenTelemetry reads no configuration file")
        quiet["OTEL_CONFIG_FILE"] = str(folder / "otel.yaml")
        (folder / "otel.yaml").write_text(_config(way.config, sampler))
        store = {} if "elsewhere" in way.config["arguments"] else store
    few = launching.instrumented("psycopg") if way.is_launched else {}
    env = launching.environment(SHOP_DSN=dsn, **{**quiet, **few, **store, **way.variables, **variables})
    launcher = launching.LAUNCHER if way.is_launched else ()
    command = [*launcher, sys.executable, "-c", way.code]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "".join(f"{job} HELLO\n" for job in way.jobs)), done.stderr
    return launching.without_what_is_off(done.stderr)


def _config(config: Mapping[str, str], sampler: str) -> str:
    arguments = config["arguments"].replace("{{", "{").replace("}}", "}")
    return CONFIG.format(sampler=sampler, processor=config["processor"], arguments=arguments)


def segments(folder: Path) -> list[Segment]:
    """Whatever was recorded, the oldest first."""
    store = Store(folder / "elsewhere")
    traces = reversed(store.list_traces().traces)
    return [segment for trace in traces for segment in store.open_cassette(trace.trace_id)[0].segments]


def assert_jobs(found: list[Segment], jobs: tuple[str, ...]) -> None:
    """Each with its statement, whole, once."""
    assert [segment.root.name if segment.root else None for segment in found] == list(jobs)
    for segment in found:
        assert segment.complete
        assert set(Counter(span.span_id for span in segment.spans).values()) == {1}
        (query,) = [one for one in segment.exchanges if one.request.get("parameters")]
        assert (query.request["statement"], query.request["parameters"]) == ("select upper($1)", ["hello"])
        assert query.complete
        assert "HELLO" in str(query.result)


@pytest.mark.parametrize("name", WAYS)
def test_r23_each_way_to_start_records_the_statement_and_its_answer_once(
    name: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    said = start(WAYS[name], tmp_path, postgres.dsn, "always_on")
    assert_jobs(segments(tmp_path), WAYS[name].jobs)
    assert [line for line in said.splitlines() if line.startswith("timetracer")] == (
        [
            "timetracer: OTEL_PYTHON_CONFIGURATOR names none, which is not installed: "
            "recording with a plain tracer provider; unset it, or use configurator"
        ]
        if name == "launcher without a configurator"
        else []
    )


@pytest.mark.parametrize("name", UNSAMPLED)
def test_r28_what_is_not_sampled_is_recorded_by_each_way_where_it_is_asked_for(
    name: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    if "in use" in name and not hasattr(TracerProvider(shutdown_on_exit=False), "_tracers"):
        pytest.skip("the provider of this SDK forgets its tracers")
    start(WAYS[name], tmp_path, postgres.dsn, "always_off", TIMETRACER_RECORD_UNSAMPLED="1")
    assert_jobs(segments(tmp_path), WAYS[name].jobs)


# ---- another vendor's distro -----------------------------------------------------------------------------------------

VENDOR = """
import os
from opentelemetry import trace
from opentelemetry.instrumentation.distro import BaseDistro
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

def request_hook(span, scope):
    scope["vendor.span"] = span
    span.set_attribute("vendor.request", scope["path"])

def response_hook(span, scope, message):
    if message["type"] == "http.response.start":
        scope["vendor.span"].set_attribute("vendor.response", message["status"])

class Distro(BaseDistro):
    def _configure(self, **kwargs):
        os.environ["VENDOR_IS_HERE"] = "1"

    def load_instrumentor(self, entry_point, **kwargs):
        is_http = entry_point.name == "starlette"
        hooks = {"server_request_hook": request_hook, "client_response_hook": response_hook} if is_http else {}
        entry_point.load()().instrument(**hooks, **kwargs)

class Exporter(SpanExporter):
    def export(self, spans):
        with open("vendor.txt", "a") as file:
            for span in spans:
                file.write(repr((span.name, span.kind.name, sorted(span.attributes.items()))) + "\\n")
        return SpanExportResult.SUCCESS

class Reading(_OTelSDKConfigurator):
    def _configure(self, **kwargs):
        super()._configure(**kwargs)
        trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(Exporter()))

class Deaf:
    def configure(self, **kwargs):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(Exporter()))
        trace.set_tracer_provider(provider)
"""
ENTRY_POINTS = """
[opentelemetry_distro]
vendor = vendor:Distro
[opentelemetry_configurator]
vendor = vendor:{configurator}
"""
HTTP = """
import asyncio, os, httpx, psycopg
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def greet(request):
    async with await psycopg.AsyncConnection.connect(os.environ["SHOP_DSN"], autocommit=True) as db:
        cursor = await db.execute("select upper(%s)", (request.path_params["name"],))
        return PlainTextResponse((await cursor.fetchone())[0])

async def ask(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        print((await client.get("/greet/hello")).text, os.environ.get("VENDOR_IS_HERE"))

app = Starlette(routes=[Route("/greet/{name}", greet)])
"""


def install_vendor(folder: Path, configurator: str) -> None:
    """As pip would, below `folder`."""
    (folder / "vendor-1.0.dist-info").mkdir(parents=True)
    (folder / "vendor.py").write_text(VENDOR)
    (folder / "vendor-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vendor\nVersion: 1.0\n")
    (folder / "vendor-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS.format(configurator=configurator))


def serve(
    code: str, folder: Path, dsn: str, variables: Mapping[str, str] | None = None, is_launched: bool = True
) -> tuple[str, str]:
    """What a program that answers one request wrote to stdout and stderr."""
    path = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH", "")]))
    store = str(folder / "elsewhere")
    few = launching.instrumented("psycopg", "starlette") if is_launched else {}
    env = launching.environment(SHOP_DSN=dsn, TIMETRACER_STORE=store, PYTHONPATH=path, **few, **(variables or {}))
    command = [*(launching.LAUNCHER if is_launched else ()), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, launching.without_what_is_off(done.stderr)


def assert_greeted(found: list[Segment]) -> Segment:
    """One request, with what it was asked and what it asked for, each once."""
    (segment,) = found
    assert segment.complete
    assert sorted(one.type for one in segment.exchanges if one.type != "net.connect") == ["db.query", "http.server"]
    (query,) = [one for one in segment.exchanges if one.type == "db.query"]
    assert query.request["parameters"] == ["hello"]
    return segment


@pytest.mark.parametrize("configurator", ["Reading", "Deaf"])
def test_r23_beside_a_vendors_distro_with_hooks_of_its_own_both_get_everything(
    configurator: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    install_vendor(tmp_path / "site", configurator)
    vendor = {"OTEL_PYTHON_DISTRO": "vendor", "OTEL_PYTHON_CONFIGURATOR": "vendor", "OTEL_TRACES_EXPORTER": "none"}
    serve(HTTP + "asyncio.run(ask(app))", tmp_path, postgres.dsn, vendor)
    without = (tmp_path / "vendor.txt").read_text()
    (tmp_path / "vendor.txt").unlink()
    printed, said = serve(
        HTTP + "asyncio.run(ask(app))", tmp_path, postgres.dsn, {**vendor, "OTEL_TRACES_EXPORTER": "timetracer"}
    )
    assert (printed, "timetracer" in said) == ("HELLO 1\n", False)
    assert (tmp_path / "vendor.txt").read_text() == without
    root = assert_greeted(segments(tmp_path)).root
    assert root is not None
    assert (root.attributes["vendor.request"], root.attributes["vendor.response"]) == ("/greet/hello", 200)
    assert "vendor.request" in without


# ---- instrumentors switched on late, twice, in another way -----------------------------------------------------------

INSTALL = "import timetracer_otel\ntimetracer_otel.install()\n"
LATE = """
from opentelemetry import trace
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
db = psycopg.connect(os.environ["SHOP_DSN"], autocommit=True)
db.execute("select 1")
{switch}
with trace.get_tracer("app").start_as_current_span("job"):
    print("job", db.execute("select upper(%s)", ("hello",)).fetchone()[0])
"""
SWITCHES = {
    "late": f"{INSTALL}PsycopgInstrumentor().instrument()",
    "we are late": f"PsycopgInstrumentor().instrument()\n{INSTALL}",
    "twice": f"{INSTALL}PsycopgInstrumentor().instrument()\nPsycopgInstrumentor().instrument()\n{INSTALL}",
    "off and on": f"{INSTALL}one = PsycopgInstrumentor()\none.instrument()\none.uninstrument()\none.instrument()",
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_r23_a_client_that_exists_already_is_recorded_once(
    switch: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    code = "import os, psycopg" + LATE.format(switch=SWITCHES[switch])
    start(Way(code, is_launched=False), tmp_path, postgres.dsn, "always_on")
    assert_jobs(segments(tmp_path), ("job",))


HAND_MADE = {
    "instrument_app": """
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
StarletteInstrumentor.instrument_app(app)
""",
    "contrib's middleware": """
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
app = OpenTelemetryMiddleware(app)
""",
    "Starlette's own middleware": """
from starlette.middleware.opentelemetry import OpenTelemetryMiddleware
app = OpenTelemetryMiddleware(app)
""",
    "FastAPI's own tracing": """
from fastapi import FastAPI
native = FastAPI()
native.add_route("/greet/{name}", greet)
app = native
""",
}

NEEDS = {
    "Starlette's own middleware": "starlette.middleware.opentelemetry",
    "FastAPI's own tracing": "fastapi.telemetry",
}
PSYCOPG = "from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor\nPsycopgInstrumentor().instrument()"


@pytest.mark.parametrize("how", HAND_MADE)
def test_r23_an_app_that_was_built_before_is_recorded_without_an_instrumentor_that_goes_in(
    how: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    if how in NEEDS:
        pytest.importorskip(NEEDS[how], reason="this release does not trace by itself")
    code = f"{HTTP}{INSTALL}{PSYCOPG}{HAND_MADE[how]}\nasyncio.run(ask(app))"
    assert serve(code, tmp_path, postgres.dsn, is_launched=False) == ("HELLO None\n", "")
    assert_greeted(segments(tmp_path))


# ---- what is missing is said -----------------------------------------------------------------------------------------

HIDDEN = """
class Hiding(SpanProcessor):
    def __init__(self, exporter): self.hidden = exporter
    def on_end(self, span): self.hidden.export((span,))
"""


def test_r23_a_processor_that_hides_the_exporter_records_spans_and_says_what_is_missing(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    hiding = f"from opentelemetry.sdk.trace import SpanProcessor{HIDDEN}"
    way = by_hand(hiding, INSTRUMENT, "provider.add_span_processor(Hiding(TimetracerSpanExporter()))")
    said = start(way, tmp_path, postgres.dsn, "always_on")
    (segment,) = segments(tmp_path)
    assert segment.root is not None
    assert segment.root.name == "job"
    (line,) = said.splitlines()
    assert "timetracer_otel.install(provider=...)" in line
