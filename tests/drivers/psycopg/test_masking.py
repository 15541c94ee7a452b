from __future__ import annotations

import base64
import gzip
import json
import re
import uuid
import zlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Json, Jsonb

from tests.drivers.taping import ListTape
from tests.servers.postgres import PostgresServer
from timetracer_otel.capture.table import Captured
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.postgres.error_fields import mask_fields
from timetracer_otel.drivers.psycopg.codec import CODEC
from timetracer_otel.redaction import Redactor, load_rules

REDACTOR = Redactor(b"key")
SECRET = "s3cr3t-value"
LONG = base64.b64encode(b"\x01" * 64).decode().rstrip("=")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"


def masked(captured: Captured) -> tuple[Encoded, tuple[str, ...]]:
    return CODEC.redact(CODEC.encode(captured), REDACTOR)


def run(server: PostgresServer, tape: ListTape, statement: str, *values: Any, binary: bool = False) -> tuple[Any, Any]:
    """The masked exchange of one statement, and its paths."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("create temp table users (id serial, name text, token text unique, password text)")
        try:
            connection.execute(statement, values or None, binary=binary)
        except psycopg.Error:
            pass
    return masked(tape.captured[-1])


@pytest.mark.parametrize("binary", [False, True])
def test_values_under_secret_names_are_masked_alike_where_they_go_in_and_where_they_come_out(
    postgres: PostgresServer, tape: ListTape, binary: bool
) -> None:
    statement = "insert into users (name, token) values (%s, %s) returning name, token"
    encoded, paths = run(postgres, tape, statement, "bob", SECRET, binary=binary)
    marker = REDACTOR.marker("token", SECRET)
    assert encoded.request["parameters"] == ["bob", marker]
    shown = [["bob"], [marker]]
    values = encoded.result["results"][0]["values"]
    assert values == ([[cell.encode() for cell in column] for column in shown] if binary else shown)
    assert paths == ("request.parameters[1]", "result.results[0].values[1]")


@pytest.mark.parametrize("binary", [False, True])
def test_a_type_without_room_for_a_marker_gets_a_stand_in_of_its_own(
    postgres: PostgresServer, tape: ListTape, binary: bool
) -> None:
    names = ("token", "password", "secret", "api_key", "pwd", "passwd", "client_secret")
    values = (uuid.UUID(int=7), 70000, b"\1\2", 5, ["a", "b"], Jsonb({"a": 1}), True)
    casts = ("uuid", "int8", "bytea", "int2", "text[]", "jsonb", "bool")
    columns = ", ".join(f"%s::{cast} as {name}" for name, cast in zip(names, casts, strict=True))
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"select {columns}", values, binary=binary)
        result: Any = masked(tape.captured[-1])[0].result["results"]
        cells = [column[0] for column in result[0]["values"]]
        # The server, as a judge of what is a value of each type, reads the stand-ins back.
        checked = ", ".join(f"%{'b' if binary else 's'}::{cast}" for cast in casts)
        loaded = psycopg.Cursor(connection).execute(f"select {checked}", [Raw(cell) for cell in cells]).fetchone()
    assert loaded is not None
    assert isinstance(loaded[0], uuid.UUID)
    assert loaded[0] != values[0]
    assert isinstance(loaded[1], int)
    assert loaded[1] != 70000
    assert loaded[2] == REDACTOR.marker("secret", b"\1\2" if binary else "\\x0102").encode()
    assert isinstance(loaded[3], int)
    assert [each.partition("#")[0] for each in loaded[4]] == ["[redacted:pwd"]
    assert loaded[5].startswith("[redacted:passwd#")
    assert loaded[6] is True


class Raw:
    """A value as it stands in a cassette, sent as it is."""

    def __init__(self, value: str | bytes) -> None:
        self.data = value.encode() if isinstance(value, str) else value


class _Dumper(psycopg.adapt.Dumper):
    def dump(self, obj: Raw) -> bytes:
        return obj.data


class _BinaryDumper(_Dumper):
    format = psycopg.pq.Format.BINARY


@pytest.fixture(autouse=True)
def raw_values() -> None:
    psycopg.adapters.register_dumper(Raw, _BinaryDumper)
    psycopg.adapters.register_dumper(Raw, _Dumper)


@pytest.mark.parametrize("wrap", [Json, Jsonb])
@pytest.mark.parametrize("binary", [False, True])
def test_names_count_inside_json(postgres: PostgresServer, tape: ListTape, wrap: Any, binary: bool) -> None:
    kind = "jsonb" if wrap is Jsonb else "json"
    document = {"user": {"name": "bob", "password": SECRET}}
    form = "b" if binary else "s"
    encoded, _ = run(postgres, tape, f"select %{form}::{kind} as document", wrap(document), binary=binary)
    for value in (encoded.request["parameters"][0], encoded.result["results"][0]["values"][0][0]):
        text = value if isinstance(value, str) else value.decode()
        assert SECRET not in text
        assert REDACTOR.marker("password", SECRET) in text
        assert '"bob"' in text


def test_what_looks_like_a_secret_is_masked_anywhere_in_text(postgres: PostgresServer, tape: ListTape) -> None:
    statement = f"select %s::text as note, 'header {JWT}' as other, 'plain'"
    encoded, paths = run(postgres, tape, statement, f"Authorization: Bearer {JWT}")
    assert JWT not in repr(encoded)
    assert encoded.result["results"][0]["values"][2] == ["plain"]
    assert set(paths) == {
        "request.statement",
        "request.parameters[0]",
        "result.results[0].values[0]",
        "result.results[0].values[1]",
    }


def test_literals_of_a_statement_are_masked_by_the_names_beside_them(postgres: PostgresServer, tape: ListTape) -> None:
    encoded, paths = run(
        postgres, tape, f"update users set token = '{SECRET}', name = 'it''s' where password = E'a\\'b'"
    )
    statement = encoded.request["statement"]
    assert SECRET not in statement
    assert "a\\'b" not in statement
    assert "name = 'it''s'" in statement
    assert paths == ("request.statement",)


def test_an_error_that_repeats_a_secret_has_it_masked(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create temp table users (name text check (name <> ''), token text unique)")
        for name in ("bob", "bob", ""):
            try:
                connection.execute("insert into users values (%s, %s)", (name, SECRET))
            except psycopg.Error:
                pass
            connection.execute("select 1")
    error: Any = [masked(captured)[0].result.get("error") for captured in tape.captured]
    details = [fields["D"] for fields in error if fields]
    marker = REDACTOR.marker("token", SECRET)
    assert details[0] == f"Key (token)=({marker}) already exists."
    assert len(details) == 2


def test_a_key_of_several_columns_has_the_secret_one_masked() -> None:
    fields = {"D": "Key (tenant, token)=(7, abc) already exists.", "n": "token"}
    marker = REDACTOR.marker("token", "abc")
    assert mask_fields(fields, {}, REDACTOR) == {
        "D": f"Key (tenant, token)=(7, {marker}) already exists.",
        "n": "token",
    }


def test_a_key_whose_values_cannot_be_told_apart_is_masked_whole() -> None:
    found = mask_fields({"D": "Key (tenant, token)=(7, a, b) already exists."}, {}, REDACTOR)
    assert "a, b" not in found["D"]
    assert found["D"].endswith(" already exists.")


@pytest.mark.parametrize(
    "statement",
    [
        "update users set name = null",
        "insert into users (token, password) values ('x', 'y')",
        "insert into users (name, token) values ('', 'z')",
    ],
)
def test_a_failing_row_shows_nothing_of_what_is_stored_in_it(
    postgres: PostgresServer, tape: ListTape, statement: str
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        columns = "name text not null check (name <> ''), token text, password text default 'pw). 9'"
        connection.execute(f"create temp table users ({columns})")
        connection.execute("insert into users values ('bob', 'Zq01pWx')")
        with pytest.raises(psycopg.Error) as raised:
            connection.execute(statement)
    error: Any = masked(tape.captured[-1])[0].result["error"]
    assert re.fullmatch(r"Failing row contains \(\[redacted:row#\w{6}\]\)\.", error["D"])
    said = REDACTOR.text(f"Traceback\n{raised.value}\n  more")
    assert f"DETAIL:  {error['D']}" in said
    assert said.endswith("\n  more")
    assert REDACTOR.text(repr(str(raised.value))).count(error["D"]) == 1


def test_what_the_statement_had_masked_is_masked_in_every_field() -> None:
    found = mask_fields({"M": f'invalid input: "{SECRET}"'}, {SECRET: "[redacted:token#000000]"}, REDACTOR)
    assert found == {"M": 'invalid input: "[redacted:token#000000]"'}


def test_the_key_of_a_row_without_a_partition_is_masked_by_name() -> None:
    found = mask_fields({"D": "Partition key of the failing row contains (token) = (abc)."}, {}, REDACTOR)
    marker = REDACTOR.marker("token", "abc")
    assert found == {"D": f"Partition key of the failing row contains (token) = ({marker})."}


def test_an_exchange_without_secrets_is_given_back_as_it_is(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("select %s::text as name, page_token from (select 'x' as page_token) t", ("bob",))
    encoded = CODEC.encode(tape.captured[0])
    assert CODEC.redact(encoded, REDACTOR) == (encoded, ())
    assert CODEC.redact(encoded, REDACTOR)[0] is encoded


def test_masking_what_is_masked_changes_nothing(postgres: PostgresServer, tape: ListTape) -> None:
    encoded, _ = run(postgres, tape, "insert into users (token) values (%s) returning token", SECRET)
    again, paths = CODEC.redact(encoded, REDACTOR)
    assert (again, paths) == (encoded, ())


def test_the_readable_form_is_masked_like_the_wire_form() -> None:
    columns = [{"name": "id", "oid": 23}, {"name": "token", "oid": 25}]
    result = {
        "results": [{"columns": columns, "formats": [0, 0], "rows": [["1", SECRET], ["2", None]], "tag": "SELECT 2"}]
    }
    encoded = Encoded("db.query", "psycopg", "SELECT", "shop", {"statement": "select 1"}, result)  # type: ignore[arg-type]
    found: Any = CODEC.redact(encoded, REDACTOR)[0].result
    assert found["results"][0]["rows"] == [["1", REDACTOR.marker("token", SECRET)], ["2", None]]


@pytest.mark.parametrize("binary", [False, True])
def test_a_secret_of_the_request_is_known_in_a_parameter_and_a_column_of_any_name(
    postgres: PostgresServer, tape: ListTape, binary: bool
) -> None:
    redactor = REDACTOR.of_trace()
    redactor.headers([[b"cookie", f"sid={SECRET}".encode()]], "headers")
    run(postgres, tape, "select %s::text as what, name from users union select %s, 'x'", SECRET, SECRET, binary=binary)
    encoded, paths = CODEC.redact(CODEC.encode(tape.captured[-1]), redactor)
    marker = redactor.marker("cookie", SECRET)
    assert encoded.request["parameters"] == [marker, marker]
    result: Any = encoded.result
    first, second = result["results"][0]["values"]
    assert (first, second) == (([marker.encode()], [b"x"]) if binary else ([marker], ["x"]))
    assert paths == ("request.parameters[0]", "request.parameters[1]", "result.results[0].values[0]")


def test_a_secret_of_the_request_is_known_in_a_statement_of_a_client_cursor(
    postgres: PostgresServer, tape: ListTape
) -> None:
    redactor = REDACTOR.of_trace()
    redactor.query(f"password={SECRET}".encode(), "query")
    with psycopg.connect(postgres.dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("select md5(%s)", (SECRET,))
    encoded, paths = CODEC.redact(CODEC.encode(tape.captured[-1]), redactor)
    assert encoded.request["statement"] == f"select md5('{redactor.marker('password', SECRET)}')"
    assert paths == ("request.statement",)


def _rules(folder: Path, text: str) -> Redactor:
    (folder / "rules.toml").write_text(text)
    return Redactor(b"key", load_rules(str(folder / "rules.toml")))


@pytest.mark.parametrize("binary", [False, True])
def test_a_date_of_birth_gets_another_date_that_the_driver_can_read(
    postgres: PostgresServer, tape: ListTape, tmp_path: Path, binary: bool
) -> None:
    redactor = _rules(tmp_path, "presets = ['pii']")
    born = date(1980, 2, 29)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("SELECT %s::date AS birth_date, %s::date AS day", (born, born), binary=binary)
        encoded, _ = CODEC.redact(CODEC.encode(tape.captured[-1]), redactor)
        results: Any = encoded.result["results"]
        (hidden,), (kept,) = results[0]["values"]
    assert _as_date(kept) == born
    assert _as_date(hidden) != born
    assert date(2000, 1, 1) < _as_date(hidden) < date(2090, 1, 1)


def _as_date(cell: object) -> date:
    if isinstance(cell, bytes) and len(cell) == 4:
        return date(2000, 1, 1) + timedelta(int.from_bytes(cell, "big", signed=True))
    return date.fromisoformat(cell.decode() if isinstance(cell, bytes) else str(cell))


def test_a_parameter_and_a_column_that_a_rule_file_names_are_masked(
    postgres: PostgresServer, tape: ListTape, tmp_path: Path
) -> None:
    place = 'paths = [{path = "request.parameters[0]", type = "db"}, "result.results[*].values[1]"]'
    redactor = _rules(tmp_path, place)
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("SELECT %s AS a, %s AS b", ("ann", "zoe"))
    encoded, paths = CODEC.redact(CODEC.encode(tape.captured[-1]), redactor)
    assert encoded.request["parameters"] == [redactor.marker("parameters", "ann"), "zoe"]
    results: Any = encoded.result["results"]
    assert results[0]["values"] == [["ann"], [redactor.marker("values", "zoe")]]
    assert paths == ("request.parameters[0]", "result.results[0].values[1]")


def copied(
    server: PostgresServer, tape: ListTape, statement: str, *rows: tuple[Any, ...], text: str = ""
) -> tuple[Any, Any]:
    """The masked exchange of one COPY, and its paths."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("create temp table users (id int, name text, token text)")
        connection.execute("insert into users select 1, 'bob', 'unseen-token-1' where %s", ("to" in statement,))
        with connection.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
            if text:
                copy.write(text)
            elif not rows:
                list(copy)
    return masked(tape.captured[-1])


