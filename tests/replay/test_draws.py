from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.model import Exchange, Signature, Value
from timetracer_otel.replay.draws import DRAWS_MAX, Draws
from timetracer_otel.replay.given import Given

TOKEN = bytes.fromhex("00112233445566778899aabbccddeeff")
HEX = TOKEN.hex()
URLSAFE = base64.urlsafe_b64encode(TOKEN).decode().rstrip("=")


def drawn(*draws: object) -> Draws:
    found = Draws()
    for each in draws:
        found.note(each)
    return found


@pytest.mark.parametrize(
    ("draws", "was", "now", "pairs"),
    [
        (list("XK81PQ22"), "AB12CD34", "XK81PQ22", [("AB12CD34", "XK81PQ22")]),
        (list("XK81PQ22"), "ORD-AB12CD34/1", "ORD-XK81PQ22/1", [("AB12CD34", "XK81PQ22")]),
        (list("XK81PQ22"), "ORDXB12CD34", "ORDXK81PQ22", [("XB12CD34", "XK81PQ22")]),
        (list("XK81PQ22"), "AB12-CD34", "XK81-PQ22", [("AB12-CD34", "XK81-PQ22")]),
        ([list("XK81PQ22")], "AB12CD34", "XK81PQ22", [("AB12CD34", "XK81PQ22")]),
        ([4, 8, 3, 9, 2, 1], "120045", "483921", [("120045", "483921")]),
        ([483921], "120045", "483921", [("120045", "483921")]),
        ([4821], "120045", "004821", [("120045", "004821")]),
        ([1234567], "987654", "1234567", [("987654", "1234567")]),
        ([483921], "pin 120045.", "pin 483921.", [("120045", "483921")]),
        ([0xABCDEF12], "1234567f", "abcdef12", [("1234567f", "abcdef12")]),
        ([TOKEN], "f" * 32, HEX, [("f" * 32, HEX)]),
        ([TOKEN], "F" * 32, HEX.upper(), [("F" * 32, HEX.upper())]),
        ([TOKEN], "z" * 22, URLSAFE, [("z" * 22, URLSAFE)]),
        ([TOKEN], "k:" + "f" * 12, "k:" + HEX[-12:], [("f" * 12, HEX[-12:])]),
        ([TOKEN, *"XK81PQ"], '{"a": "AB12CD", "b": "ffffffff"}', f'{{"a": "XK81PQ", "b": "{HEX[-8:]}"}}', 2),
    ],
    ids=range(16),
)
def test_what_was_drawn_stands_for_what_looks_alike(draws: list[object], was: str, now: str, pairs: object) -> None:
    found = drawn(*draws).pairs(was, now)
    if isinstance(pairs, int):
        assert len(found) == pairs
    else:
        assert list(found) == pairs


@pytest.mark.parametrize(
    ("draws", "was", "now"),
    [
        ([], "AB12CD34", "XK81PQ22"),
        (list("XK81PQ22"), "XK81PQ22", "XK81PQ22"),
        (list("XK81PQ22"), "AB12CD3", "XK81PQ2Z"),
        (list("XK81PQ22"), "AB12CD34", "XK81PQ2"),
        (list("XK81P"), "AB12C", "XK81P"),
        (list("XK81PQ22"), "12345678", "XK81PQ22"),
        (list("48392174"), "ABCDEFGH", "48392174"),
        (list("XK81PQ22"), "AB\u00e92CD34", "XK81PQ22"),
        (list("XK81PQ22"), "AB12CD34 new", "XK81PQ22 old"),
        (["running"], "pending", "running"),
        ([True, 4839], "120045", "4839"),
        ([483921], "12004", "483921"),
        ([483921], "120045", "483922"),
        ([TOKEN], "fffffff", HEX[:7]),
        ([b"abc"], "ffffff", b"abc".hex()),
        (["XK", "81", "PQ"], "AB12CD", "XK81PQ"),
        ([TOKEN], HEX[::-1], HEX.upper()),
        ([TOKEN], HEX[::-1].upper(), HEX),
        (list("abcdefgh"), "ABCDEFGH", "abcdefgh"),
    ],
    ids=range(19),
)
def test_what_was_not_drawn_or_looks_otherwise_proves_nothing(draws: list[object], was: str, now: str) -> None:
    assert drawn(*draws).pairs(was, now) == ()


