"""Which arguments and replies of a command are secret: by the command, by the name of a key, by the name of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from timetracer_otel.redaction import rules_of_names

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
    b"PUBLISH": 2,
    b"SPUBLISH": 2,
    b"SREM": 2,
    b"SISMEMBER": 2,
    b"SMISMEMBER": 2,
    b"PFADD": 2,
    b"LPOS": 2,
    b"ZREM": 2,
    b"ZSCORE": 2,
    b"ZMSCORE": 2,
    b"ZRANK": 2,
    b"ZREVRANK": 2,
    b"SETEX": 3,
    b"PSETEX": 3,
    b"LSET": 3,
    b"LREM": 3,
    b"LINSERT": 3,
    b"SETRANGE": 3,
    b"RESTORE": 3,
    b"ZINCRBY": 3,
    b"SMOVE": 3,
    b"DELEX": 3,
    b"JSON.SET": 3,
    b"ZADD": 3,
}
"""Where the values of a command begin, of which the first argument is the key."""
ONE_VALUE: Final = frozenset(
    {
        b"SET",
        b"SETNX",
        b"GETSET",
        b"APPEND",
        b"SETEX",
        b"PSETEX",
        b"LSET",
        b"LPOS",
        b"RESTORE",
        b"JSON.SET",
        b"ZSCORE",
        b"ZRANK",
        b"ZREVRANK",
    }
)
COMPARING: Final = frozenset({b"IFEQ", b"IFNE"})
"""Options of SET with a value behind them."""
SCRIPTED: Final = frozenset({b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO", b"FCALL", b"FCALL_RO"})
"""A script, the number of its keys, these, and what the script makes of them: numbers there are limits and times."""
PAIRS_AT: Final[Mapping[bytes, int]] = {
    b"HSET": 2,
    b"HMSET": 2,
    b"HSETNX": 2,
    b"HSETEX": 2,
    b"MSET": 1,
    b"MSETNX": 1,
    b"MSETEX": 2,
    b"XADD": 2,
}
"""Where names and their values begin, in turn."""
CONFIG: Final = b"CONFIG"
PAIRED: Final = frozenset(
    {b"HGETALL", b"HSCAN", b"HRANDFIELD", b"XRANGE", b"XREVRANGE", b"XREAD", b"XREADGROUP", b"XCLAIM", b"XAUTOCLAIM"}
)
"""Their replies hold flat lists of names and values."""
CONFIGURED: Final = (b"REQUIREPASS", b"MASTERAUTH", b"TLS-KEY-FILE-PASS", b"TLS-CLIENT-KEY-FILE-PASS")
ACL_SIGNS: Final = (b">", b"<", b"#", b"!")
MANY_KEYS: Final = frozenset(
    {b"SUNION", b"SINTER", b"SDIFF", b"ZUNION", b"ZINTER", b"ZDIFF", b"RPOPLPUSH", b"BRPOPLPUSH", b"LMOVE", b"BLMOVE"}
)
"""Their reply may come from any of their keys."""
POPS: Final = frozenset({b"BLPOP", b"BRPOP", b"BZPOPMIN", b"BZPOPMAX", b"LMPOP", b"BLMPOP", b"ZMPOP", b"BZMPOP"})
"""The same, with the name of the key before what comes from it."""
SORTS: Final = frozenset({b"SORT", b"SORT_RO"})
"""Their reply holds for each element what each GET gets."""
SCANS: Final = frozenset({b"HSCAN", b"SSCAN", b"ZSCAN"})
"""Their reply begins with a cursor."""
NO_VALUES: Final = frozenset({CONFIG, b"INFO", b"PUBLISH", b"SPUBLISH", b"XADD", b"INCRBYFLOAT", b"HINCRBYFLOAT"})
"""Whatever their first argument is called, their reply is no value."""
SPOKEN: Final = (CONFIG, b"ACL", b"AUTH", b"HELLO", b"MIGRATE", b"SENTINEL")
"""Commands that may hold a password whatever its name."""


def rule_of_key(key: bytes, rule_of: RuleOf) -> str | None:
    """`password`, `user:42:password`, `user:password:42`, `token:42`: the first part of a key has the name of a secret,
    or the last that is no number."""
    text = key.decode("utf-8", "replace")
    return rule_of(text) or rule_of(text.split(":")[-1]) or rule_of(text.partition(":")[0])


def rules_of_fields(fields: Sequence[bytes], rule_of: RuleOf) -> list[str | None]:
    """Of the fields of one hash; of a name under which the value decides `redaction.counting` says if it masks that."""
    texts = [field.decode("utf-8", "replace") for field in fields]
    beside = rules_of_names(texts)
    return [rule_of_key(field, rule_of) or beside.get(text) for field, text in zip(fields, texts, strict=True)]


def arguments(command: Sequence[bytes], rule_of: RuleOf) -> dict[int, str]:
    """The rule of each secret argument, by its place."""
    name = command[0].upper() if command else b""
    if name in SPOKEN:
        return _spoken(name, command)
    if name in PAIRS_AT:
        return _pairs(name, command, rule_of)
    if name in SCRIPTED:
        end = 3 + _number_of_keys(command)
        rule = rule_of_any(command[3:end], rule_of)
        given = (place for place in range(end, len(command)) if not is_number(command[place]))
        return dict.fromkeys(given, rule) if rule is not None else {}
    if name not in VALUES_AT or len(command) < 3:
        return {}
    rule = rule_of_key(command[1], rule_of) or (rule_of_path(command[2], rule_of) if name == b"JSON.SET" else None)
    return dict.fromkeys(_values(name, command), rule) if rule is not None else {}


def _values(name: bytes, command: Sequence[bytes]) -> Iterator[int]:
    """Places of the values of a command with one key."""
    first, step = VALUES_AT[name], 1
    if name == b"ZADD":  # scores and members, behind options
        first = next((place for place in range(2, len(command)) if is_number(command[place])), len(command)) + 1
        step = 2
    yield from range(first, min(first + 1, len(command)) if name in ONE_VALUE else len(command), step)
    if name == b"SET":
        yield from (place for place in range(4, len(command)) if command[place - 1].upper() in COMPARING)


def _rule_of_pattern(pattern: bytes, rule_of: RuleOf) -> str | None:
    """What SORT gets: `user:*:password`, `user:*->password`."""
    key, arrow, field = pattern.partition(b"->")
    return rule_of_key(key, rule_of) or (rule_of_key(field, rule_of) if arrow else None)


def is_number(word: bytes) -> bool:
    """A score, a limit or a time."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number_of_keys(command: Sequence[bytes]) -> int:
    """Of a script."""
    return int(command[2]) if len(command) > 2 and command[2].isdigit() and len(command[2]) < 7 else 0