@pytest.mark.parametrize("binary", [False, True])
def test_r46_bytes_are_masked_inside_plain_or_compressed_in_text_and_in_binary(
    postgres: PostgresServer, tape: ListTape, binary: bool
) -> None:
    plain = f'{{"password": "{SECRET}", "page": 7}}'.encode()
    for data, unpack in (
        (plain, bytes),
        (gzip.compress(plain), gzip.decompress),
        (zlib.compress(plain), zlib.decompress),
    ):
        encoded, paths = run(postgres, tape, "select %s::bytea as data, 'x' as name", data, binary=binary)
        cell = encoded.result["results"][0]["values"][0][0]
        assert isinstance(cell, bytes) == binary
        for found in (encoded.request["parameters"][0], cell if binary else bytes.fromhex(cell.removeprefix("\\x"))):
            text = unpack(found)
            assert SECRET.encode() not in text
            assert json.loads(text)["page"] == 7
        assert paths == ("request.parameters[0]", "result.results[0].values[0]")
        assert CODEC.redact(encoded, Redactor()) == (encoded, ())


@pytest.mark.parametrize("binary", [False, True])
def test_r46_a_column_is_a_signature_by_its_look(postgres: PostgresServer, tape: ListTape, binary: bool) -> None:
    for signature in (base64.b64encode(bytes(range(32))).decode(), bytes(range(32)).hex()):
        marker = REDACTOR.marker("signature", signature)
        statement = "select %s::text as sig, 'Ann' as name from users right join (select 1) x on name = %s"
        encoded, _ = run(postgres, tape, statement, signature, signature, binary=binary)
        assert encoded.result["results"][0]["values"][0][0] in (marker, marker.encode())
        encoded, _ = run(
            postgres, tape, f"select 1 from (select 'a' as sig) x where sig = '{signature}' or sig = %s", signature
        )
        assert encoded.request["parameters"] == [marker]
        assert encoded.request["statement"].count(marker) == 1
        assert signature not in repr(encoded)
    beside = "select 'K1' as key_pair_id, %s::text as signature, 'x' as note"
    encoded, _ = run(postgres, tape, beside, LONG, binary=binary)
    assert [each[0] in ("x", b"x", "K1", b"K1") for each in encoded.result["results"][0]["values"]] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("binary", [False, True])
