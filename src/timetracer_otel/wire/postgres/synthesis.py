"""Answers that follow from the protocol and the state of the connection alone: transactions, SET, LISTEN, DISCARD ...

Source: "CommandComplete" in protocol 3.0; src/backend/access/transam/xact.c for the errors and warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from timetracer_otel.wire.postgres.messages import problem
from timetracer_otel.wire.postgres.statements import parts
from timetracer_otel.wire.postgres.tokens import Token
from timetracer_otel.wire.postgres.transaction import END_A_FAILED_ONE, Command, Move, Transaction, command

_PLAIN: Final = frozenset({"SET", "RESET", "LISTEN", "UNLISTEN"})
_ABORTED: Final = "current transaction is aborted, commands ignored until end of transaction block"


@dataclass(frozen=True, slots=True)
class Synthesis:
    """`tags` of the statements that completed; then perhaps an error."""

    tags: tuple[str, ...]
    error: Mapping[str, str] | None = None
    notices: Sequence[Mapping[str, str]] = field(default=())


def is_housekeeping(sql: str) -> bool:
    """True if every statement in `sql` can be answered from the state of the connection; an empty query can."""
    return all(_tag(statement) for statement in parts(sql))


def synthesise(sql: str, transaction: Transaction) -> Synthesis:
    """The answer of a server in the state `transaction` to a `sql` that `is_housekeeping`."""
    tags: list[str] = []
    notices: list[Mapping[str, str]] = []
    for statement in parts(sql):
        move = command(statement)
        if error := _error(move, transaction):
            return Synthesis(tuple(tags), error, notices)
        notices += _warnings(statement, move, transaction)
        is_failed_commit = move is not None and move.move is Move.COMMIT and transaction.status == "E"
        tags.append("ROLLBACK" if is_failed_commit else _tag(statement))
        transaction = transaction.completed(move)
    return Synthesis(tuple(tags) or ("",), None, notices)


def _tag(statement: Sequence[Token]) -> str:
    """The command tag; empty for a statement whose answer does not follow from the protocol."""
    words = [token.upper for token in statement]
    verb, second = words[0], words[1] if len(words) > 1 else ""
    if (move := command(statement)) is not None:
        return _transaction_tag(move, verb, second)
    if verb in ("DEALLOCATE", "CLOSE"):
        tag = "CLOSE CURSOR" if verb == "CLOSE" else verb
        return f"{tag} ALL" if words[-1] == "ALL" else tag
    if verb == "DISCARD":
        return f"DISCARD {'TEMP' if second == 'TEMPORARY' else second}"
    if verb == "SET" and second == "CONSTRAINTS":
        return "SET CONSTRAINTS"
    return verb if verb in _PLAIN else ""


def _transaction_tag(move: Command, verb: str, second: str) -> str:
    if verb in ("START", "PREPARE"):
        return f"{verb} {second}"
    return "ROLLBACK" if move.move is Move.ROLLBACK_TO else move.move.value


def _error(move: Command | None, transaction: Transaction) -> dict[str, str] | None:
    if move is not None and transaction.status == "I" and (where := _only_in_transaction(move)):
        return problem("25P01", f"{where} can only be used in transaction blocks")
    if transaction.status == "E" and (move is None or move.move not in END_A_FAILED_ONE):
        return problem("25P02", _ABORTED)
    if move is None or move.move not in (Move.RELEASE, Move.ROLLBACK_TO) or move.savepoint in transaction.savepoints:
        return None
    return problem("3B001", f'savepoint "{move.savepoint}" does not exist')


def _only_in_transaction(move: Command) -> str:
    """How the server calls a command that needs a transaction; empty for others."""
    if move.is_chained:
        return f"{move.move.value} AND CHAIN"
    return {
        Move.SAVEPOINT: "SAVEPOINT",
        Move.RELEASE: "RELEASE SAVEPOINT",
        Move.ROLLBACK_TO: "ROLLBACK TO SAVEPOINT",
    }.get(move.move, "")


def _warnings(statement: Sequence[Token], move: Command | None, transaction: Transaction) -> list[Mapping[str, str]]:
    words = [token.upper for token in statement[:2]]
    if words in (["SET", "LOCAL"], ["SET", "CONSTRAINTS"]) and transaction.status == "I":
        return [problem("25P01", f"{' '.join(words)} can only be used in transaction blocks", "WARNING")]
    if move is not None and move.move is Move.BEGIN and transaction.status != "I":
        return [problem("25001", "there is already a transaction in progress", "WARNING")]
    if move is not None and move.ends and transaction.status == "I":
        return [problem("25P01", "there is no transaction in progress", "WARNING")]
    return []
