"""What the taps do: one exchange for each batch that is sent, closed with the last of its replies. `record` guards
each.

What a client says to introduce itself, and its health checks, are quiet: neither sent nor received is kept.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.redis import messages
from timetracer_otel.drivers.redis.names import LIBRARY, protocol
from timetracer_otel.drivers.redis.tracking import KEY, Attempt, Received, Sent, Tracked, tracked_of
from timetracer_otel.wire.redis.commands import commands
from timetracer_otel.wire.redis.topics import CONFIRMED, MONITOR, TRACKING

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Tape

PRIVATE: Final = frozenset({b"AUTH", b"HELLO"})
"""Never recorded: they hold passwords."""
HEARING: Final = frozenset({*CONFIRMED, MONITOR, TRACKING[0], b"PING"})
"""Commands that are looked at, since more than an answer may come of them."""
LEFT, CLOSED = "left", "closed"
NAME_MAX: Final = 64
_BYTES: Final = frozenset({bytes})


def packed(connection: Any, output: object, count: int) -> None:
    """So many commands were made into one batch."""
    tracked_of(connection).packed = (output, count)


def sending(connection: Any, command: Any) -> Attempt | None:
    """A batch is about to leave; what it is tracked by, if it is recorded."""
    tracked: Tracked = vars(connection).get(KEY) or tracked_of(connection)
    if tracked.quiet or tracked.is_foreign:
        return None
    if tracked.current is not None:
        end(tracked, tracked.current)
    known, tracked.packed = tracked.packed, None
    active = tape()
    if active is None or not active.listens():
        return None
    pieces = _pieces(command)
    name = name_of(pieces[0]) if pieces else b""
    if not name or name in PRIVATE:
        return None
    count = known[1] if known is not None and known[0] is command else 0
    if name in HEARING and count < 2:
        return _hearing(tracked, active, name, pieces)
    attempt = _opened(tracked, active, pieces, count or 1, count)
    tracked.current = attempt
    return attempt


def _pieces(command: Any) -> list[bytes]:
    """References to what is sent; copies of what the application may change afterwards."""
    if isinstance(command, bytes):
        return [command]
    if isinstance(command, str):
        return [command.encode()]
    if not isinstance(command, (list, tuple)):
        return []
    if _BYTES.issuperset(map(type, command)):
        return list(command)
    return [
        each if type(each) is bytes else each.encode() if isinstance(each, str) else bytes(each) for each in command
    ]


def name_of(piece: bytes) -> bytes:
    """The name of the first command, in capitals."""
    parts = piece[:NAME_MAX].split(b"\r\n", 3)
    return parts[2].upper() if len(parts) > 2 else b""


def _opened(tracked: Tracked, active: Tape, pieces: list[bytes], expected: int, count: int = 0) -> Attempt | None:
    sent = Sent(pieces, tracked, tracked.protocol, count=count)
    number = tracked.number if tracked.told is active else introduced(tracked, active)
    captured = active.open(LIBRARY, sent, number)
    return None if captured is None else Attempt(captured, expected, sum(map(len, pieces)))


def introduced(tracked: Tracked, active: Tape) -> int:
    """The connection's number, of which the tape has heard."""
    if tracked.told is not active:
        tracked.told = active
        active.connected(tracked.number, LIBRARY, tracked.target, {"protocol": tracked.protocol})
    return tracked.number


def _hearing(tracked: Tracked, active: Tape, name: bytes, pieces: list[bytes]) -> Attempt | None:
    """A command after which the server may send by itself."""
    if name == b"PING" and tracked.is_listening:
        tracked.messages.pings += 1  # of the client itself, between messages
        return None
    ((_, *arguments),) = commands(b"".join(pieces))
    confirmations = tracked.topics.send(name, arguments)
    attempt = _opened(tracked, active, pieces, confirmations or 1)
    tracked.is_listening = tracked.is_listening or bool(tracked.topics) or bool(confirmations)
    if confirmations and attempt is not None:
        attempt.kind = name.lower()
        tracked.pending.append(attempt)
        return None
    if not confirmations:
        tracked.current = attempt
    return attempt


def sent(tracked: Tracked, attempt: Attempt | None) -> None:
    """A batch has left; what a connect on the way has sent is over."""
    if attempt is not None and not attempt.is_ended:
        tracked.current = attempt


