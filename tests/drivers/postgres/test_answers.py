from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from tests.drivers.psycopg.replaying import session
from timetracer_otel.cassette.model import Connection, Exchange, Payload, Signature
from timetracer_otel.drivers.asyncpg.answers import AsyncpgAnswers
from timetracer_otel.drivers.base import Asked
from timetracer_otel.drivers.postgres.answers import Claim, SessionAnswers
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.wire.postgres.answers import Answer, Miss, Parameter, Reply, Statement, Synthesise
from timetracer_otel.wire.postgres.transaction import Status, Transaction

IN_APP = Asked(frame="shop/orders.py:31 load_order", span="GET /orders/{id}")
IN_POOL = Asked()


class Stage:
    """One connection, with exchanges recorded in an entry or in the environment."""

    def __init__(
        self,
        *statements: str,
        is_environment: bool = False,
        asked: Asked = IN_APP,
        transaction: int | None = None,
        span_id: str | None = "0e" * 8,
        of_pools: Sequence[str] = (),
    ) -> None:
        self.journal = MemoryJournal()
        recorded = enumerate(statements)
        exchanges = [replace(_exchange(*each), transaction=transaction, span_id=span_id) for each in recorded]
        self._session = session("test", exchanges, self.journal, (), is_environment, of_pools)
        self.answers = SessionAnswers("psycopg", 5, lambda: Claim(self._session, IN_POOL), lambda: ())
        self.answers.claim = Claim(self._session, asked, "shop")

    def ask(self, sql: str, status: Status = "I", failed_by_miss: bool = False, values: Sequence[bytes] = ()) -> Reply:
        statement = Statement(sql, tuple(Parameter(0, 0, value) for value in values))
        return self.answers.answer(statement, Transaction(status, 1, failed_by_miss=failed_by_miss))


def _exchange(number: int, statement: str) -> Exchange:
    return Exchange(
        id=f"test-{number}",
        type="db.query",
        signature=Signature("psycopg", statement.split(maxsplit=1)[0].upper(), "shop"),
        request={"statement": statement},
        result={"results": [{"tag": "SELECT 1"}]},
        at_ns=number,
    )


def test_a_recorded_answer_is_given_once() -> None:
    stage = Stage("select 1")
    reply = stage.ask("select 1")
    assert isinstance(reply, Answer)
    assert reply.result == {"results": [{"tag": "SELECT 1"}]}
    assert isinstance(stage.ask("select 1"), Miss)
    assert isinstance(stage.ask("select 1", values=(b"1",)), Miss)


@pytest.mark.parametrize(("message", "waits"), [("user request", True), ("statement timeout", False)])
def test_what_the_client_gave_up_is_answered_when_it_gives_up_again(message: str, waits: bool) -> None:
    stage = Stage()
    error = {"C": "57014", "M": f"canceling statement due to {message}"}
    given_up = replace(_exchange(0, "select pg_sleep(9)"), result={"error": error}, duration_ns=9_000_000_000)
    stage.answers.claim = Claim(session("test", [given_up], stage.journal), IN_APP, "shop")
    replies: list[Reply] = []
    asking = threading.Thread(target=lambda: replies.append(stage.ask("select pg_sleep(9)")))
    asking.start()
    asking.join(0.3 if waits else 60)
    assert asking.is_alive() is waits
    stage.answers.cancel()
    asking.join(60)
    assert [type(reply) for reply in replies] == [Answer]


def test_what_the_client_gave_up_after_rows_is_held_where_they_end() -> None:
    rows: Payload = {"columns": [], "formats": [], "rows": 5, "values": [], "more": True}
    given_up = replace(
        _exchange(0, "select 1"), result={"results": [rows], "abandoned": True}, duration_ns=9_000_000_000
    )
    stage = Stage()
    stage.answers.claim = Claim(session("test", [given_up], stage.journal), IN_APP, "shop")
    assert isinstance(stage.ask("select 1"), Answer)
    holding = threading.Thread(target=stage.answers.hold)
    holding.start()
    holding.join(0.3)
    assert holding.is_alive()
    stage.answers.cancel()
    holding.join(60)
    assert not holding.is_alive()
    stage.answers.hold()  # of nothing


