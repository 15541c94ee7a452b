"""Asks for the answer to one statement; makes one form of what comes back: recorded, synthesised, missing, refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from timetracer_otel.errors import DamagedCassette
from timetracer_otel.wire.postgres.answers import Answer, Answers, Miss, Statement, Synthesise
from timetracer_otel.wire.postgres.messages import problem
from timetracer_otel.wire.postgres.recorded import Recorded, Result, at_limit, recorded
from timetracer_otel.wire.postgres.state import ConnectionState
from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.synthesis import is_housekeeping, synthesise
from timetracer_otel.wire.postgres.transaction import END_A_FAILED_ONE, Move, command

MISS_SQLSTATE = "XX000"
"""Internal error: the driver's own exception type, of a class that applications do not retry."""
REFUSED_SQLSTATE = "0A000"
"""Feature not supported."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request comes to. `is_recorded` is False if its error is ours and not the recorded server's."""

    statement: Statement
    answer: Recorded
    is_recorded: bool = True

    @property
    def error(self) -> Mapping[str, str] | None:
        return self.answer.error


class Outcomes:
    def __init__(self, answers: Answers, state: ConnectionState) -> None:
        self._answers, self._state = answers, state

    def of(self, statement: Statement) -> Outcome:
        """Takes the recorded exchange that answers, if there is one."""
        reply = self._answers.answer(statement, self._state.transaction)
        if isinstance(reply, Miss):
            return _failure(statement, MISS_SQLSTATE, reply.text)
        if isinstance(reply, Synthesise) or self._only_follows(statement):
            return self._synthesised(statement)
        return self._recorded(statement, reply)

    def parse(self, sql: str) -> Outcome | None:
        """How Parse ended, where the recorded client had no more of the statement than that."""
        answer = self._answers.parse(sql, self._state.transaction)
        return None if answer is None else self._recorded(Statement(sql), answer)

    def refusal(self, statement: Statement, reason: str) -> Outcome:
        """An error that says why the recorded answer cannot be given; the report has it too."""
        return _failure(statement, REFUSED_SQLSTATE, self._answers.refused(statement, reason))

    def _recorded(self, statement: Statement, answer: Answer) -> Outcome:
        try:
            found = recorded(answer.result)
        except DamagedCassette as error:
            return self.refusal(statement, str(error))
        outcome = Outcome(statement, at_limit(found) if answer.request.get("limit") else found)
        if outcome.error is None and _lacks_its_data(statement, outcome.answer):
            return self.refusal(statement, "the data of COPY was not recorded")
        if self._cannot_have_run(outcome):
            return self._aborted(outcome)
        self._state.notified(outcome.answer.notifications)
        self._state.reported(outcome.answer.settings)
        return outcome

    def _cannot_have_run(self, outcome: Outcome) -> bool:
        """True for a recorded success in a transaction that has failed here: no server gives it."""
        statements = parts(outcome.statement.sql)
        if self._state.transaction.status != "E" or outcome.error is not None or not statements:
            return False
        move = command(statements[0])
        return move is None or move.move not in END_A_FAILED_ONE

    def _aborted(self, outcome: Outcome) -> Outcome:
        text = self._answers.refused(
            outcome.statement, "the transaction has failed, a server would not run this", is_gap=False
        )
        return _failure(outcome.statement, "25P02", text)

    def _synthesised(self, statement: Statement) -> Outcome:
        if not is_housekeeping(statement.sql):
            return self.refusal(statement, "its answer does not follow from the protocol")
        made = synthesise(statement.sql, self._state.transaction)
        results = tuple(Result(table=None, tag=tag) for tag in made.tags)
        return Outcome(statement, Recorded(results, made.error, tuple(made.notices)))

    def _only_follows(self, statement: Statement) -> bool:
        """A transaction that failed for want of an answer cannot be committed, whatever was recorded."""
        if not self._state.transaction.failed_by_miss:
            return False
        moves = [command(part) for part in parts(statement.sql)]
        return any(move is not None and move.move is Move.COMMIT for move in moves) and is_housekeeping(statement.sql)


def _failure(statement: Statement, sqlstate: str, text: str) -> Outcome:
    return Outcome(statement, Recorded((), problem(sqlstate, text), ()), is_recorded=False)


def _lacks_its_data(statement: Statement, answer: Recorded) -> bool:
    """COPY among other statements, or recorded before COPY was."""
    words = [[token.upper for token in part] for part in parts(statement.sql)]
    is_copy = any(part[:1] == ["COPY"] and ("STDIN" in part or "STDOUT" in part) for part in words)
    return is_copy and answer.copy is None and statement.copied is None and not answer.is_lost
