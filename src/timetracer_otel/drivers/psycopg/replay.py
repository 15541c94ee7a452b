"""psycopg in replay: it dials a stub that speaks PostgreSQL, and says before each operation for whom it works."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from timetracer_otel.cassette.model import Connection, Exchange
from timetracer_otel.drivers.base import Question, ReplayHost, ServerCore
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.postgres import making, refusals
from timetracer_otel.drivers.postgres.answers import Claim, SessionAnswers
from timetracer_otel.drivers.postgres.connecting import CONNECT
from timetracer_otel.drivers.postgres.known import agreed
from timetracer_otel.drivers.postgres.questions import question_of
from timetracer_otel.drivers.postgres.refusing import Calls, question_of_connect
from timetracer_otel.drivers.psycopg.connecting import place_of
from timetracer_otel.drivers.psycopg.names import base
from timetracer_otel.drivers.psycopg.redirect import SERVICE_VARIABLES, redirected
from timetracer_otel.drivers.psycopg.refusing import can_raise, fail_next, refusing
from timetracer_otel.drivers.psycopg.tracking import LIBRARY
from timetracer_otel.wire.postgres.backend import Backend

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

LOST: Final = "replay cannot redirect it"


class Stub:
    """The stub's side of one replay: which connections there are, and for whom each works."""

    def __init__(self, host: ReplayHost) -> None:
        self.host = host
        self._answers: WeakValueDictionary[int, SessionAnswers] = WeakValueDictionary()
        self._dialled: Sequence[Connection] = ()
        self._fetched: set[str] = set()
        self._calls = Calls(LIBRARY, can_raise)
        self._port = host.serve(LIBRARY, self._backend)

    def _backend(self, number: int) -> ServerCore:
        answers = SessionAnswers(LIBRARY, number, self._unclaimed, lambda: self._dialled, self._fetched)
        self._answers[number] = answers
        return Backend(number, answers, self._cancel)

    def _cancel(self, number: int) -> None:
        if (answers := self._answers.get(number)) is not None:
            answers.cancel()

    def _unclaimed(self) -> Claim:
        return Claim(*self.host.current())

    def attempts(self, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Connection parameters for the stub, or for as many servers as the recorded app has tried in vain; called in
        the app's context."""
        from psycopg import pq

        source, asked = self.host.current()
        failures = self._calls.failures(source, asked, place_of(parameters))
        if failures:
            return fail_next(failures)
        self._dialled = _by_database(source.connections(LIBRARY), parameters.get("dbname"))
        known = {default.keyword.decode() for default in pq.Conninfo.get_defaults()}
        return [redirected(parameters, self._port(), known, _recorded(self._dialled))]

    def claim(self, pgconn: PGconn) -> None:
        """The connection works for the session of the calling context from now on."""
        answers = self._answers.get(pgconn.backend_pid)
        if answers is not None:
            source, asked = self.host.current()
            database, is_making = pgconn.db.decode("utf-8", "surrogateescape"), making.is_making.get()
            early = self.host.early() if is_making else None
            answers.claim = Claim(source, asked, database, is_making=is_making, early=early)
        if pgconn.backend_pid and pgconn.port not in (b"", b"%d" % self._port()):
            self._refuse(pgconn)

    def _refuse(self, pgconn: PGconn) -> None:
        """It does not lead to the stub."""
        from psycopg import OperationalError

        target = f"{pgconn.host.decode('utf-8', 'replace')}:{int(pgconn.port)}"
        if (text := self.host.foreign(LIBRARY, target)) is not None:
            raise OperationalError(text)

    def cancel(self, pgconn: PGconn) -> None:
        """The app cancels what the connection does. PQcancel would wait, without letting another thread of Python run,
        for a stub that is one."""
        self._cancel(pgconn.backend_pid)

    def await_notifications(self, pgconn: PGconn) -> None:
        """The app waits for notifications: Flush tells the stub, since nothing else leaves."""
        answers = self._answers.get(pgconn.backend_pid)
        if answers is not None:
            answers.is_awaiting = True
            pgconn.send_flush_request()
            pgconn.flush()


class PsycopgReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._variables: dict[str, str] = {}
        self._stub: Stub | None = None

    def install(self, host: ReplayHost) -> None:
        if self._patches:
            return
        import psycopg
        from psycopg import connection, connection_async, generators

        require(
            "psycopg",
            [
                (connection, "conninfo_attempts"),
                (connection_async, "conninfo_attempts_async"),
                (psycopg.Connection, "wait"),
                (psycopg.AsyncConnection, "wait"),
                (generators, "connect"),
                (base(psycopg.Connection, "BaseConnection"), "cancel"),
                (connection, "notifies"),
                (connection_async, "notifies"),
            ],
            LOST,
            own=True,
        )
        if self._stub is None or self._stub.host is not host:  # else connections of a replay before this one are there
            self._stub = Stub(host)
        stub = self._stub
        self._patches.put(connection, "conninfo_attempts", stub.attempts)
        self._patches.put(connection_async, "conninfo_attempts_async", _attempts_async(stub))
        for owner in (psycopg.Connection, psycopg.AsyncConnection):
            self._patches.put(owner, "wait", _claiming(stub, vars(owner)["wait"]))
        owner = base(psycopg.Connection, "BaseConnection")
        self._patches.put(owner, "cancel", _cancelling(stub))
        self._patches.put(generators, "connect", refusing(vars(generators)["connect"]))
        for module in (connection, connection_async):
            self._patches.put(module, "notifies", _announcing(stub, vars(module)["notifies"]))
        making.put_in(self._patches)
        refusals.of_psycopg(self._patches, host, LIBRARY)
        refusals.of_sqlalchemy(self._patches, host, LIBRARY)
        self._hide_services()

    def _hide_services(self) -> None:
        # libpq refuses to connect when a service is not defined, and nothing in the parameters can tell it not to look.
        self._variables = {name: os.environ.pop(name) for name in SERVICE_VARIABLES if name in os.environ}

    def uninstall(self) -> None:
        self._patches.undo()
        os.environ.update(self._variables)
        self._variables = {}

    def question(self, exchange: Exchange) -> Question:
        return question_of_connect(exchange) if exchange.type == CONNECT else question_of(exchange)


REPLAYING: Final = PsycopgReplaying()


def _attempts_async(stub: Stub) -> Callable[[Mapping[str, Any]], Any]:
    async def attempts(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        return stub.attempts(parameters)

    return attempts


def _claiming(stub: Stub, original: Callable[..., Any]) -> Callable[..., Any]:
    """Of `wait`, sync or async: every request of psycopg leaves inside it, in the app's context."""

    def wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        stub.claim(self.pgconn)
        return original(self, *args, **kwargs)

    return wait


def _cancelling(stub: Stub) -> Callable[[Any], None]:
    def cancel(self: Any) -> None:
        """Cancel the current operation on the connection."""
        may_cancel = getattr(self, "_should_cancel", None)  # since 3.2
        if may_cancel is None or may_cancel():
            stub.cancel(self.pgconn)

    return cancel


def _announcing(stub: Stub, original: Callable[..., Any]) -> Callable[..., Any]:
    """Of the generator that waits for notifications."""

    def notifies(pgconn: PGconn) -> Generator[Any, Any, Any]:
        stub.await_notifications(pgconn)
        return (yield from original(pgconn))

    return notifies


def _by_database(connections: Sequence[Connection], database: object) -> list[Connection]:
    return sorted(connections, key=lambda connection: connection.parameters.get("database") != database)


def _recorded(connections: Sequence[Connection]) -> dict[str, str]:
    """User and database, where all recorded connections agree on them."""
    found = {"user": agreed(connections, "user"), "dbname": agreed(connections, "database")}
    return {name: value for name, value in found.items() if value}
