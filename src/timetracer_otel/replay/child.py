"""Runs the recorded entry, under opentelemetry-instrument: `python -m timetracer_otel.replay.child`.

Exit codes: 0 the entry ran to its end (whatever came of it), 2 it could not be run.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from timetracer_otel.cassette import values
from timetracer_otel.cassette.model import Exchange, Segment
from timetracer_otel.config import Settings
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Difference
from timetracer_otel.errors import ReplayError, TimetracerError
from timetracer_otel.redaction import Redactor, load_rules
from timetracer_otel.replay import bootstrap, journal
from timetracer_otel.replay.bootstrap import Replay
from timetracer_otel.replay.explain import reason_unfit
from timetracer_otel.replay.handed import APP, CODE, SECRETS
from timetracer_otel.replay.journal import PipeJournal
from timetracer_otel.replay.library import entry_of
from timetracer_otel.replay.places import is_code_of
from timetracer_otel.replay.processor import BAGGAGE
from timetracer_otel.replay.supplying import Supply
from timetracer_otel.replay.tape import exchange_of
from timetracer_otel.replay.veil import Veil

UNHEARD: Final = (
    "the app's answer was not heard: no instrumentor of its framework is installed, or it excludes the request"
)
HTTP: Final = "http.server"
UNHEARD_ADVICE: Final = "record it again with the instrumentor of its framework; `timetracer-otel doctor` says more"
EXEC_ADVICE: Final = "use `timetracer-otel exec` with a program that does the same"
WSGI: Final = frozenset(
    f"opentelemetry.instrumentation.{name}" for name in ("wsgi", "flask", "django", "falcon", "pyramid")
)
"""Whose spans are those of WSGI applications. Django's may be of an ASGI application too, which then has an entry."""
QUIET_S: Final = 2.0
POLL_S: Final = 0.01


def main() -> int:
    """The exit code. Exceptions of the app's start-up pass through: their traceback is what one needs to see."""
    replay = bootstrap.replay()
    if replay is None:
        sys.stderr.write("timetracer: no replay in this process; start it with `timetracer-otel replay`\n")
        return 2
    supplied = json.loads(os.environ.pop(SECRETS, "{}"))
    try:
        run(replay, os.environ.get(APP), supplied)
    except TimetracerError as error:
        replay.journal.write("error", **journal.error_json(error))
        return 2
    return 0


def run(replay: Replay, app_name: str | None, supplied: Mapping[str, str]) -> None:
    """Imports the app, sends it the recorded request, puts the comparison into the journal. Raises TimetracerError.

    `supplied`: secrets in place of their markers, see `supplying.Supply`.
    """
    recorded = entry_of(replay.segment)
    if recorded is None:
        raise _without_request(replay.segment)
    if (reason := reason_unfit(recorded)) is not None:
        replay.journal.write("incomplete", exchange=recorded.id, reason=reason)
        if recorded.dropped or not registry.runs_open(recorded):
            return
    rules = load_rules(Settings.from_environment().redact)
    entry = registry.entry(recorded.signature.lib)
    supply = Supply(supplied, entry.supplied, recorded)
    code = os.environ.get(CODE)
    app = load_app(app_name, replay.segment.name, code.split(os.pathsep) if code is not None else None)
    headers = [(b"baggage", f"{BAGGAGE}={replay.segment.id}".encode())]
    raised = replay.debugger.stop_at if replay.debugger is not None else None
    sent: list[Exchange] = []

    def entering(exchange: Exchange) -> Exchange:
        replay.start_entry()
        sent.append(_with_secrets(replay, supply, exchange))
        return sent[0]

    entry.run(app, replay.segment, recorded, headers, entering, raised)
    settle(replay)
    if replay.tape.entry is None:
        replay.journal.write("incomplete", exchange=None, reason=UNHEARD)
    else:
        redactor = Redactor(rules=rules).knowing(supply.known())
        asked = replace(recorded, request=sent[0].request)
        _compare(replay, supply, asked, exchange_of(replay.tape.entry, redactor))


def _with_secrets(replay: Replay, supply: Supply, exchange: Exchange) -> Exchange:
    """What is sent; from now on the report tells none of them."""
    sent = supply.into(exchange)
    replay.session.supplied(supply.secrets)
    if isinstance(replay.journal, PipeJournal):
        replay.journal.veil = Veil(supply.hidden())
    if told := supply.told():
        replay.journal.write("uncontrolled", text=told)
    answers = (each.result for each in replay.segment.exchanges if each.id != exchange.id)
    for text in (*supply.left(), *supply.held(answers)):
        replay.journal.write("masked", text=text)
    return sent


