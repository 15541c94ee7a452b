"""`timetracer-otel pull`"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import backends, settings
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.cli.output import json_text, print_table
from timetracer_otel.errors import DamagedCassette, UsageError
from timetracer_otel.store import save_bundle
from timetracer_otel.store.files import read_regular
from timetracer_otel.store.saving import save_trace

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    from timetracer_otel.exporters.otlp.candidates import Candidate
    from timetracer_otel.exporters.otlp.decoding import Pulled

INCOMPLETE: Final = 3
HEADINGS: Final = ("trace", "started", "ms", "entry", "outcome", "spans")
DEFAULT_SINCE: Final = "1h"
DEFAULT_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Search:
    """What `pull` without a trace id lists."""

    service: str | None
    tags: Sequence[str]
    since: str | None
    limit: int

    @property
    def is_empty(self) -> bool:
        return self.service is None and not self.tags and self.since is None


def print_pull(
    store: str | None,
    trace: str | None,
    source: str,
    search: Search,
    output: str | None,
    payloads: str | None,
    as_json: bool,
) -> int:
    """3 if something of the trace did not come back. Raises TimetracerError, OSError: then nothing was written."""
    backends.check_extra("pull")
    is_url = "://" in source
    if trace is None and is_url:
        if output is not None:
            raise UsageError(
                "--output", "without a trace id traces are only listed", "name a TRACE_ID, or leave it out"
            )
        return _print_candidates(source, search, as_json)
    if output is not None and store is not None:
        raise UsageError("--output, --store", "each says where the trace goes", "name one of them")
    if not search.is_empty:
        raise UsageError("--service, --tags, --since", "they choose what is listed", "leave out the trace id, or them")
    pulled = _chosen(_read(source, trace, is_url), trace, source, payloads)
    path = _save(store, pulled, output, source)
    for problem in pulled.problems:
        print(safe(f"{pulled.trace_id}: {problem}"), file=sys.stderr)
    if as_json:
        print(json_text({"trace_id": pulled.trace_id, "path": str(path), "problems": list(pulled.problems)}))
    else:
        print(safe(str(path)))
    return INCOMPLETE if pulled.problems else 0


def _read(source: str, trace: str | None, is_url: bool) -> TracesData:
    from timetracer_otel.exporters.otlp.jaeger import checked_trace_id, fetch
    from timetracer_otel.exporters.otlp.reading import read
    from timetracer_otel.exporters.otlp.transfer import checked_url

    if is_url:
        return fetch(checked_url(source, "--from"), checked_trace_id(trace or ""), backends.connection())
    path = Path(settings.not_empty("--from", source))
    try:
        return read(read_regular(path), source)
    except FileNotFoundError:
        raise UsageError("--from", f"{source!r} is neither a URL nor a file", "correct it") from None


def _chosen(data: TracesData, trace: str | None, source: str, payloads: str | None) -> Pulled:
    """Raises CassetteError, UsageError."""
    from timetracer_otel.exporters.otlp.decoding import decode
    from timetracer_otel.exporters.otlp.jaeger import checked_trace_id

    wanted = None if trace is None else checked_trace_id(trace)
    found = decode(data, source, backends.get_from(payloads))
    recorded = {trace_id: one for trace_id, one in found.items() if one.parts}
    if wanted is None and len(recorded) > 1:
        raise UsageError(
            source, f"it holds {len(recorded)} recorded traces", f"name one: {', '.join(list(recorded)[:5])}"
        )
    pulled = next(iter(recorded.values()), None) if wanted is None else recorded.get(wanted)
    if pulled is not None:
        return pulled
    if wanted is not None and wanted not in found:
        raise DamagedCassette(source, f"it holds no trace {wanted}")
    others = found[wanted].others if wanted is not None else sum(one.others for one in found.values())
    problem = f"it holds {others} spans, and none with payloads: a plain exporter has sent them"
    raise UsageError(source, problem, "record with OTEL_TRACES_EXPORTER=timetracer_otlp, or push a cassette")


def _save(store: str | None, pulled: Pulled, output: str | None, source: str) -> Path:
    from timetracer_otel.exporters.otlp.masking import masked
    from timetracer_otel.exporters.otlp.splitting import environments_of, parts_of

    cassette = masked(pulled.cassette(source), backends.rules())
    if output is not None:
        return save_bundle(in_readable_form(cassette), settings.file_to_write("--output", output))
    root = settings.store(store).root
    try:
        return save_trace(root, pulled.trace_id, parts_of(cassette), environments_of(cassette))
    except FileExistsError as error:
        advice = "open that, or pull into a file with --output, or into another --store"
        raise UsageError(str(error.filename), "the store has this trace already", advice) from None
    except ValueError as error:
        raise DamagedCassette(source, str(error)) from None


# ---- candidates ------------------------------------------------------------------------------------------------------


def _print_candidates(source: str, search: Search, as_json: bool) -> int:
    from timetracer_otel.exporters.otlp import candidates
    from timetracer_otel.exporters.otlp.transfer import checked_url

    if search.service is None:
        raise UsageError("pull", "neither a trace id nor a service is named", "name a TRACE_ID, or list with --service")
    since_s = settings.positive_s(search.since or DEFAULT_SINCE, "--since")
    service = settings.not_empty("--service", search.service)
    wanted = candidates.Wanted(service, _tags(search.tags), since_s, search.limit)
    found = candidates.search(checked_url(source, "--from"), wanted, backends.connection())
    if as_json:
        print(json_text([asdict(each) for each in found]))
    elif found:
        print_table(HEADINGS, [_row(each) for each in found], elastic=("entry", "outcome"))
    else:
        print(
            safe(f"no recorded trace of {search.service} in the last {search.since or DEFAULT_SINCE}"), file=sys.stderr
        )
    return 0


def _tags(words: Sequence[str]) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise UsageError("--tags", f"{word!r} is not NAME=VALUE", "write one such as timetracer.entry=http.server")
        tags[name] = value
    return tags


def _row(one: Candidate) -> list[str]:
    seconds = min(max(one.started_us // 1_000_000, 0), 253_402_300_799)
    started = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    duration = f"{one.duration_us / 1000:.1f}"
    return [safe(each) for each in (one.trace_id, started, duration, one.entry, one.outcome, str(one.spans))]
