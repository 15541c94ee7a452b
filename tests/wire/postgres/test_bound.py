from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.bound import bound
from timetracer_otel.wire.postgres.reader import FrontendReader
from timetracer_otel.wire.postgres.requests import Bind, Execute

SYNC = b"S\0\0\0\4"
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5).map(str.encode)
codes = st.integers(0, 3)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def numbers(found: list[int]) -> bytes:
    return len(found).to_bytes(2, "big") + b"".join(each.to_bytes(2, "big") for each in found)


def value(cell: bytes | None) -> bytes:
    return (-1).to_bytes(4, "big", signed=True) if cell is None else len(cell).to_bytes(4, "big") + cell


@st.composite
def binds(draw: st.DrawFn) -> bytes:
    cells = draw(st.lists(st.none() | st.binary(max_size=5), max_size=4))
    formats = draw(st.sampled_from([[], [1], [0], [1] * len(cells)]) | st.lists(codes, max_size=4))
    body = draw(names) + b"\0" + draw(names) + b"\0" + numbers(formats)
    body += len(cells).to_bytes(2, "big") + b"".join(map(value, cells)) + numbers(draw(st.lists(codes, max_size=3)))
    return message(b"B", body)


@st.composite
def executes(draw: st.DrawFn) -> bytes:
    return message(b"E", draw(names) + b"\0" + draw(st.binary(min_size=4, max_size=4)))


def by_reader(data: bytes) -> tuple[Bind, Execute] | None:
    """The first two messages, if they are these."""
    requests = FrontendReader(is_started=True).receive(data)
    try:
        first, second = next(requests, None), next(requests, None)
    except WireError:
        return None
    return (first, second) if isinstance(first, Bind) and isinstance(second, Execute) else None


@given(binds(), executes(), st.sampled_from([b"", SYNC]))
@example(message(b"B", bytes(3) + b"\1\0\2" + bytes(4)), message(b"E", bytes(5)), b"")  # a code of no value
def test_it_reads_a_bind_and_an_execute_as_the_reader_does(bind: bytes, execute: bytes, rest: bytes) -> None:
    assert bound(bind + execute + rest) == by_reader(bind + execute + rest)


@given(binds(), executes(), st.integers(0, 80), st.binary(max_size=4))
def test_bytes_with_a_fault_are_read_as_the_reader_reads_them_or_not_at_all(
    bind: bytes, execute: bytes, at: int, fault: bytes
) -> None:
    data = bind + execute
    broken = data[:at] + fault + data[at + len(fault) :]
    assert bound(broken) in (None, by_reader(broken))


@given(st.binary(max_size=60))
@example(b"")
@example(b"BBBBB")
def test_any_bytes_are_read_as_the_reader_reads_them_or_not_at_all(data: bytes) -> None:
    assert bound(data) in (None, by_reader(data))
