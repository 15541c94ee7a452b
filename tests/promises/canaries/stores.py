"""Databases and Redis."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import os
import zlib
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import psycopg
import redis
import sqlalchemy as sa
import zstandard
from bson import Binary, Code
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.promises.canaries.secrets import HASH, REFUSED, document, secret, text, told

SCHEMA: Final = """CREATE TABLE users (name text, password text, api_key text, token text, note text, document jsonb);
CREATE TABLE files (data bytea, sig text);
CREATE TABLE logins (password text PRIMARY KEY)"""
_LITERALS: Final = (
    "ALTER ROLE app PASSWORD '{0}'",
    "INSERT INTO users (name, password) VALUES ('ann', '{0}')",
    "UPDATE users SET api_key = '{0}' WHERE password = '{0}'",
    "SELECT '{0}' AS token, 1 AS n",
    "DO $$ BEGIN RAISE NOTICE 'token={0}'; END $$",
    "DO $$ BEGIN RAISE EXCEPTION 'password=%', '{0}'; END $$",
    'NOTIFY logins, \'{{"token": "{0}"}}\'',
    "SELECT dblink_connect('host=db user=app password={0}')",
    "SET app.secret_token = '{0}'",
    "COMMENT ON TABLE users IS 'api_key={0}'",
    "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'ann', password '{0}')",
    "SELECT * FROM users WHERE note = 'sig={1}'",
    "UPDATE files SET sig = '{1}' WHERE sig = '{1}'",
)
_INSERT: Final = "INSERT INTO users (name, password, api_key, document) VALUES (%s, %s, %s, %s) RETURNING *"


def _psycopg() -> None:
    with told("psycopg dsn"):
        psycopg.connect(f"postgresql://app:{secret('psycopgdsn')}@{REFUSED}/shop")
    with told("psycopg words"):
        psycopg.connect(f"host=127.0.0.1 port=1 user=app password={secret('words')} no_such_option=1")
    with told("psycopg"), psycopg.connect(os.environ["POSTGRES"], autocommit=True, row_factory=dict_row) as connection:
        for literal in _LITERALS:
            with contextlib.suppress(psycopg.Error):
                connection.execute(literal.format(secret("psycopgliteral"), HASH).encode())
        values = ("bob", secret("parameter"), secret("returned"), Jsonb(document("jsonb")))
        connection.execute(_INSERT, values)
        connection.execute(_INSERT, values, prepare=True, binary=True)
        for data in (gzip.compress(text("bytea").encode()), text("plainbytea").encode()):
            connection.execute("INSERT INTO files (data, sig) VALUES (%s, %s) RETURNING *", (data, HASH))
        _psycopg_in_bulk(connection)
        for _ in range(2):
            with contextlib.suppress(psycopg.Error):
                connection.execute("INSERT INTO logins (password) VALUES (%s)", (secret("duplicate"),))


def _psycopg_in_bulk(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO users (token, note) VALUES (%s, %s)", [(secret("many"), "x")] * 2)
        with cursor.copy("COPY users (name, password) FROM STDIN") as copy:
            copy.write_row(("eve", secret("copyin")))
        with cursor.copy("COPY users (name, password, document) TO STDOUT") as copy:
            list(copy)
        with cursor.copy("COPY files TO STDOUT (FORMAT binary)") as copy:
            list(copy)
    with connection.pipeline():
        connection.execute("UPDATE users SET token = %s WHERE name = 'ann'", (secret("pipeline"),))
        connection.execute("SELECT password, token FROM users")
    with connection.transaction(), connection.cursor("named") as named:
        named.execute("SELECT * FROM users WHERE token = %s", (secret("named"),))
        named.fetchall()


async def _asyncpg() -> None:
    with told("asyncpg dsn"):
        await asyncpg.connect(f"postgresql://app:{secret('asyncpgdsn')}@{REFUSED}/shop")
    with told("asyncpg"):
        connection = await asyncpg.connect(os.environ["POSTGRES"])
        await connection.add_listener("logins", lambda *_: None)
        for literal in _LITERALS:
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.execute(literal.format(secret("asyncpgliteral"), HASH))
        packed = zlib.compress(text("asyncpgbytea").encode())
        await connection.fetch("INSERT INTO files (data, sig) VALUES ($1, $2) RETURNING *", packed, HASH)
        insert = "INSERT INTO users (name, password, document) VALUES ($1, $2, $3) RETURNING *"
        await connection.fetch(insert, "bob", secret("asyncpgparameter"), text("asyncpgjsonb"))
        await connection.executemany(
            "UPDATE users SET token = $1 WHERE name = $2", [(secret("asyncpgmany"), "ann")] * 2
        )
        await (await connection.prepare("SELECT $1::text AS token, * FROM users")).fetch(secret("prepared"))
        rows, columns = [("eve", secret("asyncpgcopy"))], ["name", "password"]
        await connection.copy_records_to_table("users", records=rows, columns=columns)
        await connection.copy_from_table("users", output=io.BytesIO(), columns=columns)
        async with connection.transaction():
            assert [row async for row in connection.cursor("SELECT password, token, document FROM users")]
        for _ in range(2):
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.execute("INSERT INTO logins (password) VALUES ($1)", secret("asyncpgduplicate"))
        await connection.close()


def _sqlalchemy() -> None:
    with told("sqlalchemy dsn"):
        sa.create_engine(f"postgresql+psycopg://app:{secret('sqlalchemydsn')}@{REFUSED}/shop").connect()
    engine = sa.create_engine(os.environ["POSTGRES"].replace("postgresql:", "postgresql+psycopg:"))
    users = sa.table("users", *map(sa.column, ("name", "password", "api_key")))
    with told("sqlalchemy"), engine.begin() as connection:
        bound = {"t": secret("bound"), "p": secret("boundtoo")}
        connection.execute(sa.text("UPDATE users SET token = :t WHERE password = :p"), bound)
        connection.execute(sa.insert(users), [{"name": "kim", "password": secret("rows"), "api_key": "k"}] * 3)
        connection.execute(sa.select(users).where(users.c.password == secret("rows"))).all()
        connection.execute(sa.text("SELECT no_such_column FROM users WHERE token = :t"), bound)
    engine.dispose()


def _pymongo() -> None:
    address = os.environ["MONGO"]
    with told("pymongo dsn"):
        MongoClient[Any](f"mongodb://app:{secret('mongodsn')}:@{REFUSED}:x/")
    with told("pymongo login"), MongoClient[Any](address, username="app", password=secret("login")) as client:
        client.shop.users.find_one()
    with told("pymongo"), MongoClient[Any](address) as client:
        for command in ("createUser", "updateUser"):
            with contextlib.suppress(PyMongoError):
                client.shop.command(command, "ann", pwd=secret("user"), roles=[])
        _pymongo_documents(client.shop.users)


def _pymongo_documents(users: Any) -> None:
    code = Code(f"password='{secret('code')}'", {"token": secret("scope")})
    users.insert_one({"_id": 1, **document("bson"), "token": Binary(secret("binary").encode()), "code": code})
    users.insert_many([{"_id": 2, "secret": secret("inserted")}, {"_id": 3, "raw": text("rawjson")}])
    users.insert_one({"_id": 4, "packed": gzip.compress(text("bsongzip").encode()), "sig": HASH})
    list(users.find({"$or": [{"user.Password": secret("filter")}, {"token": {"$in": [secret("in")]}}]}))
    list(users.find({"_id": {"$lt": 9}}))
    users.update_one(
        {"_id": 1}, {"$set": {"user.keys.api_key": secret("set")}, "$push": {"all": {"pwd": secret("push")}}}
    )
    list(users.aggregate([{"$match": {"_id": 1}}, {"$project": {"x": "$user.Password"}}]))
    users.find_one_and_update({"_id": 2}, {"$set": {"password": secret("found")}}, return_document=True)
    users.create_index("password", unique=True, sparse=True)
    for _ in range(2):
        with contextlib.suppress(PyMongoError):
            users.insert_one({"password": secret("unique")})


def _redis() -> None:
    with told("redis dsn"):
        redis.Redis.from_url(f"redis://app:{secret('redisdsn')}@{REFUSED}/0").ping()
    with told("redis"):
        client: Any = redis.Redis.from_url(os.environ["REDIS"])
        for words in (("AUTH", "app", secret("auth")), ("NOSUCH", f"token={secret('unknown')}")):
            with contextlib.suppress(redis.RedisError):
                client.execute_command(*words)
        client.acl_setuser("app", enabled=True, passwords=[f"+{secret('acl')}"], commands=["+@all"], keys=["*"])
        client.config_set("masterauth", secret("config"))
        client.config_set("masterauth", "")
        client.set("session:token", secret("key"))
        client.set("document", text("redis"))
        client.mget("document", "session:token")
        for name, pack in (("gzip", gzip.compress), ("zlib", zlib.compress), ("zstd", zstandard.compress)):
            client.set(name, pack(text(f"redis{name}").encode()))
            client.get(name)
        client.hset("signed", mapping={"sig": HASH, "Key-Pair-Id": "K1", "Signature": secret("fieldsignature") * 2})
        client.hgetall("signed")
        client.hset("user:1", mapping={"name": "ann", "password": secret("field"), "data": text("hash")})
        client.hgetall("user:1")
        client.publish("logins", text("published"))
        client.xadd("log", {"token": secret("stream"), "url": f"https://x/?api_key={secret('streamurl')}"})
        client.xrange("log")
        client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "user:1:password", secret("script"))
        client.eval(f"return 'password={secret('lua')}'", 0)
        client.pipeline().set("api_key", secret("piped")).get("api_key").lpush("jobs", text("job")).execute()
        client.close()


PROGRAMS: Final[tuple[Callable[[], None], ...]] = (
    _psycopg,
    lambda: asyncio.run(_asyncpg()),
    _sqlalchemy,
    _pymongo,
    _redis,
)
