from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timetracer_otel.redaction import SECRETS, Redactor, Rules, load_rules
from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.patterns import Patterns
from timetracer_otel.redaction.personal import PERSONAL_NAMES, may_hold_personal, personal_shapes

_NAMES = Names(PERSONAL_NAMES)
PII = Rules(_NAMES, Patterns(_NAMES, personal_shapes(), may_hold_personal))

# What stands in «...» goes, all else stays.
HITS = {
    "email": ["to «ann.x+shop@mail.example.org».", "<«bob@example.com»>", "a=«x_1@sub.example.co.uk»&b=1"],
    "iban": ["«DE89 3704 0044 0532 0130 00»", "pay «GB82WEST12345698765432» now", "«FR1420041010050500013M02606»"],
    "card_number": ["«4111 1111 1111 1111»", "«5555-5555-5555-4444»", "card:«378282246310005»,", "«6011111111111117»"],
    "phone": ["call «+49 151 12345678»", "«+14155552671»", "tel:«+44 (0)20 7946 0958»"],
}
MISSES = (
    *(
        "550e8400-e29b-41d4-a716-446655440000",
        "4111111111111112",
        "1700000000000",
        "1700000000000000000",
        "20261125212358",
    ),
    *(
        "2026-11-25T21:23:58.123456+0000",
        "2026-11-25 21:23:58+02:00",
        "order 1234567890123456",
        "img@2x.png",
        "a @ b.com",
    ),
    *("pkg@1.2.3", "DE00 3704 0044 0532 0130 00", "v1.4111111111111111", "4111111111111111.5", "x4111111111111111"),
    *("ORD-2026-0001234", "+1", "1+123456789", "SELECT 1", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4"),
    *("AB12CDEF", "127.0.0.1:5432", "50.25", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "5.5e+1234567"),
)


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in HITS.items() for text in texts])
def test_personal_data_is_known_by_its_shape(rule: str, text: str) -> None:
    redactor, plain = Redactor(b"key", PII), text.replace("«", "").replace("»", "")
    wanted = re.sub("«(.*)»", lambda match: redactor.marker(rule, match[1]), text)
    assert redactor.text(plain) == wanted
    assert redactor.text(wanted) == wanted
    assert Redactor(b"key").text(plain) == plain


@pytest.mark.parametrize("text", MISSES)
def test_what_may_be_an_id_a_number_or_a_time_survives(text: str) -> None:
    redactor = Redactor(b"key", PII)
    assert redactor.text(text) == text
    assert redactor.data(b"\0" + text.encode() + b"\n") == b"\0" + text.encode() + b"\n"


@pytest.mark.parametrize("name", ["email", "firstName", "Phone-Number", "billing_address", "user.date_of_birth", "CVV"])
def test_personal_data_is_known_by_its_name_where_the_preset_is_on(name: str) -> None:
    assert PII.names.rule_of(name) is not None
    assert SECRETS.names.rule_of(name) is None


@pytest.mark.parametrize(
    "name", ["name", "server.address", "net.peer.name", "id", "status", "state", "zipfile", "emails"]
)
def test_names_that_mean_other_things_too_are_left_alone(name: str) -> None:
    assert PII.names.rule_of(name) is None


def test_the_preset_masks_the_body_of_a_customer_and_leaves_the_order(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('presets = ["pii"]')
    redactor = Redactor(b"key", load_rules(str(tmp_path / "rules.toml")))
    body = b'{"order": 4111111111111112, "at": "2026-11-25T21:23:58Z", "customer": {"firstName": "Ann", "zip": 12345}}'
    masked, paths = redactor.body(body, "application/json", "", "body")
    first, zip_code = redactor.marker("first_name", "Ann").encode(), redactor.marker("zip", "12345").encode()
    assert masked == body.replace(b"Ann", first).replace(b"12345}", b'"' + zip_code + b'"}')
    assert paths == ("body.$..firstName", "body.$..zip")


@settings(max_examples=60)
@given(st.text(alphabet="aZ09@.+- _%:", max_size=300))
def test_no_text_takes_long_or_is_masked_twice(text: str) -> None:
    redactor = Redactor(b"key", PII)
    masked = redactor.text(text)
    assert redactor.text(masked) == masked


@pytest.mark.parametrize("piece", ["a@", "a.", "@a.", "+1 ", "4111 ", "DE89 ", "1-", "a@b.", "+(((", "A1B2"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    assert isinstance(Redactor(b"key", PII).text(piece * 50_000), str)
