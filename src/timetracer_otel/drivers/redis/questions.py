"""Batches of commands in canonical form: what is recorded and what is asked in replay become the same `Question`.

Every argument is a slot, its key its bytes: the server tells apart whatever differs. The name of a command counts in
any case. The order inside a batch is part of it, so that a transaction is one question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers import pickles
from timetracer_otel.drivers.base import TEXT_MAX, Question, Slot
from timetracer_otel.drivers.redis.forms import COMMANDS, commands_of
from timetracer_otel.drivers.redis.messages import MESSAGE
from timetracer_otel.drivers.redis.names import LIBRARY
from timetracer_otel.drivers.redis.servers import label
from timetracer_otel.redaction import text_in
from timetracer_otel.wire.redis.readable import text

CONNECTS: Final = ("connect", "greet")
SEVERAL: Final = ("ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE")
MORE: Final = ("OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO")
CONTAINERS: Final = frozenset({*SEVERAL, *MORE})
"""Their first argument says what they do."""
KEYLESS: Final = CONTAINERS | {"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "MULTI", "SCAN", "INFO", "ECHO"}
"""Their first argument is no key."""
SECOND_NS, MILLISECOND_NS = 1_000_000_000, 1_000_000
INSTANTS: Final = {b"EXPIREAT": SECOND_NS, b"PEXPIREAT": MILLISECOND_NS}
"""Commands whose second argument is a point in time, in these units."""
OPTIONS: Final = {b"EXAT": SECOND_NS, b"PXAT": MILLISECOND_NS}
"""Options with one behind them, of these commands."""
TIMED: Final = frozenset({b"SET", b"GETEX", b"HSETEX", b"HGETEX"})
PREFIX_MAX: Final = 40


def question(batch: Sequence[Sequence[bytes]], database: str, op: str = "") -> Question:
    """`database` is the label of a server's (`servers`). `op` is `message` for what the server sends by itself: then
    `batch` says what is listened to."""
    names = tuple(command[0].upper() for command in batch if command)
    return Question(
        lib=LIBRARY,
        method=method_of(batch, op),
        url=subject(batch),
        shape=(op, names),
        text=_text(names, op),
        slots=tuple(slot for number, command in enumerate(batch) for slot in _slots(number, command)),
        database=database,
    )


def connect_question(op: str, database: int) -> Question:
    """A connect that may have failed: known by its place among the commands, not by the host, which is another one in
    a cluster after each failover."""
    return Question(LIBRARY, op.upper(), "", ("net", op, database), op)


def question_of(exchange: Exchange) -> Question:
    """Of a recorded request. Raises DamagedCassette."""
    request = exchange.request
    op, database = str(request.get("op", "")), _number(request, "database")
    if op in CONNECTS:
        return connect_question(op, database)
    batch = commands_of(request) if COMMANDS in request else []
    return question(batch, label(str(request.get("server", "")), database), op if op == MESSAGE else "")


def _number(request: Payload, name: str) -> int:
    found = request.get(name)
    return found if isinstance(found, int) else 0


def method_of(batch: Sequence[Sequence[bytes]], op: str = "") -> str:
    """The command, `CONFIG GET`; of a batch, of which the first two commands say it, `MULTI` or `PIPELINE`."""
    if op:
        return op.upper()
    if len(batch) != 1 or not batch[0]:
        return "MULTI" if batch and batch[0] and batch[0][0].upper() == b"MULTI" else "PIPELINE"
    name, *arguments = batch[0]
    word = name.decode("utf-8", "replace").upper()
    if word in CONTAINERS and arguments:
        return f"{word} {arguments[0].decode('utf-8', 'replace').upper()}"
    return word


def subject(batch: Iterable[Sequence[bytes]]) -> str:
    """What the first key begins with: `order` of `order:42`. Empty where it has no such part, since a key may be a
    secret as a whole."""
    for command in batch:
        if len(command) > 1 and command[0].decode("utf-8", "replace").upper() not in KEYLESS:
            head, colon, _ = command[1].partition(b":")
            is_word = (
                bool(colon) and head.isascii() and head.replace(b"-", b"_").replace(b".", b"_").decode().isidentifier()
            )
            return head.decode() if is_word and len(head) <= PREFIX_MAX else ""
    return ""


def _text(names: Sequence[bytes], op: str) -> str:
    said = "; ".join(name.decode("utf-8", "replace") for name in names)
    return f"{op} of {said}" if op else said


def _slots(number: int, command: Sequence[bytes]) -> Iterator[Slot]:
    instants = _instants(command)
    for place, argument in enumerate(command[1:], 1):
        found = text(argument)
        yield Slot(
            path=f"{COMMANDS}[{number}][{place}]",
            key=argument,
            shown=found,
            text=_readable(argument, found) if len(argument) <= TEXT_MAX else None,
            instant_ns=instants.get(place),
        )


def _readable(argument: bytes, found: str | bytes) -> str | None:
    """Where ids, instants and markers are found: caches put a head of text before bytes."""
    if isinstance(found, str):
        return found
    readable = text_in(argument, TEXT_MAX) or pickles.text_in(argument)
    return argument.decode("latin-1") if readable is None else readable


def _instants(command: Sequence[bytes]) -> dict[int, int]:
    """Points in time among the arguments, by their place."""
    name = command[0].upper() if command else b""
    if name in INSTANTS and len(command) > 2 and command[2].isdigit():
        return {2: int(command[2]) * INSTANTS[name]}
    if name not in TIMED:
        return {}
    pairs = zip(range(2, len(command) - 1), command[2:], command[3:], strict=False)
    return {
        place + 1: int(value) * OPTIONS[option.upper()]
        for place, option, value in pairs
        if option.upper() in OPTIONS and value.isdigit() and len(value) < 20
    }
