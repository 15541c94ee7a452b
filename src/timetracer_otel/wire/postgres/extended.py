"""Parse, Bind, Describe, Execute, Close: prepared statements and portals of one connection.

The client's names mean nothing beyond the connection: a statement is known by its SQL. What a portal will give is taken
at Bind, since Describe of a portal may come before Execute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from timetracer_otel.errors import DamagedCassette, Unconvertible
from timetracer_otel.wire.postgres import messages
from timetracer_otel.wire.postgres.answers import Answers, Parameter, Statement
from timetracer_otel.wire.postgres.description import Description, describe, failed_to_parse
from timetracer_otel.wire.postgres.messages import problem
from timetracer_otel.wire.postgres.outcomes import Outcome, Outcomes
from timetracer_otel.wire.postgres.recorded import BINARY, Recorded, Table, parameters
from timetracer_otel.wire.postgres.rendering import rows
from timetracer_otel.wire.postgres.requests import Bind, Close, Describe, Execute, Parse
from timetracer_otel.wire.postgres.state import ConnectionState
from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.tokens import Token


@dataclass(slots=True)
class _Prepared:
    sql: str
    declared: tuple[int, ...]
    described: Description | None = None


@dataclass(slots=True)
class _Portal:
    """`rows` are what is left to be fetched, None before the first Execute."""

    outcome: Outcome
    formats: tuple[int, ...]
    rows: Sequence[bytes] | None = field(default=None)
    is_done: bool = False

    @property
    def table(self) -> Table | None:
        results = self.outcome.answer.results
        return results[0].table if results else None

    @property
    def has_more(self) -> bool:
        """The server had more rows than were read of it, and nobody tried."""
        if self.outcome.error is not None or self.outcome.answer.is_lost:
            return False
        return any(result.has_more for result in self.outcome.answer.results)


@dataclass(frozen=True, slots=True)
class Step:
    """What one message gives: bytes to send, and the outcome whose error follows them and makes the rest be skipped."""

    sent: bytes = b""
    failed: Outcome | None = None
    is_lost: bool = False
    """The connection breaks after what was sent."""


class ExtendedProtocol:
    def __init__(self, answers: Answers, state: ConnectionState) -> None:
        self._answers, self._state = answers, state
        self._outcomes = Outcomes(answers, state)
        self._prepared: dict[str, _Prepared] = {}
        self._portals: dict[str, _Portal] = {}

    def parse(self, request: Parse) -> Step:
        if request.name and request.name in self._prepared:
            return _refused(request.sql, "42P05", f'prepared statement "{request.name}" already exists')
        prepared = _Prepared(request.sql, request.oids)
        if (step := self._stopped(prepared, request.name)) is not None:
            return step
        self._prepared[request.name] = prepared
        return Step(messages.PARSE_COMPLETE)

    def bind(self, request: Bind) -> Step:
        prepared = self._prepared.get(request.statement)
        if prepared is None:
            return _refused("", "26000", f'prepared statement "{request.statement}" does not exist')
        try:
            statement = Statement(prepared.sql, self._parameters(prepared, request))
        except DamagedCassette as error:
            return Step(failed=self._outcomes.refusal(Statement(prepared.sql), str(error)))
        outcome = self._checked(self._outcomes.of(statement), prepared, request)
        if not outcome.is_recorded:
            return Step(failed=outcome)
        if outcome.answer.is_refused:
            return Step(_notices(outcome), failed=outcome)
        portal = _Portal(outcome, ())
        width = len(portal.table.columns) if portal.table else 0
        asked = request.result_formats
        portal.formats = asked if len(asked) == width else (asked or (0,))[:1] * width
        self._portals[request.portal] = portal
        return Step(messages.BIND_COMPLETE)

    def describe(self, request: Describe) -> Step:
        return self._describe_portal(request.name) if request.target == "P" else self._describe_statement(request.name)

    def execute(self, request: Execute) -> Step:
        portal = self._portals.get(request.portal)
        if portal is None:
            return _refused("", "34000", f'portal "{request.portal}" does not exist')
        if portal.is_done:
            return _refused("", "55000", f'portal "{request.portal}" cannot be run')
        try:
            return self._run(portal, request.max_rows)
        except Unconvertible as error:
            return Step(failed=self._outcomes.refusal(portal.outcome.statement, str(error)))

    def close(self, request: Close) -> Step:
        names: dict[str, _Prepared] | dict[str, _Portal] = self._prepared if request.target == "S" else self._portals
        names.pop(request.name, None)
        return Step(messages.CLOSE_COMPLETE)

    def forget(self, statement: Sequence[Token]) -> None:
        """What a completed DEALLOCATE or DISCARD ALL takes away."""
        words = [token.upper for token in statement]
        if words == ["DISCARD", "ALL"] or (words[:1] == ["DEALLOCATE"] and words[-1] == "ALL"):
            self._prepared.clear()
        elif words[:1] == ["DEALLOCATE"] and len(words) > 1:
            self._prepared.pop(statement[-1].identifier or "", None)

    def forget_unnamed(self) -> None:
        """A simple query takes the unnamed statement and portal away."""
        self._prepared.pop("", None)
        self._portals.pop("", None)

    def forget_portals(self) -> None:
        """Portals end with their transaction."""
        self._portals.clear()

    def _parameters(self, prepared: _Prepared, request: Bind) -> tuple[Parameter, ...]:
        declared = prepared.declared
        if prepared.described is not None:  # the client sends binary values by what Describe told it
            declared = prepared.described.parameter_oids
        elif BINARY in request.formats and not (all(declared) and len(declared) >= len(request.values)):
            declared = self._description(prepared).known_oids
        padded = declared + (0,) * len(request.values)
        return tuple(Parameter(*each) for each in zip(padded, request.formats, request.values, strict=False))

    def _checked(self, outcome: Outcome, prepared: _Prepared, request: Bind) -> Outcome:
        """Refuses what the extended protocol cannot carry, or not to a client that was told of other columns."""
        results = outcome.answer.results
        if outcome.answer.copy is not None:
            return self._outcomes.refusal(outcome.statement, "COPY is replayed where it is asked for by a simple query")
        if len(results) > 1:
            return self._outcomes.refusal(outcome.statement, "several results are recorded, a portal gives one")
        table = results[0].table if results else None
        if table is not None and len(request.result_formats) not in (0, 1, len(table.columns)):
            reason = f"{len(table.columns)} columns are recorded, the client expects {len(request.result_formats)}"
            return self._outcomes.refusal(outcome.statement, reason)
        told = prepared.described.columns if prepared.described is not None else None
        if table is not None and told is not None and [one.oid for one in told] != [one.oid for one in table.columns]:
            return self._outcomes.refusal(outcome.statement, "other columns are recorded than when it was prepared")
        return outcome

    def _description(self, prepared: _Prepared) -> Description:
        return describe(prepared.sql, prepared.declared, self._answers.shapes(prepared.sql))

    def _describe_statement(self, name: str) -> Step:
        prepared = self._prepared.get(name)
        if prepared is None:
            return _refused("", "26000", f'prepared statement "{name}" does not exist')
        try:
            failed = self._unparsable(prepared)
            prepared.described = self._description(prepared)
        except DamagedCassette as error:
            return Step(failed=self._outcomes.refusal(Statement(prepared.sql), str(error)))
        if failed is not None:
            return Step(failed=failed)
        types = messages.parameter_description(prepared.described.parameter_oids)
        columns = prepared.described.columns
        if columns is None:
            return Step(types + messages.NO_DATA)
        return Step(types + messages.row_description(columns, [0] * len(columns)))

    def _stopped(self, prepared: _Prepared, name: str) -> Step | None:
        """How the statement ends here already; None if it goes on."""
        parsed = self._outcomes.parse(prepared.sql)
        if parsed is None:
            failed = self._refused_by_server(prepared) if name else None
            return None if failed is None else Step(failed=failed)
        if parsed.answer.is_lost:
            return Step(is_lost=True)
        return None if parsed.error is None else Step(failed=parsed)

    def _refused_by_server(self, prepared: _Prepared) -> Outcome | None:
        """What the recorded server said to Parse itself: clients show the statement with an error that comes there."""
        try:
            return self._unparsable(prepared) if self._answers.shapes(prepared.sql) else None
        except DamagedCassette:  # said at Bind, where the values are known too
            return None

    def _unparsable(self, prepared: _Prepared) -> Outcome | None:
        """The error, if nothing is recorded of the statement, or nothing but that the server does not take it."""
        shapes = self._answers.shapes(prepared.sql)
        wrong = failed_to_parse(shapes)
        if shapes and wrong is None:
            return None
        outcome = self._outcomes.of(Statement(prepared.sql, parameters(wrong.request) if wrong is not None else ()))
        return outcome if outcome.error is not None else None

    def _describe_portal(self, name: str) -> Step:
        portal = self._portals.get(name)
        if portal is None:
            return self._describe_cursor(name)
        if portal.table is None:
            return Step(messages.NO_DATA)
        return Step(messages.row_description(portal.table.columns, portal.formats))

    def _describe_cursor(self, name: str) -> Step:
        """A cursor of SQL is a portal that Bind did not make."""
        outcome = self._outcomes.of(Statement(f'DESCRIBE "{name}"', portal=name))
        if outcome.error is not None:
            return Step(failed=outcome)
        results = outcome.answer.results
        table = results[0].table if results else None
        if table is None:
            return Step(messages.NO_DATA)
        return Step(messages.row_description(table.columns, table.formats))

    def _run(self, portal: _Portal, max_rows: int) -> Step:
        notices = b""
        is_first = portal.rows is None
        if portal.rows is None:
            notices = _notices(portal.outcome)
            portal.rows = rows(portal.table, portal.formats, self._state.settings.style) if portal.table else []
        # As the server: a full page is "suspended" even if it was the last one.
        is_page = portal.table is not None and 0 < max_rows <= len(portal.rows)
        page, portal.rows = (portal.rows[:max_rows], portal.rows[max_rows:]) if is_page else (portal.rows, [])
        sent = notices + b"".join(page)
        if is_page:
            return Step(sent + messages.PORTAL_SUSPENDED)
        if portal.has_more:
            raise Unconvertible("more rows are asked for than were read when it was recorded")
        portal.is_done = True
        if not is_first and portal.outcome.error is not None:
            self._answers.hold()
        return self._finish(portal, sent, len(page))

    def _finish(self, portal: _Portal, sent: bytes, count: int) -> Step:
        outcome = portal.outcome
        if outcome.answer.is_lost:
            return Step(sent, is_lost=True)
        if outcome.error is not None:
            return Step(sent, failed=outcome)
        (statement, *_) = parts(outcome.statement.sql) or ((),)
        self._state.completed(statement)
        self.forget(statement)
        return Step(sent + _completion(portal, count))


def _notices(outcome: Outcome) -> bytes:
    return b"".join(messages.notice_response(notice) for notice in outcome.answer.notices)


def _completion(portal: _Portal, count: int) -> bytes:
    """CommandComplete; of a portal that was read in pages with the rows of the last page."""
    tag = portal.outcome.answer.results[0].tag if portal.outcome.answer.results else ""
    if tag == "":
        return messages.EMPTY_QUERY
    if portal.table is not None and count != portal.table.count:
        tag = f"{(tag or 'SELECT').split(' ')[0]} {count}"
    return messages.command_complete(tag or f"SELECT {count}")


def _refused(sql: str, sqlstate: str, text: str) -> Step:
    """An error that a real server would give to the same messages."""
    return Step(failed=Outcome(Statement(sql), Recorded((), problem(sqlstate, text), ())))
