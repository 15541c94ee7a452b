"""Exports replayed spans outside the namespace, through what the user's OTEL_TRACES_EXPORTER names besides us."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from timetracer_otel.replay.spans_json import span_of

GROUP: Final = "opentelemetry_traces_exporter"
OURS: Final = frozenset({"timetracer", "timetracer_otlp", "none", ""})
BATCH: Final = 512

log = logging.getLogger("timetracer_otel")


def export(spans: Iterable[Mapping[str, Any]], environ: Mapping[str, str] = os.environ) -> None:
    """Sends spans as `spans_json.span_json` wrote them. A backend that is down is logged: the verdict needs it not."""
    exporters = list(_exporters(environ))
    if not exporters:
        return
    found = list(_readable(spans))
    for name, exporter in exporters:
        for start in range(0, len(found), BATCH):
            if exporter.export(found[start : start + BATCH]) is not SpanExportResult.SUCCESS:
                log.warning("timetracer: the replayed spans did not reach the exporter %s", name)
                break
        exporter.shutdown()


def _exporters(environ: Mapping[str, str]) -> Iterator[tuple[str, SpanExporter]]:
    for name in map(str.strip, environ.get("OTEL_TRACES_EXPORTER", "").split(",")):
        if name in OURS:
            continue
        found = next(iter(entry_points(group=GROUP, name=name)), None)
        if found is None:
            log.warning("timetracer: OTEL_TRACES_EXPORTER names %r, which is not installed", name)
        else:
            yield name, found.load()()


def _readable(spans: Iterable[Mapping[str, Any]]) -> Iterator[ReadableSpan]:
    for data in spans:
        try:
            yield span_of(data)
        except (KeyError, TypeError, ValueError) as error:  # the journal is written by a process that runs any code
            log.warning("timetracer: a replayed span could not be read (%s)", error)
