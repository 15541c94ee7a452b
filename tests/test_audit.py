from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from tests.cassette.samples import TRACE_ID
from timetracer_otel.audit import Auditor, Damage, Finding, files_under
from timetracer_otel.cassette import (
    Connection,
    EnvironmentPart,
    Exchange,
    Part,
    Process,
    Signature,
    Span,
    SpanEvent,
    Value,
    dump_environment,
    dump_exchange,
    dump_part,
)
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import SECRETS, Redactor, Rules, load_rules
from timetracer_otel.store import Store, save_bundle
from timetracer_otel.wire.redis.commands import pack

SECRET = "C4naryC4naryC4nary"
ROOT_ID, PROCESS_ID = "a1" * 8, "9f" * 16
PROCESS = Process(PROCESS_ID)


def http(headers: list[Value], body: bytes = b"") -> Exchange:
    side: dict[str, Value] = {"headers": headers, "body": [[0, body]], "body_size": len(body), "ended": True}
    request: dict[str, Value] = {
        "type": "http",
        "method": "GET",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": b"",
        **side,
    }
    return Exchange("9f9f9f9f-1", "http.server", Signature("asgi", "GET", "/a"), request, {"status": 200, **side})


def query(sql: str, parameters: list[Value], columns: list[tuple[str, int]], values: list[Value]) -> Exchange:
    request = {
        "op": "query",
        "statement": sql,
        "parameters": parameters,
        "parameter_types": [25] * len(parameters),
        "parameter_formats": [0] * len(parameters),
    }
    described: list[Value] = [{"name": name, "oid": oid} for name, oid in columns]
    answer: dict[str, Value] = {
        "columns": described,
        "formats": [0] * len(columns),
        "rows": 1,
        "values": values,
        "tag": "SELECT 1",
    }
    result: dict[str, Value] = {"results": [answer], "tx": "I"}
    return Exchange("9f9f9f9f-2", "db.query", Signature("psycopg", "SELECT", "shop"), request, result)


def masked(exchange: Exchange) -> Exchange:
    """As it is recorded."""
    lib = exchange.signature.lib
    plain = Encoded(exchange.type, lib, exchange.signature.method, "/a", exchange.request, exchange.result)
    encoded, paths = registry.codec(lib).redact(plain, Redactor())
    return replace(exchange, request=encoded.request, result=encoded.result, redacted=paths)


def part(*exchanges: Exchange, **fields: object) -> Part:
    made = Part(TRACE_ID, ROOT_ID, PROCESS, 0, True, (), exchanges)
    return replace(made, **fields)  # type: ignore[arg-type]  # named by the tests


def write(store: Store, one: Part) -> Path:
    data = dump_part(one, []) if not one.exchanges else _dumped(one)
    return Path(store.write_part(TRACE_ID, ROOT_ID, PROCESS_ID, one.part, data))


def _dumped(one: Part) -> bytes:
    return dump_part(one, [dump_exchange(exchange) for exchange in one.exchanges])


def found(folder: Path, rules: Rules = SECRETS) -> list[Finding | Damage]:
    auditor = Auditor(rules)
    return [each for file in files_under(folder) for each in auditor.audit(file)]


def places(folder: Path) -> list[tuple[str | None, str, str]]:
    return [(each.exchange, each.path, each.rule) for each in found(folder) if isinstance(each, Finding)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "cassettes"))


def command(*words: bytes) -> Exchange:
    request: dict[str, Value] = {"server": "db:6379", "database": 0, "protocol": 2, "commands": pack([words])}
    return Exchange("9f9f9f9f-3", "db.command", Signature("redis", "SET", ""), request, {"replies": b"+OK\r\n"})


