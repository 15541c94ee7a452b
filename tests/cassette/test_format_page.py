"""`docs/cassette-format.md` is the one schema: its tables name what the writer writes and the loader reads, no more."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_PART, TRACE_ID, query
from timetracer_otel.cassette import (
    Acquire,
    Blob,
    Generated,
    Part,
    SpanEvent,
    SpanLink,
    as_json,
    dump_environment,
    dump_part,
    load,
    merge,
)
from timetracer_otel.cassette.blobs import BLOB, INLINE_MAX_BYTES, PAYLOAD, payload_mark
from timetracer_otel.cassette.fields import Fields
from timetracer_otel.cassette.values import _MARKED, encode
from timetracer_otel.config import MIB

PAGE: Final = (Path(__file__).parents[2] / "docs" / "cassette-format.md").read_text()
SECTION: Final = re.compile(r"^#{2,3} ([^\n]+)\n(.*?)(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)
ROW: Final = re.compile(r"^\| (`[^|]*`) \|", re.MULTILINE)
NAME: Final = re.compile(r"`([a-z_0-9]+)`")

PLACES: Final = {
    "Entry": "entry",
    "Span": "spans",
    "Event of a span": "spans.events",
    "Link of a span": "spans.links",
    "Connection": "connections",
    "Process": "process",
    "Generated": "generated",
    "Acquire": "pools",
    "Exchange": "exchanges",
    "Signature": "exchanges.signature",
}
"""Where the object of a section stands in a part file."""
FULL_SPAN: Final = replace(
    ROOT_PART.spans[0],
    events=(SpanEvent("event", 1, dropped=1),),
    links=(SpanLink(TRACE_ID, ROOT_PART.segment, dropped=1),),
    scope_schema_url="https://opentelemetry.io/schemas/1.11.0",
    scope_attributes={"part": "web"},
    dropped={"events": 1},
)
FULL_PART: Final[Part] = replace(
    ROOT_PART,
    spans=(FULL_SPAN,),
    resource_schema_url="https://opentelemetry.io/schemas/1.11.0",
    generated=(Generated("uuid4", "shop/web.py:1", 0, "value"),),
    pools=(Acquire("asyncpg", "", 1, 2, 3, 4, 5, 6, error="TimeoutError", message="too late"),),
    exchanges=(replace(query(1), dropped={"reason": "limit", "size": 1}, redacted=("request.a",)),),
)
PAYLOADS: Final = (
    *("request", "result", "resource", "attributes", "parameters", "packages", "variables", "dropped"),
    "scope_attributes",
)


def documented() -> Mapping[str, set[str]]:
    """The names in the first column of each section's table that has the column `Type`."""
    return {
        title: {name for row in ROW.findall(text) for name in NAME.findall(row)}
        for title, text in SECTION.findall(PAGE)
        if "| Field | Type |" in text
    }


def written(json: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Place and name of every field in a document."""
    for each in json if isinstance(json, list) else [json]:
        for name, value in each.items() if isinstance(each, dict) else ():
            yield place, name
            if name not in PAYLOADS:
                yield from written(value, f"{place}.{name}".lstrip("."))


def by_place(pairs: Iterator[tuple[str, str]]) -> Mapping[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for place, name in pairs:
        found[place].add(name)
    return found


PART_JSON: Final = orjson.loads(dump_part(FULL_PART))
ENVIRONMENT_JSON: Final = orjson.loads(dump_environment(ENVIRONMENT_PART))
BUNDLE_JSON: Final = as_json(merge(TRACE_ID, [FULL_PART], [ENVIRONMENT_PART]))


def test_every_field_that_is_written_is_documented_and_every_documented_one_is_written() -> None:
    part, bundle = by_place(written(PART_JSON)), by_place(written(BUNDLE_JSON))
    assert documented() == {
        "Part file": part[""],
        **{section: part[place] for section, place in PLACES.items()},
        "Environment file": set(ENVIRONMENT_JSON),
        "Bundle": bundle[""],
        "Segment of a bundle": bundle["segments"],
        "Environment of a bundle": bundle["environments"],
    }


def test_every_field_that_is_read_is_documented_and_every_documented_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []

    class Watched(dict[str, Any]):
        """An object of a document that remembers what it was asked for."""

        place = ""

        def get(self, name: str, default: Any = None) -> Any:
            asked.append((self.place, name))
            return super().get(name, default)

    original = Fields.__init__

    def watching(self: Fields, value: object, where: str = "") -> None:
        original(self, value, where)
        self._values = Watched(self._values)
        self._values.place = re.sub(r"\[\d+\]", "", where)

    monkeypatch.setattr(Fields, "__init__", watching)
    for section, document in (("Part file", PART_JSON), ("Environment file", ENVIRONMENT_JSON)):
        asked.clear()
        load(orjson.dumps(document), "p")
        read = by_place(iter(asked))
        assert read[""] | {"timetracer"} == documented()[section]
        if document is PART_JSON:
            assert {name: read[place] for name, place in PLACES.items()} == {
                name: documented()[name] for name in PLACES
            }
    asked.clear()
    load(orjson.dumps(BUNDLE_JSON), "b")
    read = by_place(iter(asked))
    assert read[""] | {"timetracer"} == documented()["Bundle"]
    assert read["segments"] == documented()["Segment of a bundle"]
    assert read["environments"] == documented()["Environment of a bundle"]


def test_the_marks_that_are_documented_are_those_that_are_read() -> None:
    values = dict(SECTION.findall(PAGE))["Values"]
    marks = set(re.findall(r'\{"(\$[a-z0-9]+)":', values))
    assert marks - {"$set"} == {*_MARKED, "$map", BLOB}
    assert PAYLOAD in PAGE


def test_what_lies_beside_is_documented_with_its_fields() -> None:
    blob = encode(Blob("ab" * 32, 0, 65536))[BLOB]
    assert list(blob) == [field.name for field in fields(Blob)]
    assert '{"$blob": {"sha256": "…", "offset": 0, "size": 65536}}' in PAGE
    assert list(payload_mark("ab" * 32, 1)[PAYLOAD]) == ["sha256", "size"]
    assert '{"$payload": {"sha256": "…", "size": 2000000}}' in PAGE
    assert INLINE_MAX_BYTES == MIB
    assert "longer than 1 MiB" in PAGE
