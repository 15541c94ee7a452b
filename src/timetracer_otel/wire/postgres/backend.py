"""The server's side of one connection: client bytes in, server bytes out, answers from `Answers`.

Statements are answered in the order in which they come, so a pipeline needs nothing of its own. After an error in the
extended protocol everything up to Sync is passed over. Source: PostgreSQL protocol 3.0, "Message Flow".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from timetracer_otel.errors import DamagedCassette, Unconvertible
from timetracer_otel.wire.postgres import messages
from timetracer_otel.wire.postgres.answers import Answers, CopyFormats, Statement
from timetracer_otel.wire.postgres.copying import CopyIn
from timetracer_otel.wire.postgres.extended import ExtendedProtocol, Step
from timetracer_otel.wire.postgres.outcomes import Outcome, Outcomes
from timetracer_otel.wire.postgres.reader import FrontendReader
from timetracer_otel.wire.postgres.recorded import TEXT, CopyOut, Result
from timetracer_otel.wire.postgres.rendering import rows
from timetracer_otel.wire.postgres.requests import (
    Bind,
    CancelRequest,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    EncryptionRequest,
    Execute,
    Flush,
    FunctionCall,
    Parse,
    Query,
    Request,
    StartupMessage,
    Sync,
    Terminate,
)
from timetracer_otel.wire.postgres.settings import handshake
from timetracer_otel.wire.postgres.state import ConnectionState, told_of
from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.tokens import Token
from timetracer_otel.wire.postgres.transaction import Transaction

_FATAL: Final = ("FATAL", "PANIC")


class Backend:
    """Implements `drivers.base.ServerCore`. `number` is the connection's, and its BackendKeyData process id."""

    def __init__(self, number: int, answers: Answers, cancel: Callable[[int], None] = lambda number: None) -> None:
        """`cancel` hears of a request to cancel what the connection of that number is doing."""
        self._number, self._answers, self._cancel = number, answers, cancel
        self._reader = FrontendReader()
        self._is_closing = False
        self._is_skipping = False
        self._ends_at_sync = False
        self._copy: CopyIn | None = None
        self._begin({})
        self._handlers: Mapping[type, Callable[[Any], bytes]] = {
            EncryptionRequest: lambda _: messages.REFUSE_ENCRYPTION,
            StartupMessage: self._start,
            CancelRequest: self._cancel_other,
            Terminate: self._close,
            Query: self._query,
            Sync: self._sync,
            Flush: self._flush,
            CopyData: self._copied,
            CopyDone: lambda _: self._end_copy(),
            CopyFail: lambda request: self._end_copy(request.reason),
            FunctionCall: self._function_call,
            Parse: lambda request: self._step(self._extended.parse(request)),
            Bind: lambda request: self._step(self._extended.bind(request)),
            Describe: lambda request: self._step(self._extended.describe(request)),
            Execute: lambda request: self._step(self._extended.execute(request)),
            Close: lambda request: self._step(self._extended.close(request)),
        }

    @property
    def is_closing(self) -> bool:
        """True when the connection is to be closed after what `receive` returned was sent."""
        return self._is_closing

    @property
    def transaction(self) -> Transaction:
        """The state between the last statement and the next."""
        return self._state.transaction

    def receive(self, data: bytes) -> bytes:
        """What the server sends after `data`. Raises WireError on bytes that are not the protocol."""
        sent: list[bytes] = []
        for request in self._reader.receive(data):
            if self._is_closing:
                break
            sent.append(self._handle(request))
        return b"".join(sent)

    def _handle(self, request: Request) -> bytes:
        if self._is_skipping and not isinstance(request, (Sync, Terminate)):
            return b""
        handler = self._handlers.get(type(request))
        return b"" if handler is None else handler(request)

    # -- start and end

    def _begin(self, settings: Mapping[str, str]) -> None:
        self._state = ConnectionState(settings)
        self._outcomes = Outcomes(self._answers, self._state)
        self._extended = ExtendedProtocol(self._answers, self._state)

    def _start(self, request: StartupMessage) -> bytes:
        settings = handshake(self._answers.startup().parameters, request.parameters)
        self._begin(settings)
        unknown = [name for name in request.parameters if name.startswith("_pq_.")]
        sent = [messages.negotiate_protocol_version(unknown)] if request.minor or unknown else []
        sent.append(messages.AUTHENTICATION_OK)
        sent += [messages.parameter_status(name, value) for name, value in settings.items()]
        sent += [messages.backend_key_data(self._number, self._number), self._state.ready()]
        return b"".join(sent)

    def _close(self, _: Terminate) -> bytes:
        self._is_closing = True
        return b""

    def _cancel_other(self, request: CancelRequest) -> bytes:
        """A connection made for nothing else; the server says nothing."""
        self._cancel(request.pid)
        self._is_closing = True
        return b""

    # -- simple protocol

    def _query(self, request: Query) -> bytes:
        self._extended.forget_unnamed()
        formats = self._copy_formats(request.sql)
        if formats is not None:
            self._copy = CopyIn(request.sql, formats)
            return messages.copy_in_response(formats.overall, formats.columns)
        return self._run(Statement(request.sql, is_simple=True))

    def _copy_formats(self, sql: str) -> CopyFormats | None:
        try:
            return self._answers.copy_in(sql)
        except DamagedCassette:  # said when the exchange is taken
            return None

    def _copied(self, request: CopyData) -> bytes:
        if self._copy is not None:
            self._copy.add(request.data)
        return b""

    def _end_copy(self, failed: str | None = None) -> bytes:
        copy, self._copy = self._copy, None
        return b"" if copy is None else self._run(copy.statement(failed))

    def _run(self, statement: Statement) -> bytes:
        outcome = self._outcomes.of(statement)
        statements = parts(statement.sql)
        sent = [messages.notice_response(notice) for notice in outcome.answer.notices]
        if outcome.answer.copy is not None:
            sent += _copy_out(outcome.answer.copy, is_whole=outcome.error is None and not outcome.answer.is_lost)
        for at, result in enumerate(outcome.answer.results):
            try:
                sent.append(self._result(result))
            except Unconvertible as error:
                outcome = self._outcomes.refusal(outcome.statement, str(error))
                return b"".join(sent) + self._failed(outcome, _nth(statements, at)) + self._ready()
            if result.tag is not None:
                self._state.completed(_nth(statements, at))
                self._extended.forget(_nth(statements, at))
        if outcome.answer.is_lost:
            self._is_closing = True
        elif outcome.error is not None:
            sent.append(self._failed(outcome, _nth(statements, len(outcome.answer.results))))
        return b"".join(sent) + self._ready()

    def _result(self, result: Result) -> bytes:
        sent = b""
        if result.table is not None:
            formats = [TEXT] * len(result.table.columns)
            sent = messages.row_description(result.table.columns, formats)
            sent += b"".join(rows(result.table, formats, self._state.settings.style))
        if result.tag == "":
            return sent + messages.EMPTY_QUERY
        return sent if result.tag is None else sent + messages.command_complete(result.tag)

    def _function_call(self, _: FunctionCall) -> bytes:
        outcome = self._outcomes.refusal(Statement("", is_simple=True), "the function call protocol is not replayed")
        return self._failed(outcome, ()) + self._ready()

    # -- extended protocol

    def _step(self, step: Step) -> bytes:
        if step.failed is None:
            self._is_closing = step.is_lost
            return step.sent
        self._is_skipping = True
        sent = step.sent + self._failed(step.failed, _nth(parts(step.failed.statement.sql), 0))
        # A client that has more to send loses what it has read when it reads the end of the connection with it. The
        # recorded one did read this error.
        self._ends_at_sync, self._is_closing = self._is_closing, False
        return sent

    def _sync(self, _: Sync) -> bytes:
        if self._copy is not None:  # "the backend ignores Flush and Sync in COPY"
            return b""
        self._is_skipping, self._is_closing = False, self._ends_at_sync
        return self._ready()

    def _flush(self, _: Flush) -> bytes:
        """All is sent at once anyway. In replay a client that waits for notifications says so with it."""
        due = self._answers.notifications() if self._copy is None else ()
        self._is_closing = due is None
        return b"".join(map(told_of, due or ()))

    # -- both

    def _failed(self, outcome: Outcome, statement: Sequence[Token]) -> bytes:
        error = outcome.error or {}
        self._state.failed(statement, by_miss=not outcome.is_recorded)
        self._is_closing = error.get("V", error.get("S")) in _FATAL
        return messages.error_response(error)

    def _ready(self) -> bytes:
        if self._is_closing:
            return b""
        if self._state.transaction.status == "I":
            self._extended.forget_portals()
        return self._state.ready()


def _copy_out(copy: CopyOut, is_whole: bool) -> Iterator[bytes]:
    yield messages.copy_out_response(copy.formats.overall, copy.formats.columns)
    yield from map(messages.copy_data, copy.pieces)
    if is_whole:
        yield messages.COPY_DONE


def _nth(statements: Sequence[Sequence[Token]], at: int) -> Sequence[Token]:
    """No tokens where the server gave more results than the query has statements (a rule can make it so)."""
    return statements[at] if at < len(statements) else ()
