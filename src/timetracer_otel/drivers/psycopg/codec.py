"""Captured references -> an exchange, off the hot path. psycopg is imported when the first result is read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.postgres.connecting import Call, encoded
from timetracer_otel.drivers.postgres.masking import mask
from timetracer_otel.drivers.psycopg.tracking import (
    COMMAND_OK,
    COPY_OUT,
    DESCRIBE,
    FATAL_ERROR,
    LIBRARY,
    NOTIFY,
    Received,
    Sent,
    diagnostics,
    text,
)
from timetracer_otel.wire.postgres.copying import copy_rows
from timetracer_otel.wire.postgres.statements import verb

if TYPE_CHECKING:
    from psycopg.pq import PGnotify
    from psycopg.pq.abc import PGresult

    from timetracer_otel.capture.table import Captured
    from timetracer_otel.drivers.psycopg.flows import Flow
    from timetracer_otel.redaction import Redactor

Cell: TypeAlias = "str | bytes | None"

TYPE: Final = "db.query"
BINARY: Final = 1
DIRECT_MAX_CELLS: Final = 40
"""Up to here reading cell by cell costs less than setting up the C reader (measured: 10 us)."""
TRANSACTION_STATUS: Final = {0: "I", 2: "T", 3: "E"}
"""Of libpq to that of ReadyForQuery; in a pipeline it is not known yet."""


class PsycopgCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        sent, received = captured.request, captured.result
        if isinstance(sent, Call):
            return encoded(LIBRARY, sent)
        if not isinstance(sent, Sent):
            raise TypeError(f"not a request of psycopg: {sent!r}")
        statement = text(sent.statement)
        return Encoded(
            type=TYPE,
            lib=LIBRARY,
            method=verb(statement),
            url=sent.database,
            request=_request(sent, statement),
            result=_result(sent, received) if isinstance(received, Received) else {},
            target=sent.target,
            is_plain=True,
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        return mask(encoded, redactor.of_type(encoded.type))


CODEC: Final = PsycopgCodec()


def _request(sent: Sent, statement: str) -> Payload:
    request: dict[str, Value] = {"op": sent.op, "statement": statement}
    if sent.parameters:
        formats = sent.formats or (0,) * len(sent.parameters)
        request["parameters"] = [_value(*pair) for pair in zip(sent.parameters, formats, strict=True)]
        request["parameter_types"] = [int(oid) for oid in sent.types] or [0] * len(sent.parameters)
        request["parameter_formats"] = [int(code) for code in formats]
    if sent.prepared is not None and sent.is_run:
        request["prepared"] = True
    if sent.flow is not None:
        request["copy"] = _copied_in(sent, sent.flow)
    if sent.cursor is not None:
        request["cursor"], request["cursor_moves"] = sent.cursor
    request["result_format"] = sent.result_format
    return request


def _copied_in(sent: Sent, flow: Flow) -> Payload:
    """Row by row, which is how it is compared; in what pieces the app wrote it does not count."""
    copy = _copy_formats(flow)
    if not flow.is_cut:
        is_binary = copy["format"] == BINARY
        rows = copy_rows(b"".join(flow.pieces), is_binary)
        copy["data"] = [_value(row, BINARY if is_binary else 0) for row in rows]
    if sent.failed is not None:
        copy["failed"] = text(sent.failed)
    return copy


def _copied_out(flow: Flow) -> Payload:
    """Piece by piece as the server sent it: the app gets it so."""
    copy = _copy_formats(flow)
    copy["data"] = [_value(piece, BINARY if copy["format"] else 0) for piece in flow.pieces]
    return copy


def _copy_formats(flow: Flow) -> dict[str, Value]:
    start: PGresult = flow.start
    formats = [int(start.fformat(field)) for field in range(start.nfields)]
    return {"format": int(start.binary_tuples), "formats": formats}


def _value(value: bytes | None, code: int) -> Cell:
    """Text as str where it is UTF-8, else the bytes: nothing is guessed about a client's encoding."""
    if value is None or code == BINARY:
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _result(sent: Sent, received: Received) -> Payload:
    result: dict[str, Value] = {}
    if received.error is not None:
        return _lost(sent, received, received.error)
    if received.notifications:
        result["notifications"] = [_notification(each) for each in received.notifications]
    if sent.op == NOTIFY:
        return result
    if received.flow is not None and sent.op == COPY_OUT:
        result["copy"] = _copied_out(received.flow)
    last = received.results[-1]
    failed = last.status == FATAL_ERROR
    answers = received.results[:-1] if failed else received.results
    if received.flow is not None and received.flow.start is not None and sent.op != COPY_OUT:
        result["results"] = [_streamed(received.flow, answers)]
    elif answers:
        result["results"] = [_shape(each) if sent.op == DESCRIBE else _answer(each) for each in answers]
    if failed:
        result["error"] = _fields(diagnostics(last))
    if received.notices:
        result["notices"] = [_fields(notice) for notice in received.notices]
    if received.settings:
        result["settings"] = {name: text(value) for name, value in received.settings.items()}
    if (status := TRANSACTION_STATUS.get(received.status)) is not None:
        result["tx"] = status
    return result