def _without_request(segment: Segment) -> ReplayError:
    kind = segment.entry.type if segment.entry is not None else "trace"
    if segment.root is not None and segment.root.scope in WSGI:
        return ReplayError(segment.name, "it is a request to a WSGI application, which is no entry", EXEC_ADVICE)
    advice = UNHEARD_ADVICE if kind == HTTP else EXEC_ADVICE
    return ReplayError(segment.name, f"its {kind} has no recorded request and cannot be run again", advice)


def load_app(name: str | None, segment: str, code: Sequence[str] | None = None) -> object:
    """`module:attribute` or `module:factory()`; with `code`, only what is defined in these folders.

    Raises ReplayError when there is no such thing.
    """
    if not name:
        raise ReplayError(segment, "the recording does not say which app answered", "name it: --app module:attribute")
    module_name, _, attribute = name.partition(":")
    factory = attribute.endswith("()")
    if code is not None:
        _check_code(module_name.partition(".")[0], name, code, is_new=True)
    found: Any = _module(module_name, name)
    for part in attribute.removesuffix("()").split("."):
        if not hasattr(found, part):
            problem = f"{module_name} has no {part}" if part else "it names no attribute"
            raise ReplayError(f"app {name}", problem, "write module:attribute")
        found = getattr(found, part)
        if code is not None and (factory or isinstance(found, ModuleType)):
            _check_code(_home(found), name, code)  # what the user's code has merely imported is not the user's
    return found() if factory else found


def _home(found: object) -> str:
    """The module that defines it."""
    return found.__name__ if isinstance(found, ModuleType) else str(getattr(found, "__module__", None))


def _check_code(module: str, app: str, code: Sequence[str], is_new: bool = False) -> None:
    """Raises ReplayError for a module that lies elsewhere. `is_new`: it is not imported yet, and if it is nowhere the
    import has an error of its own."""
    files = _files_of(module)
    if (files is None and is_new) or is_code_of(code, files or ()):
        return
    problem = f"the recording names {app!r}, and {module} is no code of {os.getcwd()}"
    raise ReplayError("entry.app", problem, f"if that is your app: --app '{app}'")


def _files_of(module: str) -> list[str] | None:
    """None when there is no such module. A package's parent is not imported: only names without a dot are looked up."""
    if (known := sys.modules.get(module)) is not None:
        spec = getattr(known, "__spec__", None)
    elif (spec := _spec(module)) is None:
        return None
    if spec is None:
        return []
    return [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.has_location and spec.origin else [])]


def _spec(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None


def _module(name: str, app: str) -> object:
    try:
        if name.startswith("."):
            raise ValueError("a relative name")
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise  # the app's own import is what fails: its traceback says where
        advice = "run from the folder of the app, or name it: --app module:attribute"
        raise ReplayError(f"app {app}", f"no module {missing!r} in {os.getcwd()} or on sys.path", advice) from error
    except ValueError as error:  # an empty name
        raise ReplayError(f"app {app}", "not an importable name", "write module:attribute") from error


def settle(replay: Replay) -> None:
    """Waits for work that outlives the entry: until no span is open and every exchange is used, or nothing was asked
    for a while."""
    quiet_since, asked = time.monotonic(), replay.session.asked
    while replay.processor.has_open_spans or not replay.session.is_used_up:
        if replay.session.asked != asked:
            quiet_since, asked = time.monotonic(), replay.session.asked
        if time.monotonic() - quiet_since >= QUIET_S:
            return
        time.sleep(POLL_S)


def _compare(replay: Replay, supply: Supply, recorded: Exchange, replayed: Exchange) -> None:
    driver = registry.entry(recorded.signature.lib)
    was, now = driver.outcome(recorded), driver.outcome(replayed)
    fields = {"recorded": values.encode(was.fields), "replayed": values.encode(now.fields)}
    replay.journal.write("outcome", **fields, traceback=_traceback(replayed))
    if not recorded.complete:  # there is no outcome to compare it with
        return
    found = driver.compare(recorded, replayed)
    differences = (each for each in found.differences if not supply.are_same(each.recorded, each.replayed))
    left = [each for each in differences if not replay.session.explains(each.recorded, each.replayed)]
    replay.journal.write(
        "comparison",
        differences=[_difference_json(each) for each in left],
        ignored=[{"path": each.path, "reason": each.reason} for each in found.ignored],
        on_request=[_difference_json(each) for each in found.on_request],
    )


def _traceback(replayed: Exchange) -> str:
    exception = replayed.result.get("exception")
    text = exception.get("traceback") if isinstance(exception, Mapping) else None
    return text if isinstance(text, str) else ""


def _difference_json(each: Difference) -> dict[str, Any]:
    return {"path": each.path, "recorded": values.encode(each.recorded), "replayed": values.encode(each.replayed)}


if __name__ == "__main__":
    sys.exit(main())
