"""Secrets in commands and replies: in no exchange, and the recording replays all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import zstandard

from tests.drivers.redis.harness import SAME, record, replay
from tests.drivers.redis.taping import PRODUCTION, Tape, replayed, taps
from tests.servers.redis import RedisServer

Program = Callable[[Any], Any]
CANARY = "c4n4ry-of-the-app"
PROGRAM = "tests.drivers.redis.secretive"


def recorded(server: RedisServer, program: Program, protocol: int) -> Tape:
    server.command("FLUSHALL")
    with taps() as tape:
        client: Any = redis.Redis.from_url(server.url(), protocol=protocol)
        program(client)
        client.close()
    return tape


def acl(client: Any) -> None:
    client.acl_setuser("ada", enabled=True, passwords=[f"+{CANARY}"], commands=["+@all"], keys=["*"])
    client.execute_command("AUTH", "ada", CANARY)
    client.execute_command("AUTH", "default", "")
    client.acl_getuser("ada")
    client.acl_deluser("ada")


def config(client: Any) -> None:
    client.config_set("masterauth", CANARY)
    client.config_get("master*")
    client.config_set("masterauth", "")


def streams(client: Any) -> None:
    client.xadd("logins", {"user": "ada", "password": CANARY}, maxlen=10)
    client.xrange("logins")
    client.xread({"logins": "0"})


PROGRAMS: dict[str, Program] = {
    "a key named password": lambda r: (r.set("password", CANARY), r.get("password"), r.mget("a", "password")),
    "a key that ends so": lambda r: (r.set("user:42:password", CANARY, ex=60), r.getset("user:42:password", "x")),
    "a key that begins so": lambda r: (r.rpush("token:42", CANARY), r.lrange("token:42", 0, -1), r.lpop("token:42")),
    "keys of mset": lambda r: (r.mset({"a": 1, "api_key": CANARY}), r.mget("a", "api_key")),
    "a field": lambda r: (r.hset("user", mapping={"name": "ada", "password": CANARY}), r.hgetall("user")),
    "a field by name": lambda r: (
        r.hset("u", "password", CANARY),
        r.hget("u", "password"),
        r.hmget("u", "x", "password"),
    ),
    "a field scanned": lambda r: (r.hset("u", "password", CANARY), r.hscan("u")),
    "fields of a stream": streams,
    "JSON": lambda r: (r.set("user:1", json.dumps({"name": "ada", "password": CANARY})), r.get("user:1")),
    "a message": lambda r: r.publish("news", json.dumps({"token": CANARY})),
    "in a transaction": lambda r: r.pipeline().set("password", CANARY).get("password").execute(),
    "in a pipeline": lambda r: r.pipeline(transaction=False).hset("u", "token", CANARY).hgetall("u").execute(),
    "the same under another name": lambda r: (r.set("password", CANARY), r.set("note", CANARY), r.get("note")),
    "a shape of its own": lambda r: r.set("note", f"postgresql://ada:{CANARY}@db/shop"),
    "users of the server": acl,
    "settings of the server": config,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", PROGRAMS)
def test_r46_a_secret_is_in_no_exchange(server: RedisServer, name: str, protocol: int) -> None:
    tape = recorded(server, PROGRAMS[name], protocol)
    assert tape.captured
    assert CANARY not in str(tape.exchanges)
    assert any(each.redacted for each in tape.exchanges)


def test_r47_what_is_masked_replays_and_what_is_no_secret_stays(server: RedisServer) -> None:
    def program(client: Any) -> Any:
        client.hset("user", mapping={"name": "ada", "password": CANARY})
        client.incr("password_attempts")
        return client.hget("user", "name"), client.get("password_attempts"), client.exists("user")

    tape = recorded(server, program, 3)
    assert [each.redacted for each in tape.exchanges if each.redacted] == [("request.commands[0][5]",)]
    with replayed(tape) as replay:
        client: Any = redis.Redis.from_url(PRODUCTION, protocol=3)
        assert program(client) == (b"ada", b"1", 1)
        client.close()
        assert replay.misses == []


def test_r46_no_canary_is_in_any_byte_of_a_store(redis: RedisServer, tmp_path: Path) -> None:
    """With a password for the server, in its address, as every client has it."""
    redis.command("ACL", "SETUSER", "app", "on", f">{CANARY}", "~*", "+@all", "&*")
    secret = {"CANARY": CANARY}
    recorded = record(tmp_path, PROGRAM, f"redis://app:{CANARY}@127.0.0.1:{redis.port}", **secret)
    redis.stop()
    assert recorded.saw["read"] == CANARY
    texts = [_text(path) for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"user:1" in text for text in texts)
    assert not any(CANARY.encode() in text for text in texts)
    replayed = replay(tmp_path, PROGRAM, "redis://cache.example", **secret)
    assert replayed.saw["count"] == recorded.saw["count"]
    assert replayed.found == SAME


def _text(path: Path) -> bytes:
    data = path.read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".zst" else data
