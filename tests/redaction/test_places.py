from __future__ import annotations

from pathlib import Path

import pytest

from timetracer_otel.redaction import Redactor, Rules, load_rules
from timetracer_otel.redaction.places import Place, Places, steps_of


def rules(folder: Path, *paths: str) -> Rules:
    (folder / "rules.toml").write_text(f"paths = {list(paths)}")
    return load_rules(str(folder / "rules.toml"))


@pytest.mark.parametrize(
    ("place", "path", "rule"),
    [
        ("request.body.$.user.email", "request.body.$.user.email", "email"),
        ("request.body.$.user", "request.body.$.user.email", "user"),
        ("request.body.$.user.email", "request.body.$.user", None),
        ("result.headers.x-customer", "result.headers.x-customer", "x_customer"),
        ("result.headers.x-customer", "request.headers.x-customer", None),
        ("request.parameters[0]", "request.parameters[0]", "parameters"),
        ("request.parameters[0]", "request.parameters[10]", None),
        ("request.parameters[*]", "request.parameters[10]", "parameters"),
        ("result.*.zip", "result.a.zip", "zip"),
        ("result.*.zip", "result.a.b.zip", None),
        ("result.**.zip", "result.a.b.zip", "zip"),
        ("result.**.zip", "result.zip", "zip"),
        ("result.**", "result.a.b", "result"),
    ],
)
def test_a_place_fits_the_paths_that_it_names(place: str, path: str, rule: str | None) -> None:
    assert Places((Place(steps_of(place)),)).rule_at(path) == rule


def test_a_place_may_be_limited_to_a_type() -> None:
    places = Places((Place(("request", "body"), "http"),))
    assert places.of_type("http.server").rule_at("request.body") == "body"
    assert places.of_type("httpx").rule_at("request.body") is None


JSON = b'{"a": [{"nick": "ann", "n": 1}, {"nick": "zoe"}], "nick": "top", "x": {"nick\\u0041": 2}}'


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("request.body.$.a[*].nick", [b'"ann"', b'"zoe"']),
        ("request.body.$.a[1].nick", [b'"zoe"']),
        ("request.body.$.nick", [b'"top"']),
        ("request.body.$.**.nick", [b'"ann"', b'"zoe"', b'"top"']),
        ("request.body.$.x.nickA", [b"2"]),
        ("request.body.$.a[0]", [b'"ann"', b"1"]),
        ("request.body.$.none", []),
    ],
)
def test_places_inside_json_are_masked_and_nothing_else_changes(path: str, hidden: list[bytes], tmp_path: Path) -> None:
    redactor = Redactor(b"key", rules(tmp_path, path))
    masked, paths = redactor.body(JSON, "application/json", "", "request.body")
    wanted = JSON
    rule = redactor.rule_at(path.replace("*", "0").replace("00", "nick")) or "x"
    for value in hidden:
        before, _, after = wanted.partition(value)
        wanted = before + b'"' + redactor.marker(rule, value.strip(b'"')).encode() + b'"' + after
    assert masked == wanted
    assert paths == (("request.body.$",) if hidden else ())


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a"', b'{"a":', b"]]}", b'{"a" "b"}', b"[1,,{]", b'"a":1', b"\xff{\x00"]
)
def test_broken_json_does_no_harm(data: bytes, tmp_path: Path) -> None:
    redactor = Redactor(b"key", rules(tmp_path, "request.body.$.**.zzz"))
    assert redactor.body(data, "application/json", "", "request.body") == (data, ())


def test_places_in_every_other_carrier(tmp_path: Path) -> None:
    named = ("request.headers.x-who", "request.query_string.nick", "request.body.nick", "request.args[1].name")
    redactor = Redactor(b"key", rules(tmp_path, *named))
    who, nick = redactor.marker("x_who", "ann").encode(), redactor.marker("nick", "ann")
    assert redactor.headers([[b"X-Who", b"ann"]], "request.headers")[0] == [[b"X-Who", who]]
    assert redactor.headers([[b"X-Who", b"ann"]], "result.headers")[1] == ()
    assert redactor.query(b"nick=ann&x=ann", "request.query_string")[1] == ("request.query_string.nick",)
    form = "application/x-www-form-urlencoded"
    assert redactor.body(b"nick=ann&x=1", form, "", "request.body")[1] == ("request.body.nick",)
    part = b'--b\r\nContent-Disposition: form-data; name="nick"; filename="f"\r\n\r\nann\r\n--b--'
    assert nick.encode() in redactor.body(part, "multipart/form-data; boundary=b", "", "request.body")[0]
    value, paths = redactor.value([{"name": "ann"}, {"name": "zoe"}], "request.args")
    assert value == [{"name": "ann"}, {"name": redactor.marker("name", "zoe")}]
    assert paths == ("request.args[1].name",)


def test_a_whole_body_or_query_is_masked_where_a_place_says_so(tmp_path: Path) -> None:
    redactor = Redactor(b"key", rules(tmp_path, "request.body", "request.query_string"))
    marker = redactor.marker("body", b"\x00any").encode()
    assert redactor.body(b"\x00any", "image/png", "", "request.body") == (marker, ("request.body",))
    assert redactor.body(b"", "image/png", "", "request.body") == (b"", ())
    masked, paths = redactor.query(b"a=1", "request.query_string")
    assert masked.startswith(b"%5Bredacted%3Aquery_string%23")
    assert paths == ("request.query_string",)
    assert redactor.query(masked, "request.query_string") == (masked, ())
