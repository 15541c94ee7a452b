from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cassette.samples import ENVIRONMENT_PART, PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, query
from tests.cassette.strategies import exchanges
from tests.cassette.test_blobs import inline_up_to
from timetracer_otel.cassette import Blob, Exchange, compress, dump_environment, dump_exchange, dump_part, load_bundle
from timetracer_otel.config import MIB
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.store import Store, dump_bundle, resolving
from timetracer_otel.store.resolving import Resolver

LARGE = "total " * MIB


def put(store: Store, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    path = store.root / "blobs" / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(compress(data))
    return sha256


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cassettes")


def write(store: Store, *exchanges: Exchange) -> Path:
    texts = [dump_exchange(each, put=lambda pieces: put(store, b"".join(pieces))) for each in exchanges]
    return Path(store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART, texts)))


def test_a_trace_opens_with_its_blobs_as_folder_as_file_and_by_its_id(store: Store) -> None:
    body = Blob(put(store, b"0123456789"), 2, 5)
    path = write(store, replace(query(1), request={"body": body}), replace(query(2), result={"text": LARGE}))
    store.write_environment(
        PROCESS.id, 0, dump_environment(replace(ENVIRONMENT_PART, exchanges=(replace(query(0), request={"b": body}),)))
    )
    for wanted in (TRACE_ID, str(path.parent), str(path)):
        cassette, _ = store.open_cassette(wanted)
        first, second = cassette.segments[0].exchanges
        assert (first.request, second.result) == ({"body": b"23456"}, {"text": LARGE})
        assert cassette.environments[PROCESS.id].exchanges[0].request == {"b": b"23456"}


def test_a_bundle_of_it_needs_no_blob(store: Store) -> None:
    write(store, replace(query(2), result={"text": LARGE, "body": Blob(put(store, b"abc"), 0, 3)}))
    cassette, _ = store.open_cassette(TRACE_ID)
    bundle = dump_bundle(cassette)
    assert b'"$payload"' not in bundle
    assert b'"$blob"' not in bundle
    assert load_bundle(bundle, cassette.path) == cassette


def test_listing_reads_no_blob(store: Store) -> None:
    write(store, replace(query(1), request={"body": Blob("ab" * 32, 0, 3)}), replace(query(2), result={"text": LARGE}))
    for path in (store.root / "blobs").iterdir():
        path.unlink()
    listing = store.list_traces()
    assert listing.problems == ()
    assert listing.traces[0].segments[0].exchanges == 2


def test_a_blob_that_is_not_there_is_named_with_what_to_do(store: Store) -> None:
    write(store, replace(query(1), request={"body": Blob("ab" * 32, 0, 3)}))
    with pytest.raises(DamagedCassette) as caught:
        store.open_cassette(TRACE_ID)
    assert caught.value.path == str((store.root / "blobs" / ("ab" * 32)).absolute())
    assert caught.value.problem == "it is not there, and its cassette needs it: copy blobs/ too, or use a bundle"


def test_a_blob_that_does_not_hold_what_its_name_says_is_refused(store: Store) -> None:
    sha256 = put(store, b"0123456789")
    (store.root / "blobs" / sha256).write_bytes(compress(b"0123456780"))
    with pytest.raises(DamagedCassette, match="it does not hold what its name says"):
        Resolver(store.root)(Blob(sha256, 0, 10))
    (store.root / "blobs" / sha256).write_bytes(compress(b"0123456789")[:-1])
    with pytest.raises(DamagedCassette, match="the end of the file is missing"):
        Resolver(store.root)(Blob(sha256, 0, 10))


def test_bytes_beyond_the_end_are_refused(store: Store) -> None:
    resolver, sha256 = Resolver(store.root), put(store, b"0123456789")
    assert resolver(Blob(sha256, 10, 0)) == b""
    for offset, size in (11, 0), (0, 11), (9, 2):
        with pytest.raises(DamagedCassette, match="beyond its end at 10"):
            resolver(Blob(sha256, offset, size))


def test_what_one_cassette_asks_for_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "BLOBS_MAX_BYTES", 2 * MIB)
    one, two, three = (put(store, bytes([number]) * MIB) for number in range(3))
    resolver = Resolver(store.root)
    assert len(resolver(Blob(one, 0, MIB))) == len(resolver(Blob(one, 0, MIB))) == MIB
    with pytest.raises(DamagedCassette, match="its cassette asks for more than 2 MiB of blobs"):
        resolver(Blob(one, 0, 1))
    resolver = Resolver(store.root)
    assert resolver(Blob(one, 0, 1)) + resolver(Blob(two, 0, 1)) == b"\x00\x01"
    with pytest.raises(DamagedCassette, match="with the others of its cassette it is over 2 MiB"):
        resolver(Blob(three, 0, 1))


def test_a_body_in_many_pieces_is_read_once(store: Store) -> None:
    sha256 = put(store, b"x" * 64 * MIB)
    resolver, began = Resolver(store.root), time.monotonic()
    pieces = [resolver(Blob(sha256, offset, 1024)) for offset in range(0, 64 * MIB, 1024)]
    assert sum(map(len, pieces)) == 64 * MIB
    assert time.monotonic() - began < 30  # read anew for each piece it would take hours


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(exchanges, st.binary(max_size=40), st.integers(0, 20), st.integers(0, 20))
def test_any_exchange_survives_a_store_in_which_all_payloads_are_blobs(
    store: Store, exchange: Exchange, data: bytes, offset: int, size: int
) -> None:
    body = Blob(store.write_blob(PROCESS.id, data), min(offset, len(data)), min(size, max(0, len(data) - offset)))
    exchange = replace(exchange, result={**exchange.result, "body": [[7, body]]})
    with inline_up_to(0):
        text = dump_exchange(exchange, put=lambda payload: store.write_blob(PROCESS.id, payload))
    path = store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART, [text]))
    cassette, _ = store.open_cassette(str(path))
    expected = replace(exchange, result={**exchange.result, "body": [[7, data[offset : offset + size]]]})
    assert repr(cassette.segments[0].exchanges) == repr((expected,))
