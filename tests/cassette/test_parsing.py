"""A large text is read exchange by exchange, and is what it is when it is read in one."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette import parsing
from timetracer_otel.cassette.parsing import parsed

TEXTS = st.text('a"\\\n[]{},:é') | st.sampled_from(['},{"id":', '"exchanges":[', "]}"])
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "exchanges", "x"]), inner),
    max_leaves=8,
)
EXCHANGES = st.lists(st.fixed_dictionaries({"id": TEXTS, "request": VALUES}), max_size=4)


@pytest.fixture(autouse=True)
def every_text_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_LARGE_BYTES", 0)


@given(st.dictionaries(TEXTS, VALUES), EXCHANGES, st.dictionaries(TEXTS, VALUES, max_size=1))
def test_it_reads_what_orjson_reads(head: dict[str, object], exchanges: list[object], after: dict[str, object]) -> None:
    text = orjson.dumps({**head, "exchanges": exchanges, **after})
    assert parsed(text) == orjson.loads(text)


@given(EXCHANGES, st.data())
def test_it_refuses_what_orjson_refuses(exchanges: list[object], data: st.DataObject) -> None:
    text = bytearray(orjson.dumps({"part": 1, "exchanges": exchanges}))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from([b"", b"]", b"}", b",", b'"', b"{"]))
    try:
        whole = orjson.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r".*"):
            parsed(bytes(text))
    else:
        assert parsed(bytes(text)) == whole


def test_a_part_is_read_exchange_by_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    loads = orjson.loads

    def noted(text: bytes) -> object:
        read.append(bytes(text))
        return loads(text)

    monkeypatch.setattr(orjson, "loads", noted)
    assert parsed(b'{"part":0,"exchanges":[{"id":"a"},{"id":"b"}]}') == {
        "part": 0,
        "exchanges": [{"id": "a"}, {"id": "b"}],
    }
    assert read == [b'{"part":0,"exchanges":[]}', b'{"id":"a"}', b'{"id":"b"}']