def unsent(connection: Any, attempt: Attempt | None, error: BaseException) -> None:
    """A batch could not be sent."""
    if attempt is not None and not attempt.is_ended:
        end(tracked_of(connection), attempt, Received(attempt.chunks, _kind(error), error))


def answered(connection: Any, error: BaseException | None = None) -> None:
    """The client has read a reply, or given up waiting for one."""
    tracked: Tracked | None = vars(connection).get(KEY)
    if tracked is None or tracked.quiet:
        return
    attempt = tracked.current
    if attempt is None:
        if tracked.is_listening:
            _listened(tracked, error)
        return
    if error is not None and not _is_reply(error):
        end(tracked, attempt, Received(attempt.chunks, _kind(error)))
        return
    attempt.replies += 1
    if attempt.replies >= attempt.expected:
        end(tracked, attempt, Received(attempt.chunks))


def looked(connection: Any, error: BaseException) -> None:
    """A listener could not see whether something has come."""
    tracked: Tracked | None = vars(connection).get(KEY)
    if tracked is not None and tracked.is_listening and not tracked.quiet and tracked.current is None:
        _listened(tracked, error)


def _listened(tracked: Tracked, error: BaseException | None) -> None:
    messages.read(tracked)
    if error is not None and not tracked.pending and _is_break(error):
        messages.broke(tracked)


def _is_break(error: BaseException) -> bool:
    from redis.exceptions import ConnectionError as RedisConnectionError

    return isinstance(error, (RedisConnectionError, OSError)) and _kind(error) == CLOSED


def _is_reply(error: BaseException) -> bool:
    from redis.exceptions import ResponseError

    return isinstance(error, ResponseError)


def _kind(error: BaseException) -> str:
    from redis.exceptions import TimeoutError as RedisTimeout

    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "timeout" if isinstance(error, (RedisTimeout, TimeoutError)) else CLOSED


def end(tracked: Tracked, attempt: Attempt, received: Received | None = None) -> None:
    """An answer has ended; `received` is None where nobody has waited for the end."""
    attempt.is_ended = True
    if tracked.current is attempt:
        tracked.current = None
    active = tape()
    if active is None:
        return
    size = attempt.size + attempt.heard
    if received is None:
        active.close(attempt.captured, Received(attempt.chunks), size, complete=False)
    else:
        active.close(attempt.captured, received, size)


def disconnected(connection: Any) -> None:
    """The client closes its socket: nobody waits any more for what is open. Where it does so for an error, whoever
    hears of that error says how the answer ended."""
    tracked: Tracked | None = vars(connection).get(KEY)
    if tracked is None or tracked.quiet:
        return
    error = sys.exc_info()[1]
    if error is None:
        messages.read(tracked, is_over=True)
    if error is None or not _is_clients(error):
        _leave(tracked, LEFT)
        tracked.is_listening = False  # a reader in another thread, which finds it closed now, meets no broken server
    else:
        _leave(tracked, _kind(error))
    if error is None and tracked.current is not None and not tracked.current.is_ended:
        end(tracked, tracked.current)


def _leave(tracked: Tracked, lost: str) -> None:
    """Who unsubscribes and closes hears no confirmation, and nothing is missing there. The application may do so while
    it handles an error of its own."""
    for attempt in tracked.pending:
        if not attempt.is_ended:
            end(tracked, attempt, Received(attempt.chunks, lost))
    tracked.pending.clear()


def _is_clients(error: BaseException) -> bool:
    from redis.exceptions import RedisError

    return isinstance(error, (RedisError, OSError, asyncio.TimeoutError))


# ---- quiet -----------------------------------------------------------------------------------------------------------


def hush(connection: Any, is_new: bool) -> Attempt | None:
    """What comes until `resume` is the client's own; with `is_new` its socket is a new one."""
    tracked = tracked_of(connection)
    current = tracked.current
    if is_new and not tracked.quiet:
        tracked.protocol = protocol(connection)
        tracked.renew()
    tracked.quiet += 1
    return current


def resume(connection: Any, current: Attempt | None) -> None:
    """As it was before `hush`."""
    tracked = tracked_of(connection)
    tracked.quiet -= 1
    if current is not None and not current.is_ended:
        tracked.current = current
