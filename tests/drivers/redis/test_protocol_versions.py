"""What a real server says to one command over RESP2 and over RESP3: an answer is turned into that, or not at all."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from tests.servers.redis import RedisServer
from timetracer_otel.wire.redis.commands import pack
from timetracer_otel.wire.redis.frames import split
from timetracer_otel.wire.redis.versions import turned

Batch = Sequence[Sequence[bytes]]
FILLED = (
    "FLUSHALL",
    "HSET h a 1 b 2",
    "SADD s a b",
    "ZADD z 1.5 a 2 b",
    "RPUSH l a b",
    "SET k 7",
    "XADD x 1-1 a b",
    "GEOADD g 13 38 p",
)
TURNED = (
    *("HGETALL h", "HGETALL none", "HGET h a", "HGET h none", "HKEYS h", "HMGET h a none", "HSCAN h 0"),
    *(
        "SMEMBERS s",
        "SMEMBERS none",
        "SINTER s s",
        "SUNION s",
        "SDIFF s none",
        "SISMEMBER s a",
        "SRANDMEMBER none 1",
        "HRANDFIELD none",
    ),
    *("ZSCORE z a", "ZSCORE z none", "ZINCRBY z 0 a", "ZADD z 1.5 a", "ZADD z INCR 0 a", "ZMSCORE z a none", "ZCARD z"),
    *("ZRANGE z 0 -1", "ZRANK z a", "ZRANK z none", "LRANGE l 0 -1", "LRANGE none 0 -1", "LPOP none", "MGET k none"),
    *("GET k", "GET none", "SET k 7", "TYPE k", "INCRBYFLOAT k 0", "EXISTS k", "PING", "BLPOP none 0.01", "XLEN x"),
    *("CONFIG GET maxmemory", "XRANGE x - +", "HGET k a", "NOSUCH a", "GEODIST g p p", "EVAL return{1,false,'a'} 0"),
    *("OBJECT ENCODING k", "PUBSUB NUMSUB a", "GEOHASH g p none", "DBSIZE", "SPOP none 1"),
)
NOT_TURNED = (
    *("ZRANGE z 0 -1 WITHSCORES", "ZPOPMIN none", "XREAD STREAMS x 0", "GEOPOS g p", "HRANDFIELD h 1 WITHVALUES"),
    *("COMMAND COUNT", "XINFO STREAM x", "JSON.GET k"),
)


def asked(server: RedisServer, version: int, lines: Sequence[str]) -> list[bytes]:
    """The reply to each, one after the other, the keys as they were filled."""
    replies: list[bytes] = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        for line in (f"HELLO {version}", *FILLED, *lines):
            connection.sendall(pack([line.encode().split()]))
            data = b""
            while not (frames := split(data)[0]):
                data += connection.recv(65536)
            replies += frames
    return replies[1 + len(FILLED) :]


def test_a_reply_is_turned_into_what_the_server_says_over_the_other_version(redis: RedisServer) -> None:
    second, third = asked(redis, 2, TURNED), asked(redis, 3, TURNED)
    batches: list[Batch] = [[line.encode().split()] for line in TURNED]
    for batch, older, newer in zip(batches, second, third, strict=True):
        assert (batch, turned(batch, [older], 3)) == (batch, meant(newer))
        assert (batch, turned(batch, [newer], 2)) == (batch, meant(older))


def meant(frame: bytes) -> bytes:
    """A null array is a null: clients make nothing of the difference."""
    return {b"*-1\r\n": b"$-1\r\n"}.get(frame, frame)


def test_a_reply_of_another_form_is_not_turned_unless_it_is_an_error(redis: RedisServer) -> None:
    for version, other in ((2, 3), (3, 2)):
        for line, reply in zip(NOT_TURNED, asked(redis, version, NOT_TURNED), strict=True):
            expected = reply if reply.startswith(b"-") else None
            assert (line, turned([line.encode().split()], [reply], other)) == (line, expected)


def test_a_transaction_is_turned_answer_by_answer(redis: RedisServer) -> None:
    lines = ("MULTI", "HGETALL h", "SMEMBERS none", "GET k", "EXEC")
    batch = [line.encode().split() for line in lines]
    second, third = asked(redis, 2, lines), asked(redis, 3, lines)
    assert turned(batch, second, 3) == b"".join(third)
    assert turned(batch, third, 2) == b"".join(second)
    assert turned(batch, second[:-1], 3) is None
