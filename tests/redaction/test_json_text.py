from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timetracer_otel.redaction import Redactor, find_markers
from timetracer_otel.redaction.names import NAMES

KEY = b"key"


def mask(data: str) -> tuple[str, tuple[str, ...]]:
    masked, paths = Redactor(KEY).body(data.encode(), "application/json", "", "body")
    return masked.decode(), paths


def mark(rule: str, secret: str) -> str:
    return Redactor(KEY).marker(rule, secret)


def test_r46_a_token_inside_json_is_masked() -> None:
    masked, paths = mask('{"user":{"Token":"t"},"NextToken":"n"}')
    assert masked == f'{{"user":{{"Token":"{mark("token", "t")}"}},"NextToken":"n"}}'
    assert paths == ("body.$..Token",)


def test_everything_around_a_hit_stays_byte_for_byte() -> None:
    before = '{ "a" : NaN,\t"a": 1E+400, "n":123456789012345678901234567890, "u":"\\u00e9\\/é", '
    after = ' , "a":[ ],"token_count":5.0}\r\n'
    assert mask(f'{before}"api-key" : "x"{after}') == (
        f'{before}"api-key" : "{mark("api_key", "x")}"{after}',
        ("body.$..api-key",),
    )


# `~x~` is the marker for the secret x.
VALUES = {
    '"x"': '"~x~"',
    '"\\u0078"': '"~x~"',
    '"a\\"b"': '"~a"b~"',
    "12.50": '"~12.50~"',
    '{"n": [1, null, {"m": "x"}], "t": true}': '{"n": ["~1~", null, {"m": "~x~"}], "t": true}',
    '["]", "\\"]"]': '["~]~", "~"]~"]',
}


@pytest.mark.parametrize(("value", "template"), VALUES.items())
def test_each_kind_of_value_under_a_secret_name_is_masked(value: str, template: str) -> None:
    masked = re.sub("~(.*?)~", lambda secret: mark("token", secret[1]), template)
    assert mask(f'{{"token":{value},"b":"x"}}')[0] == f'{{"token":{masked},"b":"x"}}'


@pytest.mark.parametrize("value", ["null", "true", "false", '""', "{}", "[]", "[null,[]]"])
def test_what_holds_no_secret_stays_under_a_secret_name(value: str) -> None:
    data = f'{{"token":{value}}}'.encode()
    assert Redactor().body(data, "application/json", "", "b")[0] is data


@pytest.mark.parametrize(
    "name", ["API_KEY", "user.password", "user[password]", "token[0]", "\\u0074oken", "Set Cookie"]
)
def test_a_name_is_found_in_every_style(name: str) -> None:
    assert "C4nary" not in mask(f'{{"a":1,"{name}":"C4nary"}}')[0]


@pytest.mark.parametrize("name", ["page_token", "token2", "my token", "tokens", "xtoken", 'a\\"token', "\\u0078token"])
def test_another_name_is_left_alone(name: str) -> None:
    data = f'{{"a":["token",":"],"{name}":"x","b":"token"}}'
    assert mask(data) == (data, ())


@pytest.mark.parametrize(
    "data",
    [
        '{"token":"C4nary","b":1',
        '{"a":1,"token":"C4nary',
        '{"token":{"a":["C4nary"',
        '{"a":1}\n{"token":"C4nary"}\n',
        '{"token":"a"}{"token":"C4nary"}',
        "{'token': 'C4nary'}",
        '{token: "x", "password": "C4nary"}',
        '\ufeff{"token":"C4nary"}',
        'C4nary: no, but password="C4nary"'[8:],
    ],
)
def test_r47_broken_json_is_masked_too(data: str) -> None:
    masked, paths = mask(data)
    assert "C4nary" not in masked
    assert paths


@pytest.mark.parametrize(
    "string",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "postgres:\\/\\/u:AKIAIOSFODNN7EXAMPLE@h",
        "a\\nBearer AKIAIOSFODNN7EXAMPLE",
        "\\u0041KIAIOSFODNN7EXAMPLE",
    ],
)
def test_a_pattern_is_masked_inside_its_string_however_it_is_escaped(string: str) -> None:
    masked, paths = mask(f'{{"a":"{string}","é":"\\u00e9"}}')
    assert masked.endswith('","é":"\\u00e9"}')
    assert len(find_markers(json.loads(masked)["a"])) == 1
    assert "IOSFODNN7" not in masked
    assert paths == ("body",)


