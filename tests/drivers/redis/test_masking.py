"""Secrets in commands and replies: in no exchange, and the recording replays all the same."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
import zstandard

from tests.drivers.redis.harness import SAME, record, replay
from tests.drivers.redis.taping import PRODUCTION, replayed, taps
from tests.drivers.taping import ListTape
from tests.servers.redis import RedisServer
from timetracer_otel.drivers.base import Slot
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.redis.codec import CODEC
from timetracer_otel.drivers.redis.masking import mask
from timetracer_otel.drivers.redis.questions import method_of, question
from timetracer_otel.redaction import Redactor
from timetracer_otel.replay.origin import Origins
from timetracer_otel.wire.redis import readable
from timetracer_otel.wire.redis.commands import commands, pack

Program = Callable[[Any], Any]
CANARY = "c4n4ry-of-the-app"
PROGRAM = "tests.drivers.redis.secretive"


def recorded(server: RedisServer, program: Program, protocol: int) -> ListTape:
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


def telling(client: Any) -> None:
    client.config_set("slowlog-log-slower-than", 0)
    client.set("user:1:password", f'{CANARY} "\\ \xff')
    client.set("note", "plain")
    client.config_set("slowlog-log-slower-than", 10000)
    assert any(b"note" in each["command"] for each in client.slowlog_get())
    with client.monitor() as monitor:
        client.hset("u", mapping={"name": 'a "b', "password": f'{CANARY} "\\ \xff'})
        assert next(monitor.listen())["command"]


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
    "what a server tells of others": telling,
    "what SORT gets": lambda r: (
        r.rpush("ids", 1, 2),
        r.hset("user:1", "password", CANARY),
        r.sort("ids", by="nosort", get=["#", "user:*->password"]),
    ),
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
    assert not any(CANARY.encode() in text or CANARY.encode().hex().encode() in text for text in texts)
    replayed = replay(tmp_path, PROGRAM, "redis://cache.example", **secret)
    assert (replayed.saw["page"], replayed.saw["name"]) == (recorded.saw["page"], recorded.saw["name"]) == (7, "ada")
    assert replayed.saw["count"] == recorded.saw["count"]
    assert replayed.found == SAME


def _text(path: Path) -> bytes:
    data = path.read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".zst" else data


# ---- by hand ---------------------------------------------------------------------------------------------------------

SECRET = "c4n4ry"
ASKED = (
    f"PUBLISH password {SECRET}",
    f"SPUBLISH token:1 {SECRET}",
    f"LINSERT token BEFORE {SECRET} {SECRET}",
    f"LREM token 0 {SECRET}",
    f"LPOS token {SECRET}",
    f"SREM token {SECRET}",
    f"SISMEMBER token:1 {SECRET}",
    f"SMOVE token other {SECRET}",
    f"ZADD token NX CH 1.5 {SECRET} 2 {SECRET}",
    f"ZINCRBY token 1 {SECRET}",
    f"PFADD token {SECRET}",
    f"SETRANGE user:1:password 0 {SECRET}",
    f"RESTORE user:1:password 0 {SECRET}",
    f"SET user:password:1 {SECRET}",
    f"SET password n IFEQ {SECRET}",
    f"DELEX password IFEQ {SECRET}",
    f"HSETEX u EX 5 FIELDS 1 password {SECRET}",
    f"MSETEX 2 a 1 password {SECRET} EX 5",
    f'JSON.SET password $ "{SECRET}"',
    f'JSON.SET user $.password "{SECRET}"',
    f"EVAL script 2 a user:1:password 60 {SECRET}",
    f"evalsha 0123 1 password {SECRET}",
    f"FCALL f 1 password {SECRET}",
    f"SENTINEL CONFIG SET sentinel-pass {SECRET}",
)
ANSWERED = (
    "EVAL script 1 user:1:password",
    "FCALL f 1 password",
    "RPOPLPUSH other token",
    "SUNION other token",
    "JSON.GET user $.password",
)


def masked(command: str, replies: bytes = b"+OK\r\n", **more: Any) -> Encoded:
    batch = [[word.encode() for word in command.split()]]
    request: dict[str, Any] = {"database": 0, "protocol": 2, "commands": pack(batch)}
    encoded = Encoded("db.command", "redis", method_of(batch), "", request, {"replies": replies, **more})
    return mask(encoded, Redactor(b"key"))[0]


@pytest.mark.parametrize("command", ASKED)
def test_r46_a_value_is_secret_whatever_is_done_with_a_key_or_field_of_such_a_name(command: str) -> None:
    assert SECRET not in repr(masked(command))


@pytest.mark.parametrize("command", ANSWERED)
def test_r46_what_comes_from_a_key_or_field_of_such_a_name_is_secret(command: str) -> None:
    for reply in (b"$6\r\nc4n4ry\r\n", b"*1\r\n$6\r\nc4n4ry\r\n"):
        assert SECRET not in repr(masked(command, reply))
    for by_field in ("HGETEX u EX 5 FIELDS 1 password", "HGETDEL u FIELDS 1 password"):
        assert SECRET not in repr(masked(by_field, b"*1\r\n$6\r\nc4n4ry\r\n"))


def test_r47_names_of_keys_cursors_scores_and_json_stay_what_the_client_reads() -> None:
    def read(command: str, reply: list[Any]) -> Any:
        found = masked(command, readable.encode(reply)).result["replies"]
        assert SECRET.encode() not in found  # type: ignore[operator]
        return readable.decode(found)  # type: ignore[arg-type]

    for command in ("BLPOP other token:1 0", "LMPOP 2 other token:1 LEFT"):
        assert read(command, ["token:1", SECRET])[0] == "token:1"
    assert read("SSCAN token 0", ["17", [SECRET]])[0] == "17"
    assert read("ZRANGE token 0 -1 WITHSCORES", [SECRET, "1.5"])[1] == "1.5"
    assert json.loads(read("JSON.GET user $.password", [f'["{SECRET}"]'])[0])[0].startswith("[redacted:")


def test_r47_of_a_command_that_a_server_tells_of_all_but_the_secret_stays() -> None:
    line = b'+1339518083.1 [0 127.0.0.1:60866] "hset" "u" "name" "a \\"b" "password" "c4n4ry\\xff"\r\n'
    found: Any = masked("MONITOR", line).result["replies"]
    assert found.startswith(line.partition(b'"c4n4ry')[0] + b'"[redacted:password#')
    assert found.endswith(b'"\r\n')
    sorted_ = masked(
        "SORT ids GET # GET user:*->password", b"*4\r\n$1\r\n1\r\n$6\r\nc4n4ry\r\n$1\r\n2\r\n$6\r\nc4n4ry\r\n"
    )
    values: Any = readable.decode(sorted_.result["replies"])  # type: ignore[arg-type]
    assert (values[0], values[2]) == ("1", "2")
    assert SECRET not in str(values)


def test_r46_of_a_reply_that_broke_off_nothing_secret_stays_and_markers_do_not_make_it_whole() -> None:
    for command, partial in (
        ("GET password", b"$100\r\nc4n4ry"),
        ("GET user", b'$20\r\n{"token":"c4n4ry'),
        ("HGETALL user", b"*2\r\n$8\r\npassword\r\n$9\r\nc4n4ry"),
    ):
        found = masked(command, b"", partial=partial, lost="closed").result
        assert found["partial"] == partial.partition(b"\n")[0] + b"\n"
    assert masked("GET user", b"", partial=b"$9\r\nhello").result["partial"] == b"$9\r\nhello"


def test_r46_a_field_is_a_signature_by_its_look_or_its_neighbours() -> None:
    signature = base64.b64encode(hashlib.sha256(b"key").digest()).decode()
    fields = [b"Key-Pair-Id", b"K1", b"Signature", signature.encode(), b"note", b"x"]
    flat = b"*6\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in fields)
    for spelled in (signature, hashlib.sha256(b"key").hexdigest()):
        reply = f"${len(spelled)}\r\n{spelled}\r\n".encode()
        for command in (f"HSET blob sv 2024 sig {spelled}", f"SET blob:1:sig {spelled}", f"XADD log * sig {spelled}"):
            assert spelled not in repr(masked(command)), command
        assert spelled not in repr(masked("HGET blob sig", reply))
        assert spelled not in repr(masked("HMGET blob sig sv", b"*2\r\n" + reply + b"$1\r\n1\r\n"))
        for begin in (b"*2\r\n", b"%1\r\n"):
            assert spelled not in repr(masked("HGETALL blob", begin + b"$3\r\nsig\r\n" + reply))
    assert signature not in repr(masked(f"HSET url Key-Pair-Id K1 Signature {signature} Policy {signature}"))
    for answer in (flat, flat.replace(b"*6", b"%3")):
        assert signature not in repr(masked("HGETALL url", answer))


def test_r47_a_field_that_only_has_the_name_of_a_signature_stays() -> None:
    for asked in ("HSET f sig 1.5 name n", "HSET mail sig Ann", "SET f:sig deadbeef", f"HSET f Signature {'x' * 40}"):
        assert masked(asked).request["commands"] == pack([[word.encode() for word in asked.split()]])
    reply = b"*4\r\n$3\r\nsig\r\n$3\r\nAnn\r\n$1\r\na\r\n$1\r\nb\r\n"
    assert masked("HGETALL mail", reply).result["replies"] == reply


@pytest.mark.parametrize("pack_up", [gzip.compress, zlib.compress, zstandard.compress], ids=["gzip", "zlib", "zstd"])
def test_r46_a_compressed_value_is_masked_inside_and_is_the_same_request_in_replay(pack_up: Any) -> None:
    def asked(text: str) -> Encoded:
        message = pack([[b"SET", b"user:1", pack_up(text.encode())]])
        return Encoded("db.command", "redis", "SET", "user", {**common, "commands": message}, {"replies": b"+OK\r\n"})

    def slots(encoded: Encoded) -> Sequence[Slot]:
        return question(commands(encoded.request["commands"]), "0").slots  # type: ignore[arg-type]

    common: dict[str, Any] = {"database": 0, "protocol": 2}
    was, paths = mask(asked('{"token": "c4n4ry", "page": 7}'), Redactor(b"key"))
    marker = Redactor(b"key").marker("token", SECRET)
    assert slots(was)[1].text == f'{{"token": "{marker}", "page": 7}}'
    redacted = frozenset(path.removeprefix("request.") for path in paths)
    for text, is_same in ((f'{{"token": "{marker}", "page": 7}}', True), ('{"token": "c4n4ry", "page": 8}', False)):
        proof = Origins((), (0, 1), lambda: (0, 1)).proves(slots(was), slots(asked(text)), redacted)
        assert (proof is not None) == is_same
    plain = asked('{"page": 7}')
    assert mask(plain, Redactor()) == (plain, ())


def test_r46_an_exchange_in_readable_form_is_masked_once_more_and_stays_readable() -> None:
    """As a bundle that was edited, or a trace of somebody whose rules were others."""
    asked = [["HGETALL", "user"], ["HSET", "u", "n", "1", "token", SECRET]]
    request: Any = {"database": 0, "protocol": 2, "commands": asked}
    result: Any = {"replies": [["password", SECRET, "note", f'{{"token": "{SECRET}"}}'], 2]}
    found, paths = CODEC.redact(Encoded("db.command", "redis", "PIPELINE", "", request, result), Redactor(b"key"))
    commands: Any = found.request["commands"]
    assert (commands[0], commands[1][:5]) == (asked[0], asked[1][:5])
    assert SECRET not in repr(found)
    assert "request.commands[1][5]" in paths
    assert CODEC.redact(found, Redactor(b"other"))[0] == found
