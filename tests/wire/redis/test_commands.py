"""What a client sends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.redis.strategies import batches
from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.commands import Leading, commands, pack


@settings(max_examples=40)
@given(batches)
def test_a_batch_survives_the_trip(batch: list[list[bytes]]) -> None:
    assert commands(pack(batch)) == batch
    assert list(Leading(pack(batch))) == batch


@settings(max_examples=40)
@given(st.binary())
def test_any_bytes_give_commands_or_a_wire_error(data: bytes) -> None:
    try:
        assert isinstance(commands(data), list)
    except WireError:
        pass


def test_of_a_batch_only_the_commands_that_are_come_to_are_cut() -> None:
    leading = Leading(pack([[b"GET", b"a"]]) + b"no command")
    assert next(iter(leading)) == [b"GET", b"a"]
    with pytest.raises(WireError):
        list(leading)


@pytest.mark.parametrize(
    "data",
    [b"*2\r\n$3\r\nGET\r\n", b"GET k\r\n", b"*1\r\n*1\r\n$1\r\na\r\n", b"*1\r\n$5\r\nGET\r\n", b"*1\r\n$3\r\nGETX\r\n"],
)
def test_what_is_no_command_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        commands(data)
