"""What was recorded is masked once more on its way, by the rules of whoever sends or gets it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette import samples
from timetracer_otel.cassette import Cassette, Exchange, Signature, Value, as_json, merge
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.drivers.pymongo.forms import command_of, replies_of
from timetracer_otel.exporters.otlp.masking import masked
from timetracer_otel.redaction import load_rules
from timetracer_otel.store import Store
from timetracer_otel.wire.mongo.extended_json import from_text, to_text

GOLDEN = sorted((Path(__file__).parents[2] / "golden").glob("*.cassette.json"))
FILTER = '{"pin":{"$numberLong":"4711"},"card":"c-77"}'
COMMAND = f'{{"find":"users","filter":{FILTER},"lsid":{{"id":{{"$numberInt":"1"}}}},"$db":"shop"}}'
ROW = '{"card":"c-77","password":"kT4-open","n":{"$numberDouble":"1.5"}}'
REPLY = f'{{"cursor":{{"firstBatch":[{ROW}]}},"ok":{{"$numberInt":"1"}}}}'


def cassette(*exchanges: Exchange) -> Cassette:
    return merge(samples.TRACE_ID, [replace(samples.ROOT_PART, exchanges=exchanges)])


def found(command: bytes, *replies: bytes) -> Exchange:
    return Exchange(
        "9f9f9f9f-1",
        "db.command",
        Signature("pymongo", "find", "shop.users"),
        {"command": command, "process": "00"},
        {"replies": list(replies)},
        target="mongodb://db/shop",
    )


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """A rule file of whoever pushes: what was no secret where it was recorded is one here."""
    file = tmp_path / "rules.toml"
    file.write_text('names = ["card", "pin"]\n')
    return str(file)


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_command_and_its_reply_are_masked_by_the_rules_here_in_either_form(is_readable: bool, rules: str) -> None:
    whole = cassette(found(from_text(COMMAND), from_text(REPLY)))
    sent = masked(in_readable_form(whole) if is_readable else whole, load_rules(rules))
    (exchange,) = sent.segments[0].exchanges
    asked, (answered,) = json.loads(to_text(command_of(exchange.request))), map(to_text, replies_of(exchange.result))
    assert isinstance(exchange.request["command"], str) == is_readable
    assert list(asked) == ["find", "filter", "lsid", "$db"]
    assert asked["filter"]["card"].startswith("[redacted:card#")
    assert asked["filter"]["pin"]["$numberLong"] != "4711"
    (row,) = json.loads(answered)["cursor"]["firstBatch"]
    assert (row["card"], row["n"]) == (asked["filter"]["card"], {"$numberDouble": "1.5"})
    assert row["password"].startswith("[redacted:password#")
    assert set(exchange.redacted) == {
        *("request.command.filter.pin", "request.command.filter.card"),
        *("result.replies[0].cursor.firstBatch[0].card", "result.replies[0].cursor.firstBatch[0].password"),
    }


def test_what_is_masked_already_is_sent_as_it_is(rules: str) -> None:
    once = masked(in_readable_form(cassette(found(from_text(COMMAND), from_text(REPLY)))), load_rules(rules))
    assert masked(once, load_rules(rules)) == once


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem.partition("-")[0])
def test_a_cassette_that_was_masked_when_it_was_recorded_stays_as_it_is(path: Path) -> None:
    golden, _ = Store(path.parent).open_cassette(str(path))
    for form in (golden, in_readable_form(golden)):
        assert as_json(masked(form, load_rules(None))) == as_json(form)


def test_a_strangers_exchange_of_no_shape_is_masked_by_names_and_patterns() -> None:
    wrong: dict[str, Value] = {"command": "no document", "password": "kT4-secret"}
    exchange = replace(found(b""), request=wrong, result={"replies": "none", "token": "kT4-token"})
    (sent,) = masked(cassette(exchange), load_rules(None)).segments[0].exchanges
    assert str(sent.request["password"]).startswith("[redacted:password#")
    assert "kT4" not in repr(sent)