def test_a_statement_stops_at_parse_in_its_turn_and_no_more_often() -> None:
    """Between two runs of it the server refused to prepare it."""
    run, stopped, again = (_exchange(number, "select a from b where c = $1") for number in range(3))
    stopped = replace(stopped, request={"statement": "select a from b where c = $1", "op": "parse"})
    stage = Stage()
    stage.answers.claim = Claim(session("test", [run, stopped, again], stage.journal), IN_APP, "shop")
    parses = [stage.answers.parse("select a from b where c = $1", Transaction("I", 1))]
    stage.ask("select a from b where c = $1")
    parses += [stage.answers.parse("select a from b where c = $1", Transaction("I", 1)) for _ in range(2)]
    assert [each is not None for each in parses] == [False, True, False]
    assert isinstance(stage.ask("select a from b where c = $1"), Answer)
    assert stage.journal.of("miss") == []


def test_a_driver_that_does_not_prepare_gets_the_same_error() -> None:
    stopped = replace(_exchange(0, "selec"), request={"statement": "selec", "op": "parse"})
    stage = Stage()
    stage.answers.claim = Claim(session("test", [stopped], stage.journal), IN_APP, "shop")
    assert isinstance(stage.ask("selec"), Answer)
    assert isinstance(stage.ask("selec"), Miss)


@pytest.mark.parametrize(
    "sql", ["BEGIN", "begin isolation level serializable", "DEALLOCATE ALL", "DEALLOCATE _pg3_0", ""]
)
def test_what_the_driver_adds_by_itself_is_made_up(sql: str) -> None:
    stage = Stage()
    assert stage.ask(sql) == Synthesise()
    assert stage.journal.of("miss") == []


