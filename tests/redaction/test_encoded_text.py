"""R46: what is percent-encoded inside of a text, once or more often."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from timetracer_otel.redaction import Redactor

SECRET = "kT4nary0Zx81Qw"
URLS = (
    f"https://shop.example/?page=1&token={SECRET}&n=2",
    f"https://s3.example/k?X-Amz-Date=1&X-Amz-Signature={SECRET}",
    f"https://shop.example/?next={quote('https://x.example/?api_key=' + SECRET, safe='')}",
    f"postgresql://app:{SECRET}@db.example/shop",
    f"https://shop.example/?next=https://x.example/?token={SECRET}",
)


def encoded(url: str, times: int) -> str:
    for _ in range(times):
        url = quote(url, safe="")
    return url


@pytest.mark.parametrize("times", [1, 2, 3, 8, 12])
@pytest.mark.parametrize("url", URLS[:4], ids=range(4))
def test_r46_a_url_is_masked_however_often_it_is_encoded(url: str, times: int) -> None:
    redactor = Redactor(b"key")
    for before, after in (("", ""), ("go to ", " now"), ('{"url": "', '"}')):
        masked = redactor.text(before + encoded(url, times) + after)
        assert SECRET not in masked
        assert "redacted" in masked
        assert masked.startswith(before)
        assert masked.endswith(after)
        assert Redactor(b"other").text(masked) == masked


@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_r46_only_the_secret_of_an_encoded_url_changes(url: str) -> None:
    redactor = Redactor(b"key")
    assert redactor.text(f"go to {quote(url, safe='')}") == f"go to {quote(redactor.text(url), safe='')}"
    assert SECRET not in redactor.text(url)


@pytest.mark.parametrize("text", ['{"token": "%s"}', "Authorization: Bearer %s", "https://ann:%s@shop.example"])
def test_r46_other_text_is_masked_where_it_is_encoded(text: str) -> None:
    inner = quote(text.replace("%s", SECRET), safe="")
    for whole in (f"x {inner}", f"https://shop.example/?state={inner}&n=1", f"a=1 {inner}"):
        masked = Redactor(b"key").text(whole)
        assert SECRET not in masked
        assert masked.startswith(whole.partition("%")[0])


@pytest.mark.parametrize(
    "text",
    [
        "go to https%3A%2F%2Fshop.example%2F%3Fpage%3D1 now",
        "100%25 of all tokens, a%3Db",
        "%zz%3Dtoken%",
        "token%3D",
        "mail ann%40shop.example at https%3A%2F%2Fshop.example",
    ],
)
def test_r47_encoded_text_without_a_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_a_hostile_nest_of_encodings_takes_linear_time() -> None:
    """Decoded to its end it would take the square of its length."""
    nest = "token=x %" + "25" * 50_000 + "3Dabc"
    assert "abc" not in Redactor(b"key").text(nest)
