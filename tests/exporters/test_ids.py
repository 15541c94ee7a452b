"""Which generated ids are seen."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette import Generated
from timetracer_otel.exporters import ids

VALUE = uuid.UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


OTHERS = [("shop:g", index, uuid.UUID(int=(index + 7) << 90)) for index in range(ids.FEW)]


def seen(text: bytes, value: uuid.UUID = VALUE) -> bool:
    """By itself, and the same beside others, where it is looked for in another way."""
    made = ("shop:f", 3, value)
    expected = Generated("uuid4", "shop:f", 3, value.hex)
    by_itself = expected in ids.seen([made], [b"other", text])
    assert (expected in ids.seen([*OTHERS, made], [b"other", text])) == by_itself
    return by_itself


@pytest.mark.parametrize("form", [VALUE.hex, str(VALUE), str(VALUE).upper(), f"order-{VALUE}-1"])
def test_an_id_is_seen_as_text(form: str) -> None:
    assert seen(form.encode())


@pytest.mark.parametrize("form", [f"ORD-{VALUE.hex[:8].upper()}", VALUE.hex[:6], f"{str(VALUE)[-12:]}.pdf"])
def test_a_shortened_id_is_seen(form: str) -> None:
    assert seen(form.encode())
    assert not seen(form.encode(), uuid.UUID(int=1))


@given(st.uuids(version=4), st.binary(max_size=7), st.binary(max_size=7))
def test_an_id_is_seen_inside_bytes_at_any_place(value: uuid.UUID, before: bytes, after: bytes) -> None:
    assert seen(b64encode(before + value.bytes + after), value)


@given(
    st.uuids(version=4),
    st.binary(max_size=7),
    st.sampled_from([str, lambda value: value.hex, lambda value: str(value)[:18]]),
)
def test_an_id_is_seen_as_text_inside_bytes_at_any_place(
    value: uuid.UUID, before: bytes, spelled: Callable[[uuid.UUID], str]
) -> None:
    """A command of MongoDB is bytes as a whole, whatever is text in it."""
    assert seen(b64encode(before + spelled(value).encode() + b"\0"), value)


@given(st.uuids(version=4), st.binary(max_size=60))
def test_another_id_is_not_seen(value: uuid.UUID, data: bytes) -> None:
    assert value.bytes in data or not seen(b64encode(data), value)


def test_too_many_ids_in_too_much_text_are_looked_for_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "SEARCHED_MAX_BYTES", 10)
    assert seen(str(VALUE).upper().encode())
    assert not seen(str(uuid.UUID(int=1)).encode())


def test_beside_a_compressed_body_all_ids_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"headers":[["content-encoding","gzip"]],"body":[[0,{"$b64":"H4sI"}]]}'
    assert seen(text)
    monkeypatch.setattr(ids, "KEPT_MAX", 2)
    assert len(ids.seen([("shop:f", index, VALUE) for index in range(3)], [text])) == 2
