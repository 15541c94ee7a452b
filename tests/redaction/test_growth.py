"""No data may hold up the application: four times the data takes about four times the time, whatever it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import pytest

from timetracer_otel.redaction import Redactor

SIZE: Final = 20_000
SHORT_S: Final = 0.25
"""What takes no longer for all of it is quick enough, whatever its growth."""
GROWTH: Final = 4 * 2.5

PIECES: Final = (
    *(b"<token><![CDATA[", b"<token>", b"<token ", b"<token", b"<token>a<!--", b"<![CDATA[<token>"),
    *(
        b"token=",
        b"token='",
        b"token=x ",
        b"token=[",
        b"token=['",
        b"token=['a' ",
        b"token=((",
        b'token\\"',
        b"token   ",
        b"index: token_1 dup key: { : ",
        b"sig=AA",
    ),
    *(b"token = \\'", b'"token":', b'"token":"', b'\\"token\\":\\"', b"{'token': [\"", b"(b'token', b'"),
    *(
        b"('token', ",
        b"[b'cookie', b'a;",
        b"--token ",
        b"--token",
        b"<input value=a ",
        b"<input name=token ",
        b"<input ",
    ),
    *(b"name=token value=", b"(token)=(", b"(a)=(x", b"://a:", b"://", b"://:a", b"://x:a/b?", b"?a=%3D", b"?a=%253D"),
    *(b"?token=", b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN A", b" eyJaaaaaa.", b"eyJ", b"bearer ", b"Bearer\t"),
    *(b"Basic aaaa", b"AKIA", b"password $$", b"password $a$", b"password ''", b"password ", b"\\", b'"', b"'", b"%3D"),
    *(b'"token"/*', b"/*", b'{"token":[', b"[", b"{", b'"{', b'"[\\"', b'"pass_word":', b'"\\u00":'),
    *(
        b'"name":"token","value":',
        b'"name":"token","value":\\"',
        b'"value":"',
        b"'value':'a','name':",
        b'\\"value\\":\\"',
    ),
    *(b'{"name":"token",', b'"name":"token"', b'{"v":1,"k":"token"}', b'"value":"a","name":"'),
)


def seconds(act: Callable[[], object]) -> float:
    """Of this thread alone: what other tests have left behind may be at work in others."""
    began = time.thread_time()
    act()
    return time.thread_time() - began


def repeated(piece: bytes, size: int) -> bytes:
    """With what all of it may lack: a name, the ends that an expression looks for."""
    return b"token= " + piece * (size // 4) + b" </ @ '"


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("piece", PIECES)
def test_four_times_the_data_takes_about_four_times_the_time(piece: bytes, content_type: str) -> None:
    def masked(size: int) -> float:
        data = repeated(piece, size)
        return seconds(lambda: Redactor(b"key").body(data, content_type, "", "b"))

    if masked(SIZE) > max(SHORT_S, GROWTH * masked(SIZE // 4)):
        # Once more, since the collector of garbage may have looked through the whole process.
        took = min(masked(SIZE) for _ in range(3))
        assert took < max(SHORT_S, GROWTH * max(masked(SIZE // 4) for _ in range(2)))
