"""What one connection remembers between statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from timetracer_otel.wire.postgres.messages import (
    Notification,
    notification_response,
    parameter_status,
    ready_for_query,
)
from timetracer_otel.wire.postgres.settings import SessionSettings
from timetracer_otel.wire.postgres.tokens import Token
from timetracer_otel.wire.postgres.transaction import Transaction, command


class ConnectionState:
    """Transaction and reported settings, moved by what the statements did."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.transaction = Transaction()
        self.settings = SessionSettings(settings)
        self._notifications: list[Notification] = []
        self._reported: dict[str, str] = {}

    def completed(self, statement: Sequence[Token]) -> None:
        """A statement, as its tokens without space, was carried out."""
        before, move = self.transaction, command(statement)
        self.transaction = before.completed(move)
        if move is not None:
            self.settings.moved(move, before, self.transaction)
        else:
            self.settings.run(statement)

    def failed(self, statement: Sequence[Token], by_miss: bool) -> None:
        """A statement failed: for the recorded server, or because replay could not answer."""
        before, move = self.transaction, command(statement)
        self.transaction = before.failed(move, by_miss)
        if before.status == "T":
            self.settings.aborted(is_ended=self.transaction.status == "I")

    def notified(self, notifications: Sequence[Notification]) -> None:
        """These came with an answer; the server tells of them when it is ready again."""
        self._notifications += notifications

    def reported(self, settings: Mapping[str, str]) -> None:
        """The recorded server reported these with its answer."""
        self._reported.update(settings)

    def ready(self) -> bytes:
        """Changed settings and notifications, then ReadyForQuery."""
        self.settings.report(self._reported)
        self._reported.clear()
        changed = self.settings.unreported()
        statuses = b"".join(parameter_status(*item) for item in changed.items())
        told, self._notifications = b"".join(map(told_of, self._notifications)), []
        return statuses + told + ready_for_query(self.transaction.status)


def told_of(notification: Notification) -> bytes:
    return notification_response(notification.pid, notification.channel, notification.payload)
