"""What the tape learns of a connection: what its server said of itself, and what types its database has."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from timetracer_otel.capture.table import Tape, tape
from timetracer_otel.drivers.asyncpg import catalogue
from timetracer_otel.drivers.asyncpg.tracking import LIBRARY, Operation, Tracked
from timetracer_otel.drivers.postgres.greetings import remember, remembered
from timetracer_otel.wire.postgres.responses import may_end, statuses


def tracked(address: Any, parameters: Any) -> Tracked:
    """Of a connection that is about to be made. `parameters` are asyncpg's `_ConnectionParameters`."""
    user, database = str(parameters.user), str(parameters.database)
    host, port = (address, "") if isinstance(address, str) else (str(address[0]), f":{address[1]}")
    place = f"[{host}]" if ":" in host and not host.startswith("/") else quote(host, safe="")
    return Tracked(f"postgresql://{quote(user, safe='')}@{place}{port}/{quote(database, safe='')}", database, user)


def listening(known: Tracked) -> Tape | None:
    """The tape, which has heard of this connection then; None where nobody records."""
    active = tape()
    if active is None or not active.listens():
        return None
    if known.tape is not active:
        known.tape = active
        introduce(known, active)
    return active


def introduce(known: Tracked, active: Tape) -> None:
    _note_reported(known)
    active.connected(
        known.number,
        LIBRARY,
        known.target,
        {
            "parameters": dict(known.settings),
            "database": known.database,
            "user": known.user,
            **({"types": list(known.types.values())} if known.types else {}),
            **({"type_names": dict(known.names)} if known.names else {}),
            **remembered(known.target),
        },
    )


def shakes_hands(known: Tracked, data: bytes) -> None:
    """The server says what it says to begin with, until it is ready. The rest of that, such as SCRAM's, is
    forgotten."""
    if known.handshake is not None:
        known.handshake.append(data)
        if may_end(known.handshake):
            said, known.handshake = b"".join(known.handshake), None
            known.settings = statuses(said)


def _note_reported(known: Tracked) -> None:
    """Once: what the server has reported of the same settings since, while nobody recorded."""
    reported, known.reported = known.reported, None
    if reported is not None:
        known.settings = {name: getattr(reported, name, value) for name, value in known.settings.items()}


def learn(known: Tracked, operation: Operation) -> None:
    """asyncpg has asked about types."""
    learnt = catalogue.learnt(operation)
    if learnt is None:
        return
    known.types.update(learnt.types)
    known.names.update(learnt.names)
    _tell(known)


def greeted(known: Tracked, operation: Operation) -> None:
    """The server has answered what an engine asks when it connects for the first time."""
    from timetracer_otel.drivers.asyncpg.codec import result_of

    name, result = operation.prepared.greeting, result_of(operation)
    if name is None or "error" in result or not remember(known.target, name, result):
        return
    _tell(known)


def _tell(known: Tracked) -> None:
    """The tape hears of it also where this is all that was asked so far, as by a pool that registers types in `init`:
    a request that leaves the pool alone needs it as well, for the pool is made again before it."""
    active = tape()
    if active is not None and (known.tape is active or active.listens()):
        known.tape = active
        introduce(known, active)
