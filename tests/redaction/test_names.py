from __future__ import annotations

import re

import pytest

from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.names import LONGEST_NAME, NAMES, Names

DEFAULT = Names()
SECRET = {
    "authorization": "authorization",
    "COOKIE": "cookie",
    "Set-Cookie": "set_cookie",
    "X-Api-Key": "x_api_key",
    "proxy-authorization": "proxy_authorization",
    "apiKey": "api_key",
    "API_KEY": "api_key",
    "api key": "api_key",
    "SecretAccessKey": "secret_access_key",
    "csrfmiddlewaretoken": "csrf_middleware_token",
    "sslpassword": "ssl_password",
    "http.request.header.x_api_key": "x_api_key",
    "user[password]": "password",
    "user.password[0]": "password",
    "config/token": "token",
}
NOT_SECRET = (
    *("NextToken", "nextToken", "next_token", "ContinuationToken", "page_token", "cursor", "resumeToken", "SyncToken"),
    *("token_count", "password_changed_at", "secretary", "tokens", "cookies", "author", "input_tokens", "token.count"),
    *("passwordless", "key", "keys", "Sec-WebSocket-Key", "primary_key", "X-Next-Token", "", ".", "[0]"),
)


@pytest.mark.parametrize(("name", "rule"), SECRET.items())
def test_a_secret_name_is_known_in_any_case_and_spelling_style(name: str, rule: str) -> None:
    assert DEFAULT.rule_of(name) == rule


@pytest.mark.parametrize("name", NOT_SECRET)
def test_a_paging_token_or_a_name_that_merely_contains_a_secret_one_is_not_secret(name: str) -> None:
    assert DEFAULT.rule_of(name) is None


def styles(name: str) -> list[str]:
    words = name.split("_")
    camel = words[0] + "".join(word.title() for word in words[1:])
    return [name, name.upper(), name.replace("_", "-"), name.replace("_", "-").title(), camel, "".join(words)]


@pytest.mark.parametrize("style", [style for name in NAMES for style in styles(name)])
def test_every_name_in_every_style_passes_the_prefilter_and_has_a_rule(style: str) -> None:
    assert DEFAULT.rule_of(style) is not None
    assert DEFAULT.holds(style.encode())


def test_no_name_hides_a_longer_one_in_the_alternation() -> None:
    seen: list[str] = []
    for name in DEFAULT.all:
        assert not any(name.startswith(earlier) for earlier in seen), name
        seen.append(name)
    between = re.compile(rb"\(\?:\[-_ \]\|%\(\?:[^()]*\)\)\?")
    assert between.sub(b"", DEFAULT.alternation).count(b"|") == len(NAMES) - 1


def test_the_end_of_an_endless_name_counts() -> None:
    assert DEFAULT.rule_of("x" * 10_000_000 + ".password") == "password"
    assert DEFAULT.rule_of("password." + "x" * LONGEST_NAME) is None


ODD = ("p-a-s-s_w o r d", "api__key", "A P I - K E Y", "to\N{KELVIN SIGN}en", "db.query.parameter.0")


@pytest.mark.parametrize("name", [*SECRET, *NAMES, *ODD])
def test_data_with_a_name_that_has_a_rule_may_name_a_secret(name: str) -> None:
    assert DEFAULT.rule_of(name) is not None
    assert DEFAULT.may_name(b"\x02" + name.encode() + b"\0value")


def test_data_without_a_secret_name_names_none_and_names_beyond_ascii_are_never_denied() -> None:
    assert not DEFAULT.may_name(b"\x10_id\0\x02name\0\x01amount\0\x02note\0")
    assert Names(extra=["\u043f\u0430\u0440\u043e\u043b\u044c"]).may_name(
        "\u041f\u0410\u0420\u041e\u041b\u042c".encode()
    )


def test_no_other_character_becomes_an_ascii_letter_in_lower_case() -> None:
    found = [chr(code) for code in range(128, 0x110000) if chr(code).lower().isascii()]
    assert found == ["\N{KELVIN SIGN}"]


@pytest.mark.parametrize("name", ["api%5Fkey", "api%5fkey", "X%2DApi%2DKey", "private%5Fkey", "access%5Ftoken"])
def test_r46_a_name_with_an_escaped_separator_is_the_same_name(name: str) -> None:
    redactor = Redactor(b"key")
    for text in (
        "{}=s3cr3t",
        "page=1&{}=s3cr3t",
        "go to https://shop.example/?a=1&{}=s3cr3t",
        "x " * 9000 + "{}=s3cr3t",
    ):
        assert "s3cr3t" not in redactor.text(text.format(name))
        assert not redactor.are_clean([], [text.format(name).encode()])
    for masked, _ in (
        redactor.query(f"page=1&{name}=s3cr3t".encode(), "q"),
        redactor.body(f"{name}=s3cr3t".encode(), "application/x-www-form-urlencoded", "", "b"),
    ):
        assert b"s3cr3t" not in masked
        assert name.encode() in masked