@pytest.mark.parametrize(
    "sql", ["COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "SET x = 1", "LISTEN a"]
)
def test_what_the_app_decides_is_not_made_up_inside_an_entry(sql: str) -> None:
    stage = Stage()
    assert isinstance(stage.ask(sql, "T"), Miss)
    (miss,) = stage.journal.of("miss")
    assert not miss["consequent"]


@pytest.mark.parametrize("sql", ["ROLLBACK", "SET x = 1", "DISCARD ALL", "UNLISTEN *"])
def test_what_a_pool_does_by_itself_is_made_up(sql: str) -> None:
    assert Stage(asked=IN_POOL).ask(sql, "T") == Synthesise()


def test_a_setting_that_was_recorded_may_be_made_more_often_where_a_pool_makes_connections() -> None:
    stage = Stage("set time zone 'UTC'")
    assert isinstance(stage.ask("set time zone 'UTC'"), Answer)
    assert stage.answers.claim is not None
    working, early = stage.answers.claim, session("environment", [_exchange(0, "select 1")], stage.journal)
    stage.answers.claim = replace(working, is_making=True, early=early)
    assert stage.ask("set time zone 'UTC'") == Synthesise()
    assert isinstance(stage.ask("set time zone 'Asia/Tokyo'"), Miss)
    stage.answers.claim = working
    assert isinstance(stage.ask("set time zone 'UTC'"), Miss)


@pytest.mark.parametrize("sql", ["BEGIN", "COMMIT", "ROLLBACK", "SET x = 1", "LISTEN a", ""])
def test_outside_an_entry_housekeeping_is_made_up(sql: str) -> None:
    assert Stage(is_environment=True).ask(sql, "T") == Synthesise()


def test_a_statement_is_never_made_up() -> None:
    assert isinstance(Stage(is_environment=True).ask("select 1"), Miss)
    assert isinstance(Stage(asked=IN_POOL).ask("begin; select 1"), Miss)


def test_after_a_miss_the_transaction_can_only_be_ended() -> None:
    stage = Stage("select 1", "COMMIT")
    assert isinstance(stage.ask("select 1", "E", failed_by_miss=True), Miss)
    assert stage.ask("ROLLBACK", "E", failed_by_miss=True) == Synthesise()
    (miss,) = stage.journal.of("miss")
    assert miss["consequent"]


def test_in_a_transaction_that_failed_when_recorded_too_the_recorded_answers_go_on() -> None:
    stage = Stage("select 1", "ROLLBACK", transaction=1)
    assert isinstance(stage.ask("select 1", "E"), Answer)
    assert isinstance(stage.ask("ROLLBACK", "E"), Answer)


@pytest.mark.parametrize(("recorded", "status"), [(1, "I"), (None, "T")])
def test_a_statement_that_moved_into_or_out_of_its_transaction_is_another_one(
    recorded: int | None, status: Status
) -> None:
    stage = Stage("insert into t values (1)", transaction=recorded)
    assert isinstance(stage.ask("insert into t values (1)", status), Miss)
    (miss,) = stage.journal.of("miss")
    sides = ["inside", "outside"] if recorded else ["outside", "inside"]
    assert miss["differences"] == [{"path": "transaction", "recorded": sides[0], "asked": sides[1]}]


@pytest.mark.parametrize("status", ["I", "T"])
def test_what_begins_or_ends_a_transaction_stands_on_its_border(status: Status) -> None:
    assert isinstance(Stage("BEGIN", transaction=1).ask("BEGIN", status), Answer)


def test_a_refusal_is_in_the_report_with_its_reason() -> None:
    stage = Stage("select 1")
    assert "no binary form of money" in stage.answers.refused(Statement("select 1"), "no binary form of money")
    (miss,) = stage.journal.of("miss")
    assert miss["note"] == "no binary form of money"
    (gap,) = stage.journal.of("incomplete")
    assert gap["reason"] == "select 1: no binary form of money"


def test_what_a_server_would_refuse_as_well_leaves_nothing_undecided() -> None:
    stage = Stage("select 1")
    stage.answers.refused(Statement("select 1"), "the transaction has failed", is_gap=False)
    assert stage.journal.of("miss")
    assert not stage.journal.of("incomplete")


def test_shapes_are_all_that_was_recorded_of_a_statement_used_or_not() -> None:
    stage = Stage("select  1", "select 1", "select 2")
    stage.ask("select 1")
    assert len(stage.answers.shapes("select 1")) == 2


def test_bytes_that_nobody_claimed_are_answered_outside_of_any_entry() -> None:
    stage = Stage("select 1")
    stage.answers.claim = None
    assert isinstance(stage.ask("select 1"), Answer)
    assert stage.ask("COMMIT", "T") == Synthesise()


def test_the_server_introduces_itself_as_the_recorded_one() -> None:
    known = Connection(1, "psycopg", "postgresql://app@db:5432/shop", {"parameters": {"TimeZone": "Asia/Tokyo"}})
    answers = SessionAnswers(
        "psycopg", 5, lambda: Claim(session("test", (), MemoryJournal()), IN_POOL), lambda: (known,)
    )
    assert answers.startup().parameters == {"TimeZone": "Asia/Tokyo"}
    nothing = SessionAnswers("psycopg", 5, lambda: Claim(session("test", (), MemoryJournal()), IN_POOL), lambda: ())
    assert nothing.startup().parameters == {}


@pytest.mark.parametrize("sql", ["BEGIN", "set time zone 'UTC'", "COMMIT"])
def test_what_sets_a_connection_up_outside_of_all_spans_takes_nothing_of_the_trace(sql: str) -> None:
    stage = Stage(sql, asked=Asked(frame="shop/pools.py:7 configure"))
    assert isinstance(stage.ask(sql, status="T" if sql == "COMMIT" else "I"), Synthesise)
    stage.answers.claim = Claim(stage.answers.claim.source, IN_APP, "shop") if stage.answers.claim else None
    assert isinstance(stage.ask(sql, status="T" if sql == "COMMIT" else "I"), Answer)


def test_of_a_script_that_opens_no_span_a_rollback_is_asked_for() -> None:
    stage = Stage("ROLLBACK", asked=Asked(frame="report.py:7 <module>"), span_id=None)
    assert isinstance(stage.ask("COMMIT", status="T"), Miss)
    assert isinstance(stage.ask("ROLLBACK", status="T"), Answer)


def test_of_a_script_that_opens_no_span_a_pool_may_make_a_connection_more() -> None:
    stage = Stage("COMMIT", span_id=None)
    assert stage.answers.claim is not None
    configuring = Asked(frame="report.py:7 configure")
    stage.answers.claim = Claim(stage.answers.claim.source, configuring, "shop", is_making=True)
    assert isinstance(stage.ask("COMMIT", status="T"), Answer)
    assert isinstance(stage.ask("COMMIT", status="T"), Synthesise)


def test_a_pool_that_makes_a_connection_leaves_the_work_its_transaction() -> None:
    """It had the connection when this was recorded, and asked something all the same, as at each checkout."""
    checkout = "select set_config('app.user', 'u1', false)"
    stage = Stage("BEGIN", checkout, "select 1", "COMMIT", transaction=1, of_pools=("test-0", "test-1"))
    assert stage.answers.claim is not None
    working = stage.answers.claim
    stage.answers.claim = replace(working, is_making=True)
    assert [type(stage.ask(sql, "T")) for sql in ("SET a = 1", "COMMIT")] == [Synthesise, Synthesise]
    stage.answers.claim = working
    assert [type(stage.ask(sql, "T")) for sql in ("BEGIN", checkout, "select 1", "COMMIT")] == [Answer] * 4


@pytest.mark.parametrize("is_ended", [False, True])
def test_the_work_that_goes_on_in_the_transaction_of_a_pool_has_asked_for_its_own(is_ended: bool) -> None:
    stage = Stage("BEGIN", "select 1", transaction=1)
    assert stage.answers.claim is not None
    working = stage.answers.claim
    stage.answers.claim = replace(working, is_making=True)
    stage.ask("BEGIN")
    stage.ask("SET a = 1", "T")
    if is_ended:
        stage.ask("COMMIT", "T")
    stage.answers.claim = working
    stage.ask("select 1", "I" if is_ended else "T")
    taken = [event["exchange"] for event in stage.journal.of("take")]
    assert taken == ([] if is_ended else ["test-0", "test-1"])


def test_a_pool_that_the_request_makes_itself_gets_the_transaction_that_it_asked_in() -> None:
    stage = Stage("BEGIN", "SELECT set_config('app.user', 'u1', false)", "COMMIT", transaction=1)
    assert stage.answers.claim is not None
    stage.answers.claim = replace(stage.answers.claim, is_making=True)
    for sql, status in (("BEGIN", "I"), ("SELECT set_config('app.user', 'u1', false)", "T"), ("COMMIT", "T")):
        stage.ask(sql, cast(Status, status))
    assert {event["exchange"] for event in stage.journal.of("take")} == {"test-0", "test-1", "test-2"}


def test_a_greeting_that_another_engine_had_at_the_start_is_one_all_the_same() -> None:
    """psycopg's asks for a type then, inside a savepoint, which asyncpg's does not."""
    stage = Stage("select 1")
    said = [_exchange(n, sql) for n, sql in enumerate(("BEGIN", "select pg_catalog.version()", "ROLLBACK"))]
    asked = [replace(each, transaction=1) for each in said]
    early = session("environment", asked, stage.journal, is_environment=True)
    assert stage.answers.claim is not None
    working = stage.answers.claim
    stage.answers.claim = replace(working, is_making=True, early=early)
    assert isinstance(stage.ask("BEGIN"), Answer)
    kinds = [type(stage.ask(sql, "T")) for sql in ("select pg_catalog.version()", 'SAVEPOINT "a"', 'RELEASE "a"')]
    assert kinds == [Answer, Synthesise, Synthesise]
    assert isinstance(stage.ask("ROLLBACK", "T"), Answer | Synthesise)
    stage.answers.claim = working
    assert isinstance(stage.ask("ROLLBACK", "T"), Miss)


def test_a_pool_that_makes_a_connection_gets_what_it_asked_when_it_made_the_recorded_one() -> None:
    own, set_up = "SELECT set_config('app.user', 'u1', false)", ("test-1",)
    stage = Stage(own, own, of_pools=set_up)
    assert stage.answers.claim is not None
    stage.answers.claim = replace(stage.answers.claim, is_making=True)
    assert isinstance(stage.ask(own), Answer)
    assert [event["exchange"] for event in stage.journal.of("take")] == ["test-1"]


def test_a_set_in_no_span_but_its_instrumentors_is_made_up_and_one_of_the_request_is_not() -> None:
    own = Asked(frame="shop/pools.py:7 configure", span="set", span_path=("set",))
    assert isinstance(Stage(asked=own).ask("set time zone 'UTC'"), Synthesise)
    inside = Asked(frame="shop/pools.py:7 configure", span="set", span_path=("GET /", "set"))
    assert isinstance(Stage(asked=inside).ask("set time zone 'UTC'"), Miss)


@pytest.mark.parametrize("asked", ["BEGIN;", "BEGIN ISOLATION LEVEL READ COMMITTED;", "BEGIN"])
@pytest.mark.parametrize("recorded", ["BEGIN;", "BEGIN ISOLATION LEVEL READ COMMITTED;"])
def test_a_transaction_of_the_usual_level_is_one_whether_it_names_the_level_or_not(asked: str, recorded: str) -> None:
    stage = Stage("BEGIN ISOLATION LEVEL SERIALIZABLE;", recorded)
    assert isinstance(stage.ask(asked), Answer)
    assert isinstance(stage.ask(asked), Synthesise)
    assert isinstance(stage.ask("BEGIN ISOLATION LEVEL SERIALIZABLE;"), Answer)


def test_what_a_ping_begins_leaves_the_recorded_transaction_to_the_application() -> None:
    stage = Stage("BEGIN;")
    answers = AsyncpgAnswers("asyncpg", 5, lambda: None, lambda: ())  # type: ignore[arg-type,return-value]  # not asked
    assert stage.answers.claim is not None
    for is_ping, kind in ((True, Synthesise), (False, Answer)):
        answers.claim = replace(stage.answers.claim, is_ping=is_ping)
        assert isinstance(answers.answer(Statement("BEGIN;"), Transaction("I", 1)), kind)