CARELESS = {
    "a value in gzip": (
        command(b"SET", b"a", gzip.compress(b'{"token":"C4"}')),
        "request.commands[0][2]",
        "compressed",
    ),
    "a header": (http([[b"Authorization", f"Bearer {SECRET}".encode()]]), "request.headers[0][1]", "authorization"),
    "a body in gzip": (
        http(
            [[b"content-type", b"application/json"], [b"content-encoding", b"gzip"]], gzip.compress(b'{"token":"C4"}')
        ),
        "request.body.$..token",
        "token",
    ),
    "a parameter": (query("SELECT 1 WHERE token = $1", [SECRET], [], []), "request.parameters[0]", "token"),
    "a literal": (query(f"SELECT 1 WHERE token = '{SECRET}'", [], [], []), "request.statement", "token"),
    "a column": (
        query("SELECT * FROM a", [], [("api_key", 25)], [[SECRET]]),
        "result.results[0].values[0][0]",
        "api_key",
    ),
    "a number": (
        query("SELECT * FROM a", [], [("token", 23)], [["123456"]]),
        "result.results[0].values[0][0]",
        "typed",
    ),
    "a target": (replace(query("SELECT 1", [], [], []), target=f"postgresql://a:{SECRET}@db/x"), "target", "password"),
}


@pytest.mark.parametrize("name", CARELESS)
def test_what_was_not_masked_is_found_with_its_place_and_rule(name: str, store: Store) -> None:
    exchange, path, rule = CARELESS[name]
    write(store, part(exchange))
    assert (exchange.id, path, rule) in places(store.root)
    assert SECRET not in repr(found(store.root))


@pytest.mark.parametrize("name", CARELESS)
def test_what_is_masked_is_clean(name: str, store: Store) -> None:
    exchange, path, _ = CARELESS[name]
    write(store, part(masked(exchange)) if path != "target" else part())
    assert found(store.root) == []


def test_spans_resources_connections_and_the_process_are_looked_at(store: Store) -> None:
    event = SpanEvent("tried", 1, {"cookie": SECRET})
    span = Span(ROOT_ID, "GET /a", "SERVER", 1, 2, attributes={"user.password": SECRET}, events=(event,))
    connection = Connection(1, "psycopg", "db", {"sslpassword": SECRET})
    process = replace(PROCESS, argv=("app", "--password", SECRET))
    write(store, part(spans=(span,), resource={"api_key": SECRET}, connections=(connection,), process=process))
    assert places(store.root) == [
        (None, "process.argv[2]", "password"),
        (None, "spans[0].attributes.user.password", "password"),
        (None, "spans[0].events[0].attributes.cookie", "cookie"),
        (None, "resource.api_key", "api_key"),
        (None, "connections[0].parameters.sslpassword", "ssl_password"),
    ]


def test_environments_spools_and_held_parts_are_looked_at(store: Store) -> None:
    careless = CARELESS["a header"][0]
    environment = EnvironmentPart(process=PROCESS, part=0, exchanges=(careless,))
    store.write_environment(PROCESS_ID, 0, dump_environment(environment, [dump_exchange(careless)]))
    pending = store.pending(PROCESS_ID)
    pending.hold(TRACE_ID, ROOT_ID, 0, _dumped(part(careless)))
    spool = pending.spool(TRACE_ID, ROOT_ID, 1)
    spool.append(dump_part(part(part=1), []))
    spool.append(dump_exchange(careless))
    with spool.path.open("ab") as file:
        file.write(b'{"id": "torn')
    files = {Path(each.file).suffix for each in found(store.root)}
    assert len({each.file for each in found(store.root)}) == 3
    assert files == {".zst", ".spool"}
    assert set(places(store.root)) == {
        (careless.id, f"{side}.headers[0][1]", "authorization") for side in ("request", "result")
    }


def test_any_other_file_is_searched_too(store: Store) -> None:
    store.root.mkdir()
    blob = store.root / "blobs"
    blob.mkdir()
    data = b"\0" * 3_000_000 + f"token={SECRET}".encode() + b"\0" * 3_000_000
    (blob / ("ab" * 32)).write_bytes(zstandard.compress(data))
    (store.root / "notes.txt").write_text(f"Authorization: Bearer {SECRET}")
    (store.root / f".x.json.zst.1-{'0' * 8}.tmp").write_bytes(zstandard.compress(data)[:-5])
    (store.root / "package.json").write_text('{"name": "shop"}')
    assert [(Path(each.file).name[:5], each.path) for each in found(store.root) if isinstance(each, Finding)] == [
        (".x.js", ""),
        ("abab" + "a", ""),
        ("notes", ""),
    ]
    assert not [each for each in found(store.root) if isinstance(each, Damage)]


