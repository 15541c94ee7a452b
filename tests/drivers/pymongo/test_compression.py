"""Compressed commands are recorded as what they are, and replay agrees on no compressor."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient

from tests.drivers.pymongo.compressing import CompressingProxy
from tests.drivers.pymongo.taping import replayed, taps
from tests.servers.mongo import MongoServer

pytestmark = pytest.mark.usefixtures("spans")


@pytest.mark.parametrize("compressor", ["snappy", "zlib", "zstd"])
def test_r12_what_is_compressed_is_recorded_and_replayed(server: MongoServer, compressor: str) -> None:
    def program(uri: str) -> Any:
        with MongoClient[Any](uri) as client:
            client.packed.drop_collection("things")
            client.packed.things.insert_many([{"_id": number, "text": "x" * 99} for number in range(50)])
            return list(client.packed.things.find(batch_size=20))

    proxy = CompressingProxy(server.port, compressor)
    with taps() as tape:
        recorded = program(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true&compressors={compressor}")
    proxy.stop()
    assert proxy.compressed >= 5
    assert tape.names == ["drop", "insert", "find", "getMore", "getMore", "endSessions"]
    with replayed(tape) as replay:
        assert (
            program(f"mongodb://db.prod.example/?directConnection=true&compressors={compressor}&tls=true") == recorded
        )
    assert replay.misses == []
