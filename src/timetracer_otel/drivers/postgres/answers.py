"""A replay session as what the backend of one connection asks: recorded answers first, then what may be made up.

Inside an entry only what drivers and pools add by themselves is made up. A COMMIT or ROLLBACK that the recording does
not have is a miss: it changes what the entry did.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, overload

from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.base import AnswerSource, Asked, Question
from timetracer_otel.drivers.postgres.cursors import ELSEWHERE, Cursors
from timetracer_otel.drivers.postgres.greetings import greeting, recorded_greeting
from timetracer_otel.drivers.postgres.operations import COPY_IN, DESCRIBE, NOTIFY, PARSE, QUERY, WAIT
from timetracer_otel.drivers.postgres.questions import described, question, shape
from timetracer_otel.drivers.postgres.readying import Readying
from timetracer_otel.wire.postgres.answers import Answer, CopyFormats, Miss, Reply, Startup, Statement, Synthesise
from timetracer_otel.wire.postgres.cursors import CursorCommand, cursor_command
from timetracer_otel.wire.postgres.messages import Notification
from timetracer_otel.wire.postgres.recorded import copied, recorded
from timetracer_otel.wire.postgres.statements import parts, verb
from timetracer_otel.wire.postgres.synthesis import is_housekeeping
from timetracer_otel.wire.postgres.transaction import Move, Transaction, command

TRANSACTIONS_MAX: Final = 1 << 32
"""Of one connection: numbers of transactions are unique in the process."""
OF_DRIVERS: Final = frozenset({"DEALLOCATE", "CLOSE"})
_USUAL: Final = re.compile(r"BEGIN(?: ISOLATION LEVEL READ COMMITTED)?;?")
"""As asyncpg spells it, and psycopg without the semicolon. Source: asyncpg 0.29 to 0.31, `transaction.py`; psycopg 3.1
to 3.3, `_get_tx_start_command`."""
CANCELLED: Final = ("57014", "canceling statement due to user request")
"""Code and message of the error of a statement that its client gave up; a statement_timeout has the same code."""
CANCEL_SLACK_S: Final = 1.0
CANCEL_WAIT_MAX_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Claim:
    """For whom a connection works now; taken in the app's context before the bytes leave."""

    source: AnswerSource
    asked: Asked
    database: str | None = None
    is_ping: bool = False
    """A pool looks whether its connection lives."""
    is_making: bool = False
    """A pool makes the connection, and what is asked makes it ready."""
    early: AnswerSource | None = None
    """What was asked of each such connection before the entry began; None where that is not replayed."""