def result_of(results: Sequence[PGresult]) -> Payload:
    """Of a statement that the server completed."""
    return {"results": [_answer(each) for each in results]}


def _fields(diagnostic: Mapping[str, bytes]) -> Payload:
    return {letter: text(value) for letter, value in diagnostic.items()}


def _answer(result: PGresult) -> Payload:
    tag = text(result.command_status or b"")
    if result.status == COMMAND_OK or (not result.nfields and not tag):
        return {"tag": tag}
    fields = range(result.nfields)
    return {
        "columns": [_column(result, field) for field in fields],
        "formats": [int(result.fformat(field)) for field in fields],
        "rows": result.ntuples,
        "values": _columns(result),
        "tag": tag,
    }


def _lost(sent: Sent, received: Received, error: str) -> Payload:
    """With what passed before, piece by piece."""
    flow = received.flow
    if flow is None or flow.start is None:
        return {"lost": error}
    if sent.op == COPY_OUT:
        return {"copy": _copied_out(flow), "lost": error}
    return {"results": [_streamed(flow, ())], "lost": error}


def _notification(notification: PGnotify) -> Payload:
    return {
        "channel": text(notification.relname),
        "payload": text(notification.extra),
        "pid": notification.be_pid,
    }


def _streamed(flow: Flow, ends: Sequence[PGresult]) -> Payload:
    """The rows of `stream()` as those of any statement; without a tag where the server did not come to the end."""
    fields = range(flow.start.nfields)
    codes = [int(flow.start.fformat(field)) for field in fields]
    return {
        "columns": [_column(flow.start, field) for field in fields],
        "formats": codes,
        "rows": len(flow.pieces),
        "values": [[_value(row[field], codes[field]) for row in flow.pieces] for field in fields],
        "tag": text(ends[-1].command_status or b"") if ends else None,
    }


def _shape(result: PGresult) -> Payload:
    """Of a cursor: columns without rows, and no command that completed."""
    fields = range(result.nfields)
    formats = [int(result.fformat(field)) for field in fields]
    return {
        "columns": [_column(result, f) for f in fields],
        "formats": formats,
        "rows": 0,
        "values": [[] for _ in fields],
    }


def _column(result: PGresult, field: int) -> Payload:
    return {
        "name": text(result.fname(field) or b""),
        "oid": result.ftype(field),
        "size": result.fsize(field),
        "mod": result.fmod(field),
        "table": result.ftable(field),
        "attnum": result.ftablecol(field),
    }


def _columns(result: PGresult) -> list[Value]:
    """Column by column: str where the format is text, bytes where it is binary, None for NULL."""
    width = result.nfields
    cells = _cells(result) if result.ntuples else []
    return [cells[field::width] for field in range(width)]


def _cells(result: PGresult) -> list[Cell]:
    """All of them, row after row."""
    read = _c_reader() if result.ntuples * result.nfields > DIRECT_MAX_CELLS else None
    if read is not None:
        try:
            return read(result)
        except UnicodeDecodeError:  # a client encoding other than UTF-8
            pass
    codes = [int(result.fformat(field)) for field in range(result.nfields)]
    get = result.get_value
    return [_value(get(row, field), code) for row in range(result.ntuples) for field, code in enumerate(codes)]


@functools.cache
def _c_reader() -> Callable[[PGresult], list[Cell]] | None:
    """psycopg's C code reading all rows at once, more than twice as fast as cell by cell; None without it."""
    from psycopg import adapt
    from psycopg._cmodule import _psycopg

    # Its loaders have no types; only those for text in str form and for bytes are looked for.
    module: Any = _psycopg
    text, data = getattr(module, "TextLoader", None), getattr(module, "ByteaBinaryLoader", None)
    if text is None or data is None:
        return None
    context: Any = _Context(adapt.AdaptersMap())
    for loader in (text, data):
        context.adapters.register_loader(0, loader)  # 0: every type that has no loader of its own, here all

    def read(result: PGresult) -> list[Cell]:
        transformer = adapt.Transformer(context)
        transformer.set_pgresult(result)
        cells: list[Cell] = []
        # A thousand row tuples that live at once would wake the garbage collector of the app; these are gone at once.
        transformer.load_rows(0, result.ntuples, cells.extend)
        return cells

    return read


class _Context:
    """An AdaptContext without a connection: text is then taken for UTF-8."""

    connection = None

    def __init__(self, adapters: object) -> None:
        self.adapters = adapters