SMALL = [10**5 + 7919 * n % (9 * 10**5) for n in range(300)]
"""Between them their digits hold each number of two."""


@pytest.mark.parametrize(
    ("was", "now"),
    [("2026-11-28", "2027-03-15"), ('{"a": 12, "b": 45, "c": 99}', '{"a": 13, "b": 50, "c": 10}')],
    ids=["date", "numbers"],
)
def test_short_parts_that_were_drawn_apart_prove_nothing(was: str, now: str) -> None:
    assert drawn(*SMALL).pairs(was, now) == ()


def test_a_number_is_drawn_as_a_whole() -> None:
    assert drawn(9104500).pairs("price 103900", "price 104500") == ()
    assert drawn(104500).pairs("price 103900", "price 104500")
    assert drawn(4500).pairs("pin 103900", "pin 004500")


def test_signs_of_a_token_may_stand_anywhere_though_another_stands_beside_it() -> None:
    one, other = b"\xfb" * 12, b"\x3e" * 12
    now = f'{{"a": "{base64.urlsafe_b64encode(one).decode()}", "b": "{base64.urlsafe_b64encode(other).decode()}"}}'
    assert "-" in now
    assert len(drawn(one, other).pairs(f'{{"a": "{"x" * 16}", "b": "{"y" * 16}"}}', now)) == 2


def test_hex_may_have_no_letter_by_chance() -> None:
    assert drawn(0x53405650).pairs("e6108322", "53405650")
    assert drawn(0xE6108322).pairs("53405650", "e6108322")
    assert drawn(*"884570").pairs("d113a1", "884570")


def test_letters_that_two_threads_draw_at_once_are_told_apart() -> None:
    found = Draws()
    with ThreadPoolExecutor(1) as other:
        for mine, its in zip("XK81PQ22", "QQ77WW55", strict=True):
            found.note(mine)
            other.submit(found.note, its).result()
    assert found.pairs("AB12CD34", "XK81PQ22")
    assert found.pairs("AB12CD34", "QQ77WW55")


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.integers() | st.text(max_size=3) | st.binary()))
def test_any_texts_can_be_asked_about(was: str, now: str, draws: list[object]) -> None:
    found = drawn(*draws).pairs(was, now)
    for part in found:
        assert part[0] in was
        assert part[1] in now


def test_only_the_latest_draws_are_remembered() -> None:
    draws = drawn(TOKEN, *(number + 10**9 for number in range(DRAWS_MAX + 1)))
    assert draws.pairs("12345678", str(10**9)) == ()
    assert draws.pairs("1234567890", str(10**9 + 1))
    assert draws.pairs("f" * 32, HEX)
    assert not Draws()
    assert draws


# ---- what was given --------------------------------------------------------------------------------------------------


def answer(value: Value, at_ns: int) -> Exchange:
    signature = Signature("redis", "GET", "")
    return Exchange("p-1", "redis.commands", signature, {}, {"reply": value}, at_ns=at_ns, duration_ns=10)


def test_what_the_request_or_an_answer_before_says_was_given() -> None:
    given = Given({"headers": [[b"x-code", b"AB12CD34"]], "q": {"EF56GH78": 1}}, [answer(["IJ90KL12", 345678], 100)])
    assert given.has("AB12CD34", 0)
    assert given.has("EF56GH78", 0)
    assert not given.has("IJ90KL12", 109)
    assert given.has("IJ90KL12", 110)
    assert given.has("345678")
    assert not given.has("ZZ99ZZ99")
