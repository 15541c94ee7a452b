"""Captured bytes -> an exchange, off the hot path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.blobs import INLINE_MAX_BYTES
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.asyncpg import many
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Kind, Operation, Received, Sent, column_payload
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.postgres.connecting import Call, encoded
from timetracer_otel.drivers.postgres.executions import EXECUTIONS
from timetracer_otel.drivers.postgres.masking import mask
from timetracer_otel.drivers.postgres.operations import COPY_IN, COPY_OUT, NOTIFY, PARSE, PREPARE, QUERY
from timetracer_otel.wire.postgres.bound import bound
from timetracer_otel.wire.postgres.copying import copy_rows
from timetracer_otel.wire.postgres.packed import PACKED, columns
from timetracer_otel.wire.postgres.reader import FrontendReader
from timetracer_otel.wire.postgres.requests import Bind, CopyData, CopyFail, Execute
from timetracer_otel.wire.postgres.responses import Response, Result, cells, response, spans
from timetracer_otel.wire.postgres.settings import SHAPING
from timetracer_otel.wire.postgres.statements import verb

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured
    from timetracer_otel.redaction import Redactor

TYPE: Final = "db.query"
BIND, GIVEN = ord("B"), ord("H")
PACKED_MIN_ROWS: Final = 20
"""From here on rows stay in one piece: to take them apart would cost the process more than the query did."""


class AsyncpgCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        sent, received = captured.request, captured.result
        if isinstance(sent, Call):
            return encoded(LIBRARY, sent)
        if not isinstance(sent, Sent):
            raise TypeError(f"not a request of asyncpg: {sent!r}")
        operation = sent.operation
        request, result = _halves_of(operation)(sent, received)
        return Encoded(
            type=TYPE,
            lib=LIBRARY,
            method=verb(operation.prepared.sql),
            url=sent.database,
            request=request,
            result=result,
            target=sent.target,
            is_plain=True,
            has_binary=captured.size > INLINE_MAX_BYTES,
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        return mask(encoded, redactor.of_type(encoded.type))


CODEC: Final = AsyncpgCodec()


def result_of(operation: Operation) -> Payload:
    """What the server answered to a statement."""
    bind, _ = _bound(operation)
    return _result(operation, Received(operation.heard), bind)


def _halves(sent: Sent, received: object) -> tuple[Payload, Payload]:
    operation = sent.operation
    bind, execute = _bound(operation)
    if bind is not None and not operation.prepared.described:
        raise LookupError("a statement that was prepared before anybody listened")
    return _request(operation, bind, execute), _result(operation, received, bind)


def _many(sent: Sent, received: object) -> tuple[Payload, Payload]:
    """All executions of an executemany that the server has answered; one by itself is as any other statement."""
    operation, binds = sent.operation, many.binds_of(sent.operation)
    if not operation.prepared.described:
        raise LookupError("a statement that was prepared before anybody listened")
    if not isinstance(received, Received):
        return _request(operation, None, None), {}
    heard = response(_whole(received.heard))
    count = min(many.answered(heard), len(binds))
    if count < 2:
        bind = many.bind_of(binds[0])
        return _request(operation, bind, None), _result(operation, received, bind)
    bind, table = many.bound_values(binds[:count])
    request = {**_request(operation, bind, None), EXECUTIONS: table}
    request.pop("parameters", None)
    request.pop("parameter_formats", None)
    shape = operation.prepared.columns
    results = many.joined(heard.results, lambda all_: _answer(all_, shape, bind.result_formats, operation))
    answer: dict[str, Value] = {"results": results} if results else {}
    return request, {**answer, EXECUTIONS: many.runs(heard.results, count), **_beside(heard, operation)}


def _halves_of(operation: Operation) -> Callable[[Sent, object], tuple[Payload, Payload]]:
    if operation.kind is Kind.MANY:
        return _many
    if operation.kind is Kind.COPY:
        return _copied
    if operation.kind is Kind.NOTIFY:
        return _notified
    return _described if _is_shape(operation) else _halves


def _copied(sent: Sent, received: object) -> tuple[Payload, Payload]:
    """COPY, in the words of the cassette: what came in row by row, what went out piece by piece."""
    operation = sent.operation
    request: dict[str, Value] = {"op": QUERY, "statement": operation.prepared.sql}
    if not isinstance(received, Received):
        return request, {}
    result = _result(operation, received, None)
    copy = response(_whole(received.heard)).copy
    if copy is None:
        return request, result
    form: dict[str, Value] = {"format": copy.overall, "formats": list(copy.formats)}
    if copy.kind == GIVEN:
        pieces = [_value(piece, copy.overall) for piece in copy.pieces]
        return {**request, "op": COPY_OUT}, {"copy": {**form, "data": pieces}, **result}
    return {**request, "op": COPY_IN, "copy": {**form, **_taken(b"".join(operation.said), copy.overall)}}, result


def _notified(sent: Sent, received: object) -> tuple[Payload, Payload]:
    return {"op": NOTIFY, "statement": sent.operation.prepared.sql}, _result(sent.operation, received, None)


def _taken(said: bytes, overall: int) -> dict[str, Value]:
    requests = list(FrontendReader(is_started=True).receive(said))
    data = b"".join(each.data for each in requests if isinstance(each, CopyData))
    rows: dict[str, Value] = {"data": [_value(row, overall) for row in copy_rows(data, bool(overall))]}
    given_up = next((each.reason for each in requests if isinstance(each, CopyFail)), None)
    return rows if given_up is None else {**rows, "failed": given_up}


def _is_shape(operation: Operation) -> bool:
    """True for a statement that was prepared and not run; one that the server refused counts as run."""
    return operation.kind is Kind.PREPARE and bool(operation.prepared.described)


def _described(sent: Sent, _: object) -> tuple[Payload, Payload]:
    prepared = sent.operation.prepared
    types = prepared.shape.parameters
    request: dict[str, Value] = {"op": PREPARE, "statement": prepared.sql}
    if types:
        request["parameters"], request["parameter_formats"] = [None] * len(types), [1] * len(types)
        request["parameter_types"] = list(types)
    columns = prepared.columns
    return request, {} if columns is None else {"results": [_answer(Result(tag=""), columns, (), sent.operation)]}


def _bound(operation: Operation) -> tuple[Bind | None, Execute | None]:
    """Bind and the first Execute of this exchange; none where a statement went out as a simple query."""
    if operation.kind not in (Kind.STATEMENT, Kind.PORTAL, Kind.OWN):
        return None, None
    said = b"".join(operation.said)
    if (found := bound(said)) is not None:
        return found
    requests = list(FrontendReader(is_started=True).receive(said))
    bind = next((each for each in requests if isinstance(each, Bind)), None)
    return bind, next((each for each in requests if isinstance(each, Execute)), None)


def _request(operation: Operation, bind: Bind | None, execute: Execute | None) -> Payload:
    op = PARSE if operation.kind is Kind.PREPARE else QUERY
    request: dict[str, Value] = {"op": op, "statement": operation.prepared.sql}
    if bind is not None and bind.values:
        types = operation.prepared.shape.parameters
        request["parameters"] = [_value(*pair) for pair in zip(bind.values, bind.formats, strict=True)]
        request["parameter_types"] = list(types) if len(types) == len(bind.values) else [0] * len(bind.values)
        request["parameter_formats"] = list(bind.formats)
    if bind is not None:
        request["prepared"] = True
        request["result_format"] = 1 if 1 in bind.result_formats else 0
    if operation.kind is Kind.PORTAL:
        request["portal"] = True
    elif execute is not None and execute.max_rows:
        request["limit"] = execute.max_rows
    return request


def _value(value: bytes | None, form: int) -> str | bytes | None:
    if value is None or form == 1:
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _result(operation: Operation, received: object, bind: Bind | None) -> Payload:
    if not isinstance(received, Received):
        return {}
    if received.error is not None:
        return {"lost": received.error}
    heard = response(_whole(received.heard))
    if operation.kind is Kind.PORTAL:
        _join(heard)
    shape = operation.prepared.columns if bind is not None else None
    forms = bind.result_formats if bind is not None else ()
    results: list[Value] = [_answer(each, shape, forms, operation) for each in heard.results]
    if heard.error is not None and shape is not None and not results:
        results.append(_columns_alone(shape, forms, operation))
    return {**({"results": results} if results else {}), **_beside(heard, operation)}


def _whole(heard: list[bytes]) -> bytes:
    """All that was heard, which from now on is one piece: else memory would hold a large answer twice."""
    count = len(heard)
    whole = b"".join(heard[:count])
    heard[:count] = [whole]
    return whole


def _beside(heard: Response, operation: Operation) -> Payload:
    """What the server said beside results."""
    result: dict[str, Value] = {}
    if operation.is_late:
        result["abandoned"] = True
    if heard.error is not None:
        result["error"] = heard.error
    if heard.notices:
        result["notices"] = list(heard.notices)
    if heard.notifications:
        said = heard.notifications
        result["notifications"] = [{"channel": a.channel, "payload": a.payload, "pid": a.pid} for a in said]
    if settings := {name: value for name, value in heard.settings.items() if name in SHAPING}:
        result["settings"] = settings
    if heard.status is not None:
        result["tx"] = heard.status
    return result


def _join(heard: Response) -> None:
    """One result of all the pages of a portal."""
    if len(heard.results) > 1:
        rows = [row for result in heard.results for row in result.rows]
        count, last = sum(result.count for result in heard.results), heard.results[-1]
        heard.results[:] = [Result(last.columns, last.formats, count, rows, last.tag)]


def _answer(result: Result, described: Sequence[Payload] | None, asked: Sequence[int], operation: Operation) -> Payload:
    own = result.columns
    shape = described if own is None else [column_payload(column) for column in own]
    if shape is None:
        return {"tag": result.tag or ""}
    formats = list(result.formats) if own is not None else _spread(asked, len(shape))
    table: dict[str, Value] = {
        "columns": shape,
        "formats": formats,
        "rows": result.count,
    }
    if result.count >= PACKED_MIN_ROWS:
        table[PACKED] = b"".join(result.rows)
    else:
        table["values"] = columns(_rows(result), formats)
    if result.tag is not None:
        table["tag"] = result.tag
    elif operation.kind is Kind.PORTAL:
        table["more"] = True
    return table


def _columns_alone(shape: Sequence[Payload], asked: Sequence[int], operation: Operation) -> Payload:
    """Of a statement that was refused when it ran: the app can look at the columns of what it has prepared.

    Of a cursor it says too whether the server refused to open it, or to give its first page.
    """
    table = dict(_answer(Result(), shape, asked, operation))
    if _bound(operation)[1] is None:
        table.pop("more", None)
    return table


def _rows(result: Result) -> list[list[bytes | None]]:
    if result.count == len(result.rows):  # each piece is one
        return [cells(piece) for piece in result.rows]
    return [cells(piece[start:end]) for piece in result.rows for _, start, end in spans(piece)]


def _spread(formats: Sequence[int], width: int) -> list[int]:
    return list(formats) if len(formats) == width else [*(formats or (0,))][:1] * width
