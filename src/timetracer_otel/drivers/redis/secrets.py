"""Which arguments and replies of a command are secret: by the command, by the name of a key, by the name of a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

RuleOf: TypeAlias = Callable[[str], str | None]
PASSWORD: Final = "password"

VALUES_AT: Final[Mapping[bytes, int]] = {
    b"SET": 2,
    b"SETNX": 2,
    b"GETSET": 2,
    b"APPEND": 2,
    b"LPUSH": 2,
    b"RPUSH": 2,
    b"LPUSHX": 2,
    b"RPUSHX": 2,
    b"SADD": 2,
    b"SETEX": 3,
    b"PSETEX": 3,
    b"LSET": 3,
}
"""Where the values of a command begin, of which the first argument is the key."""
ONE_VALUE: Final = frozenset({b"SET", b"SETNX", b"GETSET", b"APPEND", b"SETEX", b"PSETEX", b"LSET"})
PAIRS_AT: Final[Mapping[bytes, int]] = {b"HSET": 2, b"HMSET": 2, b"HSETNX": 2, b"MSET": 1, b"MSETNX": 1, b"XADD": 2}
"""Where names and their values begin, in turn."""
PAIRED: Final = frozenset(
    {b"HGETALL", b"HSCAN", b"HRANDFIELD", b"XRANGE", b"XREVRANGE", b"XREAD", b"XREADGROUP", b"XCLAIM", b"XAUTOCLAIM"}
)
"""Their replies hold flat lists of names and values."""
CONFIG: Final = b"CONFIG"
CONFIGURED: Final = (b"REQUIREPASS", b"MASTERAUTH", b"TLS-KEY-FILE-PASS", b"TLS-CLIENT-KEY-FILE-PASS")
ACL_SIGNS: Final = (b">", b"<", b"#", b"!")
SPOKEN: Final = (CONFIG, b"ACL", b"AUTH", b"HELLO", b"MIGRATE", b"SENTINEL")
"""Commands that may hold a password whatever its name."""


def rule_of_key(key: bytes, rule_of: RuleOf) -> str | None:
    """`password`, `user:42:password`, `token:42`: the first or the last part of a key has the name of a secret."""
    parts = key.decode("utf-8", "replace").split(":")
    return rule_of(parts[-1]) or rule_of(parts[0])


def arguments(command: Sequence[bytes], rule_of: RuleOf) -> dict[int, str]:
    """The rule of each secret argument, by its place."""
    name = command[0].upper() if command else b""
    if name in SPOKEN:
        return _spoken(name, command)
    found: dict[int, str] = {}
    if name in PAIRS_AT:
        found = _pairs(name, command, rule_of)
    elif name in VALUES_AT and len(command) > 2 and (rule := rule_of_key(command[1], rule_of)) is not None:
        first = VALUES_AT[name]
        end = first + 1 if name in ONE_VALUE else len(command)
        found = dict.fromkeys(range(first, min(end, len(command))), rule)
    return found


def _pairs(name: bytes, command: Sequence[bytes], rule_of: RuleOf) -> dict[int, str]:
    start = PAIRS_AT[name]
    if name == b"XADD":
        start = _behind_id(command)
    of_hash = rule_of_key(command[1], rule_of) if start > 1 and len(command) > 1 else None
    found = {}
    for place in range(start, len(command) - 1, 2):
        named = rule_of_key(command[place], rule_of)
        if (rule := named or of_hash) is not None:
            found[place + 1] = rule
    return found


def _behind_id(command: Sequence[bytes]) -> int:
    """Where the fields of XADD begin: behind its options and the entry's id."""
    for place in range(2, len(command)):
        if command[place] == b"*" or command[place].replace(b"-", b"", 1).replace(b"*", b"").isdigit():
            is_option = command[place - 1].upper() in (b"MAXLEN", b"MINID", b"LIMIT", b"~", b"=")
            if not is_option:
                return place + 1
    return len(command)


def _spoken(name: bytes, command: Sequence[bytes]) -> dict[int, str]:
    words = [each.upper() for each in command]
    if name == b"AUTH":
        return dict.fromkeys(range(1, len(command)), PASSWORD)
    if name in (b"HELLO", b"MIGRATE"):
        at = next((place for place, word in enumerate(words) if word in (b"AUTH", b"AUTH2")), len(words))
        width = 1 if name == b"MIGRATE" and words[at : at + 1] == [b"AUTH"] else 2
        return dict.fromkeys(range(at + width, min(at + width + 1, len(command))), PASSWORD)
    if name == b"ACL" and words[1:2] == [b"SETUSER"]:
        return {place: PASSWORD for place, word in enumerate(command) if place > 2 and word[:1] in ACL_SIGNS}
    if name == CONFIG and words[1:2] == [b"SET"]:
        return {place + 1: PASSWORD for place in range(2, len(command) - 1, 2) if words[place] in CONFIGURED}
    if name == b"SENTINEL" and words[1:2] == [b"SET"]:
        return {place + 1: PASSWORD for place in range(3, len(command) - 1) if words[place].endswith(b"-PASS")}
    return {}


def reply(command: Sequence[bytes], rule_of: RuleOf) -> tuple[str | None, list[str | None]]:
    """The rule of a whole reply, and of each of its parts where these answer to one name each."""
    name = command[0].upper() if command else b""
    if name == b"ACL" and len(command) > 1 and command[1].upper() in (b"GETUSER", b"LIST", b"GENPASS"):
        return PASSWORD, []
    if name == b"MGET":
        return None, [rule_of_key(key, rule_of) for key in command[1:]]
    if len(command) < 2 or name in (CONFIG, b"INFO", b"PUBLISH"):
        return None, []
    of_key = rule_of_key(command[1], rule_of)
    if name in (b"HGET", b"HMGET", b"HGETDEL"):
        fields = [of_key or rule_of_key(field, rule_of) for field in command[2:]]
        return (fields[0] if name == b"HGET" and fields else of_key), fields
    return of_key, []