def test_r47_what_only_stands_in_a_column_of_such_a_name_stays(
    postgres: PostgresServer, tape: ListTape, binary: bool
) -> None:
    statement = "select %s::text as sig, 17 as \"a.sig\", %s::text as signature where 'sig' = 'sig' or 'a' = 'sig'"
    encoded, paths = run(postgres, tape, statement, "Ann", LONG, binary=binary)
    assert paths == ()
    assert LONG in repr(encoded)
    encoded, paths = run(postgres, tape, "select 1 from (select 'a' as sig) x where sig = 'Ann'")
    assert (encoded.request["statement"].count("'Ann'"), paths) == (1, ())


def test_r46_in_binary_copy_a_compressed_cell_is_masked_inside(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create temp table files (id int, data bytea, sig text)")
        with connection.cursor().copy("copy files (id, data, sig) from stdin (format binary)") as copy:
            copy.set_types(["int4", "bytea", "text"])
            copy.write_row((1, gzip.compress(f"password={SECRET}".encode()), bytes(range(32)).hex()))
            copy.write_row((2, gzip.compress(b"plain"), "Ann"))
    encoded, _ = masked(tape.captured[-1])
    copy_of: Any = encoded.request["copy"]
    rows = b"".join(copy_of["data"])
    cell = rows[19 + 2 + 8 + 4 :]
    size = int.from_bytes(rows[19 + 2 + 8 : 19 + 2 + 8 + 4], "big")
    assert gzip.decompress(cell[:size]).decode() == f"password={REDACTOR.marker('password', SECRET)}"
    marker = REDACTOR.marker("signature", bytes(range(32)).hex()).encode()
    assert cell[size:].startswith(len(marker).to_bytes(4, "big") + marker)
    assert gzip.compress(b"plain", mtime=0)[10:] in cell
    assert b"Ann" in cell


@pytest.mark.parametrize("binary", [False, True])
def test_columns_of_copy_under_secret_names_are_masked(postgres: PostgresServer, tape: ListTape, binary: bool) -> None:
    form = " (format binary)" if binary else ""
    encoded, paths = copied(
        postgres, tape, f"copy users (name, token) from stdin{form}", ("bob", SECRET), ("eve", None)
    )
    at = int(binary)
    row = encoded.request["copy"]["data"][at]
    assert REDACTOR.marker("token", SECRET) in (row.decode("latin1") if binary else row)
    assert paths == (f"request.copy.data[{at}]",)
    assert SECRET not in repr(encoded)


def test_csv_of_copy_is_masked_and_what_nobody_can_tell_apart_goes_as_a_whole(
    postgres: PostgresServer, tape: ListTape
) -> None:
    data = f'1,"bob, ""b""",{SECRET}\n2,"two\nlines",{SECRET}\n3,eve,\n'
    encoded, _ = copied(postgres, tape, "copy users (id, name, token) from stdin csv", text=data)
    rows = encoded.request["copy"]["data"]
    assert rows[0] == f'1,"bob, ""b""",{REDACTOR.marker("token", SECRET)}\n'
    assert rows[-1] == "3,eve,\n"
    assert SECRET not in repr(encoded)


def test_copy_of_a_query_knows_the_names_that_the_query_gives(postgres: PostgresServer, tape: ListTape) -> None:
    statement = "copy (select u.id, coalesce(name, 'x'), token as api_key from users u) to stdout"
    encoded, paths = copied(postgres, tape, statement)
    assert encoded.result["copy"]["data"] == [f"1\tbob\t{REDACTOR.marker('api_key', 'unseen-token-1')}\n"]
    assert paths == ("result.copy.data[0]",)


def test_patterns_are_found_in_copy_whatever_the_columns_are_called(postgres: PostgresServer, tape: ListTape) -> None:
    encoded, _ = copied(postgres, tape, "copy users from stdin", (1, JWT, None))
    assert JWT not in repr(encoded)


def test_an_error_of_copy_does_not_repeat_a_secret(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("create temp table pins (secret int)")
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            connection.cursor().copy("copy pins (secret) from stdin") as copy,
        ):
            copy.write(f"{SECRET}\n")
    encoded, _ = CODEC.redact(CODEC.encode(tape.captured[-1]), REDACTOR.of_trace())
    assert SECRET not in repr(encoded)
    assert "COPY pins, line 1" in repr(encoded.result)


def test_payloads_of_notifications_are_masked(postgres: PostgresServer, tape: ListTape) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("listen news")
        connection.execute("select pg_notify('news', %s)", (f'{{"token": "{SECRET}"}}',))
    encoded, paths = masked(tape.captured[-1])
    notifications: Any = encoded.result["notifications"]
    assert notifications[0]["payload"] == f'{{"token": "{REDACTOR.marker("token", SECRET)}"}}'
    assert "result.notifications[0].payload" in paths
