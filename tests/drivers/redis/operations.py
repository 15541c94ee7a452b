"""What an application asks Redis, one call after the other, by either client: a step gives a value or an awaitable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LUA = "return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}"
LATER = 4_102_444_800
"""The year 2100: what is reckoned from now is another value when replay takes longer."""
BLOB = bytes(range(256)) * 300

Step = Callable[[Any], Any]


STEPS: dict[str, Step] = {
    "set": lambda r: r.set("k", "v"),
    "get": lambda r: r.get("k"),
    "get nothing": lambda r: r.get("absent"),
    "set nx": lambda r: r.set("k", "w", nx=True),
    "set get": lambda r: r.set("k", "v2", get=True),
    "set binary": lambda r: r.set("bin", BLOB),
    "getrange": lambda r: r.getrange("bin", 0, 20),
    "get binary": lambda r: r.get("bin"),
    "set unicode": lambda r: r.set("ü", "日本"),
    "get unicode": lambda r: r.get("ü"),
    "set exat": lambda r: r.set("e", 1, exat=LATER),
    "expireat": lambda r: r.expireat("k", LATER + 1),
    "set px": lambda r: r.set("p", 1, px=60_000),
    "ttl": lambda r: r.ttl("p"),
    "incr": lambda r: r.incr("n", 7),
    "incrbyfloat": lambda r: r.incrbyfloat("f", 1.5),
    "mset": lambda r: r.mset({"a": 1, "b": 2}),
    "mget": lambda r: r.mget("a", "b", "zz"),
    "hset": lambda r: r.hset("h", mapping={"x": 1, "y": "two"}),
    "hgetall": lambda r: r.hgetall("h"),
    "hmget": lambda r: r.hmget("h", "x", "q"),
    "sadd": lambda r: r.sadd("s", "m1"),
    "smembers": lambda r: r.smembers("s"),
    "zadd": lambda r: r.zadd("z", {"one": 1, "two": 2.5}),
    "zrange": lambda r: r.zrange("z", 0, -1, withscores=True),
    "zscore": lambda r: r.zscore("z", "two"),
    "rpush": lambda r: r.rpush("l", 1, 2, 3),
    "lrange": lambda r: r.lrange("l", 0, -1),
    "blpop": lambda r: r.blpop("l", timeout=1),
    "blpop nothing": lambda r: r.execute_command("BLPOP", "nothing", "0.01"),
    "wrong type": lambda r: r.incr("h"),
    "syntax": lambda r: r.execute_command("SET", "x"),
    "unknown command": lambda r: r.execute_command("NOSUCH", "x"),
    "unknown script": lambda r: r.evalsha("0" * 40, 0),
    "eval": lambda r: r.eval(LUA, 1, "a", "arg"),
    "script": lambda r: r.register_script(LUA)(keys=["b"], args=["y"]),
    "xadd": lambda r: r.xadd("st", {"f": "v"}),
    "xadd id": lambda r: r.xadd("st2", {"f": "v"}, id="5-1"),
    "xread": lambda r: r.xread({"st": "0", "st2": "0"}, count=5),
    "xread block": lambda r: r.xread({"st": "$"}, block=5),
    "xgroup": lambda r: r.xgroup_create("st2", "g", id="0"),
    "xreadgroup": lambda r: r.xreadgroup("g", "c", {"st2": ">"}),
    "xinfo": lambda r: r.xinfo_stream("st2"),
    "geoadd": lambda r: r.geoadd("geo", (13.36, 38.11, "Palermo")),
    "geopos": lambda r: r.geopos("geo", "Palermo", "none"),
    "time": lambda r: r.time(),
    "info": lambda r: r.info("server"),
    "config get": lambda r: r.config_get("maxmemory*"),
    "scan": lambda r: r.scan(0, count=1000),
    "ping": lambda r: r.ping(),
    "client id": lambda r: r.client_id(),
    "pipeline": lambda r: r.pipeline(False).set("pa", 1).incr("pa").get("pa").hgetall("h").execute(),
    "pipeline, one fails": lambda r: r.pipeline(False).set("pb", 1).lpush("h", 1).get("pb").execute(False),
    "pipeline raises": lambda r: r.pipeline(False).set("pb", 1).lpush("h", 1).execute(),
    "transaction": lambda r: r.pipeline(True).set("pa", 1).incr("pa").get("pa").hgetall("h").execute(),
    "transaction, one fails": lambda r: r.pipeline(True).set("pb", 1).lpush("h", 1).get("pb").execute(False),
    "transaction aborted": lambda r: r.pipeline(True).set("pb", 1).execute_command("NOSUCH").execute(),
}
