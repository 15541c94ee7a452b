"""What the server reports of a session's settings (ParameterStatus): at start-up, and when SET or RESET changes one.

Drivers read them: psycopg makes datetimes in `TimeZone`. Source: protocol 3.0, "Asynchronous Operations".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from timetracer_otel.wire.postgres.conversion import Style
from timetracer_otel.wire.postgres.tokens import Kind, Token
from timetracer_otel.wire.postgres.transaction import Command, Move, Transaction

DEFAULTS: Final[Mapping[str, str]] = {
    "application_name": "",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "default_transaction_read_only": "off",
    "in_hot_standby": "off",
    "integer_datetimes": "on",
    "IntervalStyle": "postgres",
    "is_superuser": "off",
    "scram_iterations": "4096",
    "server_encoding": "UTF8",
    "server_version": "15.0",
    "session_authorization": "",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
}
"""Of a server of which nothing was recorded."""

SHAPING: Final = ("TimeZone", "DateStyle", "IntervalStyle", "client_encoding")
"""What values look like to a client depends on these. A function may change them (`set_config`): what the server
reported of them is recorded with its answer."""

_STYLES: Final = {"ISO": "ISO", "SQL": "SQL", "POSTGRES": "Postgres", "GERMAN": "German"}
_SWITCH: Final = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}
_OPTION: Final = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|\S)*)")


def handshake(recorded: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """What the server says at start-up: what was recorded; the rest, and the application's name, as the client asks."""
    session = SessionSettings({**DEFAULTS, "session_authorization": asked.get("user", ""), **recorded})
    fixed = {name.lower() for name in recorded} - {"application_name"}
    for name, value in _asked(asked):
        if name.lower() not in fixed:
            session.change(name, value)
    return session.values


def _asked(startup: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in startup.items():
        if name == "options":
            yield from ((option.replace("-", "_"), text.replace("\\", "")) for option, text in _OPTION.findall(value))
        else:
            yield name, value


_VERBS: Final = frozenset({"SET", "RESET", "DISCARD"})


class SessionSettings:
    """Those settings that are reported; `values` as they are now."""

    def __init__(self, initial: Mapping[str, str]) -> None:
        self._initial = dict(initial)
        self._names = {name.lower(): name for name in initial}
        self.values = dict(initial)
        self._committed = dict(initial)
        self._levels: list[tuple[dict[str, str], dict[str, str]]] = []  # at BEGIN and at each savepoint
        self._reported = dict(initial)

    @property
    def style(self) -> Style:
        """How the server writes values in this session."""
        return Style.of(self.values)

    def unreported(self) -> dict[str, str]:
        """What changed since the last call."""
        changed = {name: value for name, value in self.values.items() if self._reported[name] != value}
        self._reported = dict(self.values)
        return changed

    def change(self, name: str, value: str | None, is_local: bool = False) -> None:
        """SET `name` TO `value`; None is DEFAULT. A setting that is not reported is passed over."""
        known = self._names.get(name.lower())
        if known is None or (is_local and not self._levels):  # outside of a transaction SET LOCAL does nothing
            return
        self.values[known] = self._initial[known] if value is None else _spelled(known, value, self.values[known])
        if not is_local:
            self._committed[known] = self.values[known]

    def report(self, settings: Mapping[str, str]) -> None:
        """What the recorded server reported, where that is not what the statements say by themselves."""
        for name, value in settings.items():
            known = self._names.get(name.lower())
            if known is not None and self.values[known] != value:
                self.values[known] = self._committed[known] = value

    def run(self, statement: Sequence[Token]) -> None:
        """What a completed SET, RESET or DISCARD ALL changes."""
        if not statement or statement[0].upper not in _VERBS:  # nearly always
            return
        words = [token.upper for token in statement]
        if words in (["RESET", "ALL"], ["DISCARD", "ALL"]):
            for name in self._initial:
                self.change(name, None)
        elif words[:1] == ["RESET"] and len(words) >= 2:
            self.change("TimeZone" if words[1:] == ["TIME", "ZONE"] else words[1], None)
        elif words[:1] == ["SET"]:
            scope = words[1] if words[1:2] in (["LOCAL"], ["SESSION"]) else ""
            self._set(statement[2 if scope else 1 :], scope == "LOCAL")

    def moved(self, command: Command, before: Transaction, after: Transaction) -> None:
        """After a command that moved the transaction: what SET did in it is kept, ends (SET LOCAL) or is taken back."""
        if command.ends and before.status != "I":
            self._end(is_kept=command.move is Move.COMMIT and before.status == "T")
        if command.move is Move.ROLLBACK_TO:
            self._restore(len(after.savepoints))
        if after.status == "I":
            self._levels.clear()
            return
        del self._levels[1 + len(after.savepoints) :]
        while len(self._levels) < 1 + len(after.savepoints):
            self._levels.append((dict(self._committed), dict(self.values)))

    def aborted(self, is_ended: bool) -> None:
        """After an error in a transaction: back to the newest savepoint; to before the transaction if it has ended."""
        if is_ended:
            self._end(is_kept=False)
        elif self._levels:
            self._restore(len(self._levels) - 1)

    def _end(self, is_kept: bool) -> None:
        if not is_kept and self._levels:
            self._restore(0)
        self.values = dict(self._committed)
        self._levels.clear()

    def _restore(self, level: int) -> None:
        self._committed, self.values = (dict(kept) for kept in self._levels[level])

    def _set(self, assignment: Sequence[Token], is_local: bool) -> None:
        words = [token.upper for token in assignment]
        if words[:2] == ["TIME", "ZONE"]:
            name, value = "TimeZone", assignment[2:]
        elif words[:1] == ["NAMES"]:
            name, value = "client_encoding", assignment[1:]
        elif len(words) >= 3 and words[1] in ("TO", "="):
            name, value = assignment[0].identifier or "", assignment[2:]
        else:
            return
        texts = [_text(token) for token in value if token.text != ","]
        is_default = [token.upper for token in value] in (["DEFAULT"], ["LOCAL"])
        self.change(name, None if is_default else ", ".join(texts), is_local)


def _text(token: Token) -> str:
    if token.kind is Kind.STRING:
        return token.text[token.text.find("'") + 1 :].removesuffix("'").replace("''", "'")
    return token.text.strip('"')


def _spelled(name: str, value: str, now: str) -> str:
    """As the server reports it, however the client wrote it."""
    if name == "client_encoding":
        plain = value.upper().replace("-", "").replace("_", "")
        return "UTF8" if plain in ("UTF8", "UNICODE") else value.upper()
    if name == "DateStyle":
        return _date_style(value, now)
    if name == "TimeZone":
        return "UTC" if value.upper() == "UTC" else value
    if name == "IntervalStyle" or DEFAULTS.get(name) in ("on", "off"):
        return _SWITCH.get(value.lower(), value.lower())
    return value


def _date_style(value: str, now: str) -> str:
    words = [word.strip().upper() for word in value.split(",")]
    style, order = (part.strip() for part in (now if "," in now else f"{now}, MDY").split(","))
    for word in words:
        style = _STYLES.get(word, style)
        order = word if word in ("MDY", "DMY", "YMD") else "DMY" if words == ["GERMAN"] else order
    return f"{style}, {order}"
