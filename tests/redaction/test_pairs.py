"""Secrets of which a neighbour tells, in JSON, in plain data, in running text and in streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.drivers.postgres.stand_ins import by_pattern
from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.pairs import PAIRS
from timetracer_otel.redaction.stream import WINDOW_BYTES
from timetracer_otel.wire.postgres.oids import JSON, JSONB

KEY = b"key"
CANARY = "kT4nary pair"


def mark(rule: str, secret: str = CANARY) -> str:
    return Redactor(KEY).marker(rule, secret)


def body(data: str) -> tuple[str, tuple[str, ...]]:
    masked, paths = Redactor(KEY).body(data.encode(), "application/json", "", "body")
    return masked.decode(), paths


# `~` is the secret, and its marker where it is masked.
DOCUMENTS = (
    '[{"name":"password","value":"~"},{"name":"Content-Length","value":"17"}]',
    '{"Environment": [{"Name": "DB_PASSWORD" , "Value" : "~"}]}',
    '{"value":"~","x":{"value":1},"y":[{"name":"a"}],"name":"app.db.password"}',
    '{"field":"password","value":"~","value":"~"}',
    '{"na\\u006de":"pass\\u0077ord","value":"~"}',
    '{"name"/* of */:/* it */"password","value":"~"}',
    '{"env.name":"password","env.value":"~","value":"1"}',
    '{"a":1}{"name":"password","value":"~"}\n{"name":"user","value":"ada"}',
    '}],"name":"password","value":"~"},{"name":"user","value":"ada"',
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_r46_in_json_a_scalar_beside_the_name_of_a_secret_is_masked_and_nothing_else(document: str) -> None:
    rule = "db_password" if "DB_" in document else "password"
    masked, paths = body(document.replace("~", CANARY))
    assert masked == document.replace("~", mark(rule))
    assert all(path.lower().endswith("value") for path in paths)
    assert body(masked) == (masked, ())


@pytest.mark.parametrize(("name", "value"), PAIRS)
@pytest.mark.parametrize("spelled", [str, str.upper, str.title])
def test_r46_each_pair_of_members_counts_in_any_case(name: str, value: str, spelled: Any) -> None:
    pair = {spelled(name): "api_token", spelled(value): CANARY}
    kept = {spelled(name): "api_token", spelled(value): mark("api_token")}
    text, kept_text = json.dumps(pair), json.dumps(kept)
    assert body(text)[0] == kept_text
    assert body(json.dumps({"kwargs": text}))[0] == json.dumps({"kwargs": kept_text})
    assert Redactor(KEY).value([pair, text], "request")[0] == [kept, kept_text]
    assert Redactor(KEY).text(f"sent {pair} now") == f"sent {kept} now"
    assert Redactor(KEY).text(f"sent {text} now") == f"sent {kept_text} now"
    turned = dict(reversed(pair.items()))
    assert Redactor(KEY).text(f"sent {turned}") == f"sent {dict(reversed(kept.items()))}"
    assert by_pattern(text, JSON, 0, Redactor(KEY)) == kept_text
    assert by_pattern(b"\1" + text.encode(), JSONB, 1, Redactor(KEY)) == b"\1" + kept_text.encode()


PLAIN = (
    {"name": "Content-Length", "value": "17"},
    {"name": "password", "type": "string", "required": True},
    {"name": "password", "value": {"type": "string", "about": "of the user"}},
    {"key": "token", "value": ["string", "null"]},
    {"name": "token", "value": None, "v": "2"},
    {"name": "secret", "value": ""},
    {"name": "token", "value": True},
    {"name": "next_token", "value": "abc"},
    {"name": ["password"], "value": "abc"},
    {"name": "user", "value": "password"},
    [{"name": "password"}, {"value": "abc"}],
    {"name": "password", "of": {"value": "abc"}},
)


@pytest.mark.parametrize("document", PLAIN, ids=range(len(PLAIN)))
def test_what_only_describes_a_secret_or_stands_elsewhere_stays(document: Any) -> None:
    text = json.dumps(document)
    assert body(text) == (text, ())
    assert Redactor(KEY).value(document, "request") == (document, ())


def test_a_number_is_masked_as_its_digits_are() -> None:
    assert body('{"k":"token","v":4711}')[0] == f'{{"k":"token","v":"{mark("token", "4711")}"}}'
    assert Redactor(KEY).text('say {"k":"token","v":4711}') == f'say {{"k":"token","v":"{mark("token", "4711")}"}}'
    assert Redactor(KEY).value({"k": "token", "v": 4711}, "r")[0] == {"k": "token", "v": mark("token", "4711")}


def test_a_value_that_is_cut_off_is_masked() -> None:
    for text in (f'[{{"name":"password","value":"{CANARY}', f'> {{\\"name\\":\\"password\\",\\"value\\":\\"{CANARY}'):
        assert body(text)[0] == Redactor(KEY).text(text) == text.replace(CANARY, mark("password"))


def test_a_secret_of_a_pair_is_known_again_in_its_trace() -> None:
    redactor = Redactor(KEY).of_trace()
    redactor.body(json.dumps([{"name": "password", "value": CANARY}]).encode(), "application/json", "", "body")
    assert redactor.value({"id": CANARY}, "request") == ({"id": mark("password")}, ("request.id",))


def test_r46_a_pair_in_a_body_that_comes_in_pieces_is_masked() -> None:
    pair = f'{{"name": "password", "value": "{CANARY}"}}'
    data = f"{'lorem ipsum ' * (WINDOW_BYTES // 12)}{pair}{' lorem ipsum' * (WINDOW_BYTES // 8)}{pair}".encode()
    stream = Redactor(KEY).stream()
    pieces = [stream.feed(data[at : at + 1000]) for at in range(0, len(data), 1000)]
    assert b"".join([*pieces, stream.end()]) == data.replace(CANARY.encode(), mark("password").encode())


SECRETS = st.text(min_size=1, max_size=20).map(lambda text: f"<{text}{CANARY}{text}>")


@given(SECRETS, st.booleans(), st.sampled_from([None, 1]), st.integers(0, 2))
def test_r46_any_secret_of_a_pair_is_masked_however_it_is_spelled(
    secret: str, is_ascii: bool, indent: int | None, depth: int
) -> None:
    document: Any = [{"id": 1, "name": "password", "value": secret}]
    for _ in range(depth):
        document = {"inner": json.dumps(document, ensure_ascii=is_ascii, indent=indent)}
    text = json.dumps(document, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "surrogatepass")
    masked, _ = Redactor(KEY).body(text, "application/json", "", "body")
    assert CANARY.encode() not in masked
    for _ in range(depth):
        masked = json.loads(masked)["inner"]
    assert json.loads(masked) == [{"id": 1, "name": "password", "value": mark("password", secret)}]
