"""What a report tells in place of the secrets that were supplied, and what it must not lose by that."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote_plus

import pytest

from timetracer_otel.cassette import values
from timetracer_otel.replay.veil import Veil

TOKEN = "[redacted:token#0000d4]"
PASSWORD = "[redacted:password#0000e5]"
ODD = "se\"cr\\t/+ \u00e9's"


def veil(*secrets: tuple[str, str]) -> Veil:
    return Veil(secrets)


def test_it_lies_over_all_that_a_journal_says() -> None:
    event: dict[str, Any] = {"text": 'of se"cret-and-more', "values": ['se"cret', {"a": ['se"cret']}], "n": 1}
    told = veil((TOKEN, 'se"cret'), (PASSWORD, 'se"cret-and-more')).over(event)
    assert told == {"text": f"of {PASSWORD}", "values": [TOKEN, {"a": [TOKEN]}], "n": 1}


@pytest.mark.parametrize("word", ["comparison", "differences", "recorded", "incomplete", "exchange"])
def test_a_secret_that_is_a_word_of_ours_takes_no_event_away(word: str) -> None:
    """Without its comparison a replay would be the same, whatever it came to."""
    difference = {"path": "status", "recorded": 200, "replayed": word, "exchange": 1}
    told = veil((TOKEN, word)).over({"event": word, "exchange": word, "differences": [difference], word: 1})
    assert told == {
        "event": word,
        "exchange": word,
        "differences": [{**difference, "replayed": TOKEN}],
        word: 1,
    }


def test_a_marker_stays_whole_where_a_secret_is_the_name_of_its_rule() -> None:
    told = veil((TOKEN, "redacted"), (PASSWORD, "password")).over({"text": f"password: {PASSWORD}, {TOKEN}"})
    assert told == {"text": f"{PASSWORD}: {PASSWORD}, {TOKEN}"}


def test_a_long_one_is_hidden_as_the_name_of_a_member_too() -> None:
    assert veil((TOKEN, "0123456789abcdef")).over({"body": {"0123456789abcdef": 1}}) == {"body": {TOKEN: 1}}


@pytest.mark.parametrize(
    "spelt",
    [
        ODD,
        json.dumps({"in": ODD}, ensure_ascii=False),
        json.dumps(ODD),
        repr(ODD),
        f"?t={quote_plus(ODD)}&",
        *(b64encode(f"{'u' * many}:{ODD}:more".encode()).decode() for many in range(4)),
        urlsafe_b64encode(ODD.encode()).decode(),
        json.dumps({"in": json.dumps({"in": ODD})}),
        ODD.encode().decode("latin-1"),
        f"\\\\x{ODD.encode().hex()}",
    ],
)
def test_it_is_known_however_it_is_spelt(spelt: str) -> None:
    told = veil((TOKEN, ODD)).over({"text": f"of {spelt}"})
    assert TOKEN in told["text"]
    assert not any(form in told["text"] for form in (ODD, json.dumps(ODD)[1:-1], repr(ODD)[1:-1], quote_plus(ODD)))


def test_bytes_and_text_that_json_has_no_room_for_can_be_read_all_the_same() -> None:
    recorded: Any = [b"\xff\x00 of hunter22\x00", "\udce9hunter22"]
    told = veil((TOKEN, "hunter22")).over({"values": values.encode(recorded)})
    assert values.decode(told["values"]) == [b"\xff\x00 of " + TOKEN.encode() + b"\x00", f"\udce9{TOKEN}"]
