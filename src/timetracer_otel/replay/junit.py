"""What came of replays as JUnit's XML, as CI systems read it: one test case per segment."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from timetracer_otel.cassette.escaping import safe
from timetracer_otel.replay.summary import Result, Summary
from timetracer_otel.replay.summary_text import line
from timetracer_otel.replay.text import render

SUITE: Final = "timetracer-otel replay"
FORBIDDEN: Final = dict.fromkeys((65534, 65535), "�")
"""What `safe` lets through and XML does not have, beyond the surrogates."""


def render_junit(summary: Summary) -> bytes:
    """UTF-8. A deviation is a failure; what could not be replayed or decided is an error: neither passes."""
    counts = summary.counts
    suite = Element("testsuite", name=SUITE, tests=str(len(summary.results)))
    suite.set("failures", str(counts["deviates"]))
    suite.set("errors", str(counts["failed"] + counts["inconclusive"]))
    suite.set("time", f"{sum(each.duration_s for each in summary.results):.3f}")
    for result in summary.results:
        suite.append(_case(result))
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    return bytes(tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(result: Result) -> Element:
    report = result.report
    entry = report.entry if report is not None else ""
    case = Element("testcase", classname=_text(entry) or SUITE, name=_text(result.name))
    case.set("time", f"{result.duration_s:.3f}")
    if result.ending != "same":
        kind = "failure" if result.ending == "deviates" else "error"
        found = SubElement(case, kind, type=result.ending, message=_text(line(result)))
        found.text = _text(render(report), is_safe=True) if report is not None else _text(result.problem)
    return case


def _text(text: str, is_safe: bool = False) -> str:
    return (text if is_safe else safe(text)).translate(FORBIDDEN)
