"""What drivers say of exchanges, which may be of anybody's making."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.samples import ROOT_PART
from tests.cassette.strategies import any_value, exchanges
from timetracer_otel.cassette import Exchange, Signature, Value, merge
from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.cli.describe import describe
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Description
from timetracer_otel.errors import DamagedCassette, Unconvertible

NAMES = st.sampled_from(["statement", "parameters", "parameter_types", "parameter_formats", "results", "columns"])
NAMES |= st.sampled_from(["formats", "rows", "values", "data", "copy", "tag", "name", "oid", "error", "C", "M"])
NAMES |= st.sampled_from(["path", "query_string", "body_size", "status", "exception", "type", "message", "traceback"])
NAMES |= st.sampled_from(["service", "operation", "params", "attempts", "body", "unread", "code", "arguments"])
shapes: st.SearchStrategy[Value] = st.recursive(
    any_value | st.sampled_from([17, 23, 1, 0]) | st.just(5000).map(lambda exponent: 10**exponent),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)
shaped = st.dictionaries(NAMES, shapes, max_size=6)

for driver in registry.DRIVERS:
    registry.describing(driver)  # its first import may take longer than one example should


@pytest.mark.parametrize("name", registry.DRIVERS)
@given(exchanges, shaped, shaped, st.sampled_from(["db.query", "aws.call", "http.server", "other"]))
def test_r31_an_exchange_of_any_shape_is_described_and_drives_no_terminal(
    name: str, exchange: Exchange, request: dict[str, Value], result: dict[str, Value], kind: str
) -> None:
    signature = replace(exchange.signature, lib=name)
    changed = replace(exchange, type=kind, signature=signature, request=request, result=result, dropped=None)
    about = describe(changed)
    assert not any(map(is_hidden, about.call + about.text + about.values + about.outcome))
    try:
        registry.describing(name).readable(changed)
    except (Unconvertible, DamagedCassette):
        pass


class Fake:
    """A driver of a later release."""

    def describe(self, exchange: Exchange) -> Description | None:
        return Description(text=f"get {exchange.request['key']!s}", values=[7], outcome="hit")

    def readable(self, exchange: Exchange) -> Exchange:
        return replace(exchange, result={"value": "readable"})


def test_a_new_driver_needs_no_line_outside_its_folder_and_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("fake_driver.describe")
    module.DESCRIBING = Fake()  # type: ignore[attr-defined]  # as a driver's file has it
    monkeypatch.setitem(sys.modules, "fake_driver", ModuleType("fake_driver"))
    monkeypatch.setitem(sys.modules, "fake_driver.describe", module)
    monkeypatch.setitem(registry.DRIVERS, "fake", registry.Driver("fake_driver", (), ""))
    exchange = Exchange("1", "cache", Signature("fake", "GET", "cache"), {"key": "k"}, {"value": b"\x00"})
    about = describe(exchange)
    assert (about.call, about.text, about.values, about.outcome) == ("fake GET", "get k", "7", "hit")
    part = replace(ROOT_PART, exchanges=(exchange,))
    readable = in_readable_form(merge(part.trace_id, [part]))
    assert readable.segments[0].exchanges[0].result == {"value": "readable"}


def test_an_exchange_of_a_driver_that_is_not_known_says_what_every_exchange_has() -> None:
    exchange = Exchange("1", "cache", Signature("later", "GET", "cache.keys"), {}, {"error": "gone"}, complete=False)
    assert describe(exchange).text == "cache.keys"
    assert describe(exchange).outcome == "incomplete"
    assert describe(replace(exchange, complete=True)).outcome == "'gone'"
