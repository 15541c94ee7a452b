"""The transaction of one connection: idle, open or failed, its savepoints, and how commands and errors move it.

Source: PostgreSQL protocol 3.0, "ReadyForQuery"; SQL Commands BEGIN, COMMIT, ROLLBACK, SAVEPOINT, PREPARE TRANSACTION.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Literal, TypeAlias

from timetracer_otel.wire.postgres.tokens import Token

Status: TypeAlias = Literal["I", "T", "E"]
"""As in ReadyForQuery: idle, in a transaction, in a failed transaction."""


class Move(Enum):
    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    """Also END, and PREPARE TRANSACTION, which leaves the session without a transaction as well."""
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK TO"


END_A_FAILED_ONE: Final = (Move.COMMIT, Move.ROLLBACK, Move.ROLLBACK_TO)
"""All that a server runs in a failed transaction."""


@dataclass(frozen=True, slots=True)
class Command:
    """One statement that moves the transaction."""

    move: Move
    savepoint: str = ""
    is_chained: bool = False
    """AND CHAIN: the next transaction begins at once."""

    @property
    def ends(self) -> bool:
        """True if no transaction is open after it, unless the next one is chained."""
        return self.move in (Move.COMMIT, Move.ROLLBACK)


@dataclass(frozen=True, slots=True)
class Transaction:
    """State between two statements. `number` counts the transactions of the connection, 0 before the first."""

    status: Status = "I"
    number: int = 0
    savepoints: tuple[str, ...] = ()
    failed_by_miss: bool = False
    """The transaction failed because replay had no answer, not because the recorded server said so."""

    def completed(self, command: Command | None) -> Transaction:
        """The state after a statement that the server completed."""
        if command is None:
            return self
        if command.ends:
            return replace(self, status="I", savepoints=(), failed_by_miss=False)._begun(command.is_chained)
        if command.move is Move.BEGIN:
            return self._begun(self.status == "I")
        return self._at_savepoint(command)

    def failed(self, command: Command | None, by_miss: bool = False) -> Transaction:
        """The state after an error. A COMMIT that fails ends the transaction; outside of one nothing changes."""
        if self.status == "I":
            return self
        if command is not None and command.move is Move.COMMIT and self.status == "T":
            return replace(self, status="I", savepoints=())
        return replace(self, status="E", failed_by_miss=self.failed_by_miss or by_miss)

    def _begun(self, is_new: bool) -> Transaction:
        return replace(self, status="T", number=self.number + 1) if is_new else self

    def _at_savepoint(self, command: Command) -> Transaction:
        if command.move is Move.SAVEPOINT:
            return replace(self, savepoints=(*self.savepoints, command.savepoint))
        kept = self._before(command.savepoint)
        if command.move is Move.RELEASE:
            return replace(self, savepoints=kept)
        return replace(self, status="T", failed_by_miss=False, savepoints=(*kept, command.savepoint))

    def _before(self, savepoint: str) -> tuple[str, ...]:
        """Those set before the newest `savepoint`; all, if there is no such one."""
        for at in reversed(range(len(self.savepoints))):
            if self.savepoints[at] == savepoint:
                return self.savepoints[:at]
        return self.savepoints


_VERBS: Final = {
    "BEGIN": Move.BEGIN,
    "START": Move.BEGIN,
    "COMMIT": Move.COMMIT,
    "END": Move.COMMIT,
    "PREPARE": Move.COMMIT,
    "ROLLBACK": Move.ROLLBACK,
    "ABORT": Move.ROLLBACK,
    "SAVEPOINT": Move.SAVEPOINT,
    "RELEASE": Move.RELEASE,
}


def command(statement: Sequence[Token]) -> Command | None:
    """How a statement (its tokens without space) moves the transaction; None if it does not."""
    move = _VERBS.get(statement[0].upper) if statement else None
    if move is None:  # nearly always
        return None
    words = [token.upper for token in statement]
    second = words[1] if len(words) > 1 else ""
    if second == "PREPARED" or (words[0] in ("START", "PREPARE") and second != "TRANSACTION"):
        return None
    if move is Move.ROLLBACK and "TO" in words:
        move = Move.ROLLBACK_TO
    if move in (Move.SAVEPOINT, Move.RELEASE, Move.ROLLBACK_TO):
        return Command(move, savepoint=statement[-1].identifier or "")
    return Command(move, is_chained=words[-2:] == ["AND", "CHAIN"])