def rule_of_any(keys: Iterable[bytes], rule_of: RuleOf) -> str | None:
    """The first rule that one of the keys has."""
    return next((rule for key in keys if (rule := rule_of_key(key, rule_of)) is not None), None)


def rule_of_path(path: bytes, rule_of: RuleOf) -> str | None:
    """Of a JSONPath: `$.user.password`, `$["password"]`."""
    return rule_of(path.decode("utf-8", "replace").replace('"', "").replace("'", ""))


def _pairs(name: bytes, command: Sequence[bytes], rule_of: RuleOf) -> dict[int, str]:
    start = PAIRS_AT[name]
    if name == b"XADD":
        start = _behind_id(command)
    elif name == b"HSETEX":
        start = fields_at(command)
    of_hash = rule_of_key(command[1], rule_of) if start > 1 and len(command) > 1 else None
    places = range(start, len(command) - 1, 2)
    rules = rules_of_fields([command[place] for place in places], rule_of)
    return {place + 1: rule for place, own in zip(places, rules, strict=True) if (rule := own or of_hash) is not None}


def fields_at(command: Sequence[bytes]) -> int:
    """Where the fields begin that stand behind `FIELDS` and their number."""
    return next((at + 2 for at in range(2, len(command)) if command[at].upper() == b"FIELDS"), len(command))


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
    if name == b"SENTINEL" and words[1:2] in ([b"SET"], [b"CONFIG"]):
        return {place + 1: PASSWORD for place in range(3, len(command) - 1) if words[place].endswith(b"-PASS")}
    return {}


def reply(command: Sequence[bytes], rule_of: RuleOf) -> tuple[str | None, list[str | None]]:
    """The rule of a whole reply, and of each of its parts where these answer to one name each."""
    name = command[0].upper() if command else b""
    if name == b"ACL" and len(command) > 1 and command[1].upper() in (b"GETUSER", b"LIST", b"GENPASS"):
        return PASSWORD, []
    if name == b"MGET":
        return None, [rule_of_key(key, rule_of) for key in command[1:]]
    if len(command) < 2 or name in NO_VALUES:
        return None, []
    if name in SORTS:
        gets = [command[at] for at in range(3, len(command)) if command[at - 1].upper() == b"GET"]
        return rule_of_key(command[1], rule_of), [_rule_of_pattern(each, rule_of) for each in gets]
    if name in SCRIPTED:
        return rule_of_any(command[3 : 3 + _number_of_keys(command)], rule_of), []
    if name in MANY_KEYS or name in POPS:
        rule = rule_of_any(command[1:], rule_of)
        return rule, [None] if name in POPS else []
    of_key = rule_of_key(command[1], rule_of)
    if name in SCANS:
        return of_key, [None]
    if name in (b"JSON.GET", b"JSON.MGET"):
        paths = (rule for path in command[2:] if (rule := rule_of_path(path, rule_of)) is not None)
        return of_key or next(paths, None), []
    if name in (b"HGET", b"HMGET", b"HGETDEL", b"HGETEX"):
        first = fields_at(command) if name in (b"HGETDEL", b"HGETEX") else 2
        fields = [of_key or own for own in rules_of_fields(command[first:], rule_of)]
        return (fields[0] if name == b"HGET" and fields else of_key), fields
    return of_key, []