def test_a_pattern_does_not_reach_over_the_end_of_its_string() -> None:
    masked, _ = mask('{"a":"-----BEGIN PRIVATE KEY-----","b":"kept"}')
    assert json.loads(masked)["b"] == "kept"


def json_values() -> st.SearchStrategy[object]:
    names = st.sampled_from([*NAMES, "NextToken", "Password", "a", "user.token"]) | st.text(max_size=4)
    texts = (
        st.sampled_from(["x://u:p@h", 'Bearer "\\abcdefgh12', "password='é\n'", "[redacted:token#012345]"]) | st.text()
    )
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4))


@given(json_values(), st.booleans(), st.sampled_from([None, 1]))
def test_masked_json_is_json_of_the_same_structure_and_masking_again_changes_nothing(
    value: object, ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    once, paths = Redactor().body(data, "application/json", "", "b")
    assert shape(json.loads(once)) == shape(json.loads(data))
    assert Redactor().body(once, "application/json", "", "b") == (once, ())
    assert (once is data) == (paths == ())


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


PIECES = [
    *'{}[]:,"\\ \n',
    '"token"',
    '"password":',
    "null",
    "12",
    "x",
    "\\u00",
    "Bearer abcdefgh1",
    "token='",
    "x://u:p@h",
    "é",
]


@example('"password":\\"password":"token"')
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example('"token":"')
@example('{"token":"x\\')
@example('"password":"password":{"password":"password":')
def test_any_text_survives_and_masking_again_changes_nothing(data: str) -> None:
    once, _ = mask(data)
    assert Redactor().body(once.encode(), "application/json", "", "b") == (once.encode(), ())


def test_r47_a_body_of_five_megabytes_with_a_hundred_thousand_hits() -> None:
    data = (
        b"[" + b",".join(b'{"id":%d,"token":"abcdefgh%d","text":"some words"}' % (i, i) for i in range(100_000)) + b"]"
    )
    masked, paths = Redactor().body(data, "application/json", "", "b")
    assert len(data) > 5_000_000
    assert len(re.findall(rb"\[redacted:token#", masked)) == 100_000
    assert b"abcdefgh" not in masked
    assert paths == ("b.$..token",)


@pytest.mark.parametrize(
    "piece", [b'"token":[', b'{"token":', b'"token":"\\"', b'"\\"', b'"\\u00', b"[", b'"token"', b'"a\\']
)
def test_hostile_json_takes_no_more_than_linear_time(piece: bytes) -> None:
    assert Redactor().body(piece * (1_000_000 // len(piece)), "application/json", "", "b")


@pytest.mark.parametrize("name", ["api__key", "pass_word", " password ", "to-ken", "user.pass_word", "token_"])
def test_a_name_is_one_however_oddly_it_is_cut(name: str) -> None:
    masked, paths = mask(f'{{"a":1,"{name}":"C4nary"}}')
    assert "C4nary" not in masked
    assert paths == (f"body.$..{name}",)


def test_a_comment_after_a_name_does_not_hide_its_value() -> None:
    assert "C4nary" not in mask('{"password" /* x */ : /* y */ "C4nary"}')[0]


@pytest.mark.parametrize(
    "inner", ['{"password": ["C4nary"]}', '[{"token": {"v": "C4nary"}}]', '{"\\u0074oken":"C4nary"}']
)
@pytest.mark.parametrize("depth", [1, 3])
def test_json_inside_of_json_is_masked_by_its_names(inner: str, depth: int) -> None:
    data = inner
    for _ in range(depth):
        data = json.dumps({"a": data})
    masked, paths = mask(data)
    assert "C4nary" not in masked
    assert paths == ("body",)
    for _ in range(depth):
        masked = json.loads(masked)["a"]
    assert len(find_markers(masked)) == 1
    json.loads(masked)


def test_json_inside_of_json_is_followed_to_a_bounded_depth() -> None:
    data = '{"password": ["C4nary"]}'
    for _ in range(12):
        data = json.dumps([data])
    assert json.loads(mask(data)[0])


def test_json_inside_of_a_form_or_of_a_value_is_masked_by_its_names() -> None:
    redactor = Redactor(KEY)
    inner = '{"token": {"v": "C4nary"}}'
    form, _ = redactor.body(f"a={quote(inner)}".encode(), "application/x-www-form-urlencoded", "", "b")
    assert b"C4nary" not in form
    assert redactor.value({"a": inner}, "")[0] == {"a": inner.replace("C4nary", mark("token", "C4nary"))}
