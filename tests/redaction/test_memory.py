from __future__ import annotations

import json

import pytest

from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.memory import MOST, SHORTEST

COOKIE = [[b"cookie", b"sid=s3cr3t-session"]]


def test_a_secret_that_was_masked_by_name_is_known_with_its_marker() -> None:
    redactor = Redactor().of_trace()
    ((_, masked),), _ = redactor.headers(COOKIE, "headers")
    assert redactor.known() == {b"s3cr3t-session": masked.removeprefix(b"sid=")}


def test_it_keeps_its_first_marker_under_any_name() -> None:
    redactor = Redactor().of_trace()
    redactor.headers(COOKIE, "headers")
    value, _ = redactor.value({"token": "s3cr3t-session"}, "")
    assert value == {"token": redactor.known()[b"s3cr3t-session"].decode()}


def test_a_form_value_is_known_decoded() -> None:
    redactor = Redactor().of_trace()
    redactor.query(b"user=bob&password=p%40ss+word", "query")
    assert list(redactor.known()) == [b"p@ss word"]


def test_traces_do_not_share_what_they_know_but_give_equal_markers() -> None:
    base = Redactor(b"key")
    one, other = base.of_trace(), base.of_trace()
    marker = one.marker("cookie", "s3cr3t-session")
    assert other.known() == {}
    assert other.marker("cookie", "s3cr3t-session") == marker == base.marker("cookie", "s3cr3t-session")
    assert base.known() == {}


def test_short_values_and_markers_are_not_remembered_and_there_is_a_limit() -> None:
    redactor = Redactor().of_trace()
    redactor.marker("password", "x" * (SHORTEST - 1))
    redactor.marker("password", "[redacted:password#3fa9c1]")
    assert redactor.known() == {}
    for number in range(MOST + 10):
        redactor.marker("password", f"secret-{number}")
    assert len(redactor.known()) == MOST


def test_redactors_of_one_key_are_equal_so_that_decisions_are_made_once() -> None:
    base = Redactor()
    assert base.of_trace() == base
    assert len({base, base.of_trace(), Redactor()}) == 2


def test_a_long_secret_is_known_inside_of_other_data_too() -> None:
    redactor, long = Redactor(b"key").of_trace(), "s3cr3t-session-0123456789"
    redactor.value({"token": long, "password": "s3cr3t"}, "")
    marker = redactor.known()[long.encode()].decode()
    assert redactor.text(f"user {long} is s3cr3t") == f"user {marker} is s3cr3t"
    assert redactor.data(b"\0" + long.encode()) == b"\0" + marker.encode()
    assert redactor.body(f'{{"who": "{long}!"}}'.encode(), "application/json", "", "b") == (
        f'{{"who": "{marker}!"}}'.encode(),
        ("b",),
    )
    assert redactor.suspicious(long)
    assert not Redactor(b"key").of_trace().suspicious(long)


@pytest.mark.parametrize("secret", ["Zq36pWx", 'Zq"3\\6', "Zqé36pWx", "Zq/36pWx"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_short_secret_is_known_where_it_is_a_whole_string_of_json(secret: str, ascii_only: bool) -> None:
    redactor = Redactor(b"key").of_trace()
    redactor.value({"password": secret}, "")
    marker = redactor.known()[secret.encode()].decode()
    answer = {"detail": [{"loc": ["body"], "input": secret, "msg": f"not {secret}", secret: 1}]}
    data = json.dumps(answer, ensure_ascii=ascii_only).encode()
    masked, paths = redactor.body(data, "application/json", "", "b")
    answer["detail"][0]["input"] = marker
    assert json.loads(masked) == answer
    assert paths == ("b",)