def test_what_is_not_looked_into_is_told(store: Store, tmp_path: Path) -> None:
    path = write(store, part(CARELESS["a header"][0]))
    elsewhere = tmp_path / "elsewhere"
    path.parent.rename(elsewhere)
    path.parent.symlink_to(elsewhere)  # `show` goes there
    other = path.parent.with_name("0" * 32)
    other.mkdir()
    (other / path.name).symlink_to(elsewhere / path.name)
    os.mkfifo(other / "pipe")
    reason = "it is a link, which is not followed; name it, or what it leads to"
    assert found(store.root) == [
        Damage(str(other / path.name), reason),
        Damage(str(other / "pipe"), "it is no regular file"),
        Damage(str(path.parent), reason),
    ]
    assert {type(each) for each in found(path.parent)} == {Finding}
    assert {type(each) for each in Auditor(SECRETS).audit(other / path.name, is_cassette=True)} == {Finding}


def test_an_empty_part_is_damaged(store: Store) -> None:
    path = write(store, part(CARELESS["a header"][0]))
    path.write_bytes(b"")
    (damage,) = found(store.root)
    assert isinstance(damage, Damage)


def test_what_goes_while_it_is_searched_is_no_failure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that records renames its temporary files, and traces are pruned."""
    write(store, part(CARELESS["a header"][0]))
    gone = store.root / "gone"

    def walk(path: Path, onerror: Callable[[OSError], None]) -> Iterator[tuple[str, list[str], list[str]]]:
        yield str(path), ["gone"], [".x.json.zst.1-00000000.tmp"]
        onerror(FileNotFoundError(2, "No such file or directory", str(gone)))

    monkeypatch.setattr("timetracer_otel.audit.os.walk", walk)
    assert found(store.root) == []


def test_a_damaged_file_is_named_and_what_is_there_is_searched(store: Store) -> None:
    path = write(store, part(CARELESS["a header"][0]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    (damage,) = [each for each in found(store.root) if isinstance(each, Damage)]
    assert damage == Damage(str(path), "the end of the file is missing")
    path.write_bytes(json.dumps({"format": 1, "password": SECRET}).encode())
    assert [type(each) for each in found(store.root)] == [Damage, Finding]


def test_a_bundle_is_looked_into(store: Store, tmp_path: Path) -> None:
    write(store, part(CARELESS["a column"][0]))
    bundle = save_bundle(store.open_cassette(TRACE_ID)[0], tmp_path)
    (finding,) = [each for each in Auditor(SECRETS).audit(bundle, is_cassette=True) if isinstance(each, Finding)]
    assert (finding.exchange, finding.rule) == ("9f9f9f9f-2", "api_key")
    assert finding.marker.startswith("[redacted:api_key#")


def test_payloads_that_no_codec_understands_are_looked_at_all_the_same(store: Store) -> None:
    strange = replace(http([]), request={"headers": 7, "password": SECRET}, result={"body": None})
    unknown = replace(strange, id="9f9f9f9f-7", signature=Signature("other", "GET", ""), request={"token": SECRET})
    write(store, part(strange, unknown))
    assert {(exchange, path) for exchange, path, _ in places(store.root)} == {
        ("9f9f9f9f-1", "request.password"),
        ("9f9f9f9f-7", "request.token"),
    }


def test_rules_of_a_file_count(store: Store, tmp_path: Path) -> None:
    write(store, part(http([[b"x-customer", b"ann@example.org"]])))
    assert found(store.root) == []
    (tmp_path / "rules.toml").write_text('presets = ["pii"]')
    hits = found(store.root, load_rules(str(tmp_path / "rules.toml")))
    assert {each.rule for each in hits if isinstance(each, Finding)} == {"email"}


def test_a_variable_of_which_only_is_kept_that_it_was_set_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / f"{ROOT_ID}-{PROCESS_ID[:8]}.0.json").write_bytes(
        dump_part(part(process=Process(PROCESS_ID, variables={"DB_PASSWORD": "set", "API_KEY": SECRET})), [])
    )
    (file,) = files_under(tmp_path)
    (found,) = Auditor(SECRETS).audit(file)
    assert isinstance(found, Finding)
    assert found.path.endswith("process.variables.API_KEY")