class SessionAnswers:
    """Implements `wire.postgres.answers.Answers` for one connection of the stub."""

    def __init__(
        self,
        lib: str,
        number: int,
        unclaimed: Callable[[], Claim],
        connections: Callable[[], Sequence[Connection]],
        fetched: set[str] | None = None,
    ) -> None:
        """`unclaimed` serves bytes that no claim came before; `connections` are the recorded ones, the best first.
        `fetched` are the ids of what any connection of this replay has taken and must not be given twice: pages of
        cursors, notifications."""
        self._lib, self._number = lib, number
        self._unclaimed, self._connections = unclaimed, connections
        self._cancelled = threading.Event()
        self._held: Exchange | None = None
        """Answered last, and given up by its client after it had read rows."""
        self._fetched = set() if fetched is None else fetched
        self._cursors = Cursors(self._fetched)
        self.claim: Claim | None = None
        self._has_greeted = False
        """The last thing that was asked is what an engine asks when it connects, and the work has not recorded it."""
        self._readying = Readying()
        self.is_awaiting = False
        """The app waits for notifications now."""

    def cancel(self) -> None:
        """The client gives up what it waits for."""
        self._cancelled.set()

    def startup(self) -> Startup:
        for connection in self._connections():
            parameters = connection.parameters.get("parameters")
            if isinstance(parameters, dict):
                return Startup({name: str(value) for name, value in parameters.items()})
        return Startup()

    def answer(self, statement: Statement, transaction: Transaction) -> Reply:
        claim = self._current()
        asked = self._asked(claim.asked, statement, transaction)
        about = cursor_command(statement.sql)
        wanted = self._question(statement, about, claim, asked.transaction is not None)
        if transaction.failed_by_miss:
            return self._after_miss(claim, statement, asked)
        self._readying.follow(claim, asked, is_idle=transaction.status == "I")
        if about is not None and (reply := self._of_cursor(about, wanted, claim, asked)) is not None:
            return reply
        if _is_set_up(statement, claim):
            return Synthesise()
        is_making = claim.is_making and not claim.source.is_spanless
        if is_making and (reply := self._made_ready(statement, wanted, asked, claim)) is not None:
            return reply
        # Not by connection: pools hand connections out in turn, and a replay with another pool would get equal requests
        # answered out of the order in which they were recorded. A transaction does bind.
        if self._is_between_greetings(statement.sql):
            return Synthesise()
        exchange = claim.source.take(wanted, replace(asked, connection=None))
        if exchange is not None:
            self._has_greeted = False
            if is_making:
                self._readying.join(claim, asked)
            if about is not None:
                self._cursors.answered(about, exchange)
            self._wait_to_be_cancelled(exchange)
            return Answer(exchange.request, exchange.result)
        if (begun := self._begun(statement, claim, asked)) is not None:
            return begun
        if (parsed := self.parse(statement.sql, transaction)) is not None:  # recorded by a driver that prepares first
            return parsed
        if (greeted := self._greeted(greeting(statement.sql, _values(statement)), statement.sql, claim)) is not None:
            self._has_greeted = True
            return greeted
        if not statement.parameters and statement.portal is None and _may_make_up(statement.sql, claim, self._lib):
            return Synthesise()
        return Miss(claim.source.miss(wanted, asked))

    def _made_ready(self, statement: Statement, wanted: Question, asked: Asked, claim: Claim) -> Reply | None:
        moves = _moves(statement.sql)
        made = self._readying.answer(claim, wanted, asked, is_begin=Move.BEGIN in moves)
        if made is not None:
            is_over = not {Move.ROLLBACK, Move.COMMIT}.isdisjoint(moves)
            is_greeting = greeting(statement.sql, _values(statement)) is not None
            self._has_greeted = is_greeting or (self._has_greeted and not is_over)
            return made
        # Another BEGIN or COMMIT of the segment is not for it, but one of the work that follows.
        is_more = moves and not self._readying.has_joined and _may_make_up(statement.sql, claim, self._lib)
        return Synthesise() if is_more else None

    def _begun(self, statement: Statement, claim: Claim, asked: Asked) -> Answer | None:
        """A transaction of the server's usual level: SQLAlchemy names it on a connection whose level was another one
        before, which a new connection of a replay never had."""
        if _USUAL.fullmatch(statement.sql) is None:
            return None
        for spelled in ("BEGIN;", "BEGIN ISOLATION LEVEL READ COMMITTED;"):
            wanted = self._question(replace(statement, sql=spelled), None, claim, asked.transaction is not None)
            exchange = claim.source.take(wanted, replace(asked, connection=None))
            if exchange is not None:
                return Answer(exchange.request, exchange.result)
        return None

    def parse(self, sql: str, transaction: Transaction) -> Answer | None:
        claim = self._current()
        stopped = claim.source.ahead(self._lib, shape(sql, PARSE))
        if stopped is None or transaction.failed_by_miss:
            return None
        run = claim.source.ahead(self._lib, shape(sql))
        if run is not None and run.at_ns < stopped.at_ns:
            return None
        asked = self._asked(claim.asked, Statement(sql), transaction)
        wanted = question(self._lib, sql, (), claim.database, asked.transaction is not None, op=PARSE)
        exchange = claim.source.take(wanted, replace(asked, connection=None))
        if exchange is None:
            return None
        self._wait_to_be_cancelled(exchange)
        return Answer(exchange.request, exchange.result)

    def _question(
        self, statement: Statement, about: CursorCommand | None, claim: Claim, is_inside: bool | None = None
    ) -> Question:
        name = statement.portal if statement.portal is not None else about.name if about is not None else None
        return question(
            self._lib,
            statement.sql,
            statement.parameters,
            claim.database,
            is_inside,
            op=COPY_IN if statement.copied is not None else QUERY if statement.portal is None else DESCRIBE,
            cursor=None if name is None else self._cursors.recorded(name),
            copied=statement.copied,
        )

    def _of_cursor(self, about: CursorCommand, wanted: Question, claim: Claim, asked: Asked) -> Reply | None:
        """Of a cursor that is read in pages, or that stands where the recorded one never did; None for all else."""
        if self._cursors.is_elsewhere(about):
            return Miss(claim.source.miss(wanted, asked, note=ELSEWHERE))
        if not about.is_page:
            return None
        page = self._cursors.get(about.name).fetch(
            about.max_rows, lambda: claim.source.take(wanted, replace(asked, connection=None))
        )
        return page or Miss(claim.source.miss(wanted, asked))

    def hold(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._cancelled.wait(min(held.duration_ns / 1e9 + CANCEL_SLACK_S, CANCEL_WAIT_MAX_S))
            self._cancelled.clear()

    def _wait_to_be_cancelled(self, exchange: Exchange) -> None:
        """An app's timeout must run out again: answered at once, the answer would come where none was before."""
        self._held = exchange if _was_given_up(exchange) else None
        if self._held is not None and not _ends_openly(exchange):
            self.hold()
        self._cancelled.clear()  # one that came too late was for a statement before

    def shapes(self, sql: str) -> Sequence[Answer]:
        source = self._current().source
        run = _Whole(source.known(self._lib, shape(sql)))
        if run or (run := _Whole(source.known(self._lib, described(sql)))):
            return run
        greeted = self._greeted(greeting(sql), sql, self._current())
        return () if greeted is None else (greeted,)

    def _is_between_greetings(self, sql: str) -> bool:
        """An engine greets in a transaction of its own, with savepoints, which is not the recorded one."""
        if not self._has_greeted:
            return False
        moves = _moves(sql)
        self._has_greeted = Move.ROLLBACK not in moves
        return not self._has_greeted or Move.SAVEPOINT in moves or Move.RELEASE in moves

    def _greeted(self, name: str | None, sql: str, claim: Claim) -> Answer | None:
        """What the server answers to an engine that connects for the first time; `name` is that of the greeting."""
        if name is None:
            return None
        known = next(iter(_Whole(claim.source.known(self._lib, shape(sql)))), None)
        if known is not None:
            return known
        result = recorded_greeting(name, claim.source.connections(self._lib), self._lib)
        return None if result is None else Answer({}, result)

    def copy_in(self, sql: str) -> CopyFormats | None:
        if verb(sql) != "COPY":
            return None
        known = self._current().source.known(self._lib, shape(sql, COPY_IN))
        found = copied(known[0].request) if known else None
        return found[0] if found is not None else None

    def notifications(self) -> Sequence[Notification] | None:
        if not self.is_awaiting:
            return ()
        self.is_awaiting, claim = False, self._current()
        wanted = question(self._lib, WAIT.decode(), (), claim.database, op=NOTIFY)
        asked = replace(claim.asked, connection=self._number)
        exchange = claim.source.take(wanted, asked)
        if exchange is not None and exchange.id not in self._fetched:
            self._fetched.add(exchange.id)
            return recorded(exchange.result).notifications
        if claim.source.is_environment:  # a listener goes on listening
            return ()
        claim.source.miss(wanted, asked)
        return None

    def refused(self, statement: Statement, problem: str, is_gap: bool = True) -> str:
        claim = self._current()
        wanted = self._question(statement, cursor_command(statement.sql), claim)
        if is_gap:
            claim.source.undecided(f"{wanted.text}: {problem}")
        return claim.source.miss(wanted, replace(claim.asked, connection=self._number), note=problem)

    def _current(self) -> Claim:
        return self.claim or self._unclaimed()

    def _asked(self, asked: Asked, statement: Statement, transaction: Transaction) -> Asked:
        number = transaction.number if transaction.status != "I" else None
        if number is None and Move.BEGIN in _moves(statement.sql):
            number = transaction.number + 1
        unique = None if number is None else self._number * TRANSACTIONS_MAX + number
        return replace(asked, connection=self._number, transaction=unique)

    def _after_miss(self, claim: Claim, statement: Statement, asked: Asked) -> Reply:
        """The transaction has failed here, and not in the recording: nothing that was recorded fits any more."""
        if is_housekeeping(statement.sql) and _moves(statement.sql):
            return Synthesise()
        wanted = self._question(statement, cursor_command(statement.sql), claim)
        return Miss(claim.source.miss(wanted, asked, consequent=True))


class _Whole(Sequence[Answer]):
    """The answers of exchanges that were kept whole, each made when it is looked at: among thousands of one statement
    the first says enough, and every Parse asks."""

    def __init__(self, known: Sequence[Exchange]) -> None:
        self._known = known

    def __iter__(self) -> Iterator[Answer]:
        return (Answer(each.request, each.result) for each in self._known if each.dropped is None)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Answer: ...

    @overload
    def __getitem__(self, index: slice) -> list[Answer]: ...

    def __getitem__(self, index: int | slice) -> Answer | list[Answer]:
        return list(self)[index]


def _values(statement: Statement) -> Sequence[bytes | None]:
    return [each.value for each in statement.parameters]


def _was_given_up(exchange: Exchange) -> bool:
    error = exchange.result.get("error")
    is_cancelled = isinstance(error, Mapping) and (error.get("C"), error.get("M")) == CANCELLED
    return is_cancelled or exchange.result.get("abandoned") is True


def _ends_openly(exchange: Exchange) -> bool:
    """Rows came before the error: the app reads them first, and gives up when it has."""
    results = exchange.result.get("results")
    last = results[-1] if isinstance(results, (list, tuple)) and results else None
    return isinstance(last, Mapping) and last.get("tag") is None and bool(last.get("rows"))


def _has_asked(early: AnswerSource | None, lib: str) -> bool:
    """True where the process had connected before its entry: then it is recorded what its pool asks."""
    return early is not None and bool(early.questions(lib))


def _is_made_up(statement: Statement) -> bool:
    return not statement.parameters and statement.portal is None and is_housekeeping(statement.sql)


def _is_set_up(statement: Statement, claim: Claim) -> bool:
    """A pool sets a connection up, in no span of the recorded trace, where BEGIN and COMMIT are other ones'."""
    source = claim.source
    return not (source.is_environment or source.is_spanless or claim.asked.span) and _is_made_up(statement)


def _may_make_up(sql: str, claim: Claim, lib: str) -> bool:
    if not is_housekeeping(sql):
        return False
    if claim.is_making and (claim.source.is_spanless or not _has_asked(claim.early, lib)):
        return True  # a pool that makes a connection more than it did
    return claim.source.is_environment or all(_is_added(each, sql, claim, lib) for each in _statements(sql))


def _is_added(statement: tuple[str, Move | None], sql: str, claim: Claim, lib: str) -> bool:
    """True for what a driver or a pool adds by itself, inside an entry."""
    verb, move = statement
    if move is Move.BEGIN or verb in OF_DRIVERS or not claim.asked.frame:
        return True
    if move is None and claim.asked.span_path == (verb.lower(),):  # the instrumentor's span, and in no other one
        return True
    # A pool configures each new connection alike, and replay may open more of them.
    return move is None and claim.is_making and bool(claim.source.known(lib, shape(sql)))


def _statements(sql: str) -> list[tuple[str, Move | None]]:
    found = ((statement[0].upper, command(statement)) for statement in parts(sql))
    return [(verb, None if moved is None else moved.move) for verb, moved in found]


def _moves(sql: str) -> list[Move]:
    return [move for _, move in _statements(sql) if move is not None]
