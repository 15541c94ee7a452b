"""Recorded requests of any driver, opened into a tree of values, with exactly one thing of it changed."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import bson

from timetracer_otel.cassette import Exchange
from timetracer_otel.drivers.pymongo.forms import command_of
from timetracer_otel.drivers.redis.forms import commands_of
from timetracer_otel.wire.redis.commands import pack

Tree = Any
"""Any: of mappings, lists and leaves, as the library that asked would build it."""
Place = tuple["str | int", ...]
SQL: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\s+|\w+|.", re.DOTALL)


OIDS: Final = (16, 17, 20, 21, 23, 25, 114, 700, 701, 1009, 1043, 1082, 1114, 1184, 1700, 2950, 3802)
"""Without 0: what the client leaves open, the statement says."""


class Oid(int):
    """Type of a parameter, as PostgreSQL numbers it."""


class Coded(int):
    """0: a parameter is text; 1: it is binary."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the request of a driver becomes a tree, and a tree a request again."""

    opened: Callable[[Mapping[str, Any]], Tree]
    closed: Callable[[Tree], Mapping[str, Any]]


# ---- trees -----------------------------------------------------------------------------------------------------------


def _sql_tree(request: Mapping[str, Any]) -> Tree:
    rest = {name: value for name, value in request.items() if not name.startswith("parameter")}
    values = [each.encode() if isinstance(each, str) else each for each in request.get("parameters", ())]
    oids, formats = map(Oid, request.get("parameter_types", ())), map(Coded, request.get("parameter_formats", ()))
    bound = [list(each) for each in zip(oids, formats, values, strict=True)]
    return {**rest, "statement": SQL.findall(request["statement"]), "bound": bound}


def _sql_request(tree: Tree) -> Mapping[str, Any]:
    types, formats, values = zip(*tree["bound"], strict=True) if tree["bound"] else ((), (), ())
    if not all(isinstance(each, kind) for kind, found in ((Oid, types), (Coded, formats)) for each in found):
        raise TypeError("what the driver says of a parameter")
    names = {"parameters": list(values), "parameter_types": list(types), "parameter_formats": list(formats)}
    rest = {name: value for name, value in tree.items() if name != "bound"}
    return {**rest, "statement": "".join(tree["statement"]), **names}


def _mongo_tree(request: Mapping[str, Any]) -> Tree:
    return {**request, "command": bson.decode(command_of(request))}


def _mongo_request(tree: Tree) -> Mapping[str, Any]:
    return {**tree, "command": bson.encode(tree["command"])}


def _redis_tree(request: Mapping[str, Any]) -> Tree:
    return {**request, "commands": commands_of(request)}


def _redis_request(tree: Tree) -> Mapping[str, Any]:
    if not all(command and all(isinstance(word, bytes) for word in command) for command in tree["commands"]):
        raise TypeError("no command")
    return {**tree, "commands": pack(tree["commands"])}


def _http_tree(request: Mapping[str, Any]) -> Tree:
    headers = {name.decode(): value for name, value in request["headers"]}
    types = [value.strip().lower() for name, value in headers.items() if name.lower() == "content-type"]
    body = json.loads(request["body"]) if types == [b"application/json"] else re.split(rb"([&=])", request["body"])
    return {**request, "headers": headers, "query": re.split(rb"([&=])", request["query"]), "body": body}


def _http_request(tree: Tree) -> Mapping[str, Any]:
    is_bytes = isinstance(tree["body"], list) and all(isinstance(each, bytes) for each in tree["body"])
    body = b"".join(tree["body"]) if is_bytes else json.dumps(tree["body"]).encode()
    headers = [[name.encode(), value] for name, value in tree["headers"].items()]
    if not all(isinstance(value, bytes) for value in (tree["path"], *tree["headers"].values())):
        raise TypeError("no text")
    if type(tree["port"]) is not int:
        raise TypeError("no port")
    return {**tree, "headers": headers, "query": b"".join(tree["query"]), "body": body}


_SQL: Final = Form(_sql_tree, _sql_request)
FORMS: Final[Mapping[str, Form]] = {
    "asyncpg": _SQL,
    "botocore": Form(dict, dict),
    "celery": Form(dict, dict),
    "http": Form(_http_tree, _http_request),
    "psycopg": _SQL,
    "pymongo": Form(_mongo_tree, _mongo_request),
    "redis": Form(_redis_tree, _redis_request),
}

# ---- changes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a request may be changed, and in which way."""

    exchange: Exchange
    place: Place
    kind: str

    def __str__(self) -> str:
        return f"{self.exchange.signature.lib} {self.kind} {'.'.join(map(str, self.place))}"

    def changed(self, chance: random.Random) -> Exchange | None:
        """None where the library could not send that."""
        form = FORMS[self.exchange.signature.lib]
        try:
            tree = _at(form.opened(self.exchange.request), self.place, lambda old: CHANGES[self.kind](old, chance))
            return replace(self.exchange, request=form.closed(tree))
        except UNSENDABLE:
            return None


UNSENDABLE: Final = (IndexError, TypeError, ValueError, OverflowError, AttributeError, bson.errors.BSONError)
"""Of one who builds a request from a tree that makes none."""


def spots(exchange: Exchange) -> Iterator[Spot]:
    """Every one of a recorded request."""
    tree = FORMS[exchange.signature.lib].opened(exchange.request)
    return (Spot(exchange, place, kind) for place, value in _places(tree, ()) for kind in _kinds(value))


def _places(value: Tree, place: Place) -> Iterator[tuple[Place, Tree]]:
    if place:
        yield place, value
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for step, each in inner:
        yield from _places(each, (*place, step))


def _kinds(value: Tree) -> Sequence[str]:
    if isinstance(value, dict):
        return ("type", "drop", "rename", "add", "order", "flatten", "deepen") if value else ("type", "add")
    if isinstance(value, list):
        return ("type", "drop", "add", "order", "twice") if value else ("type", "add")
    return ("value", "type")


def _at(tree: Tree, place: Place, change: Callable[[Tree], Tree]) -> Tree:
    """A copy with what stands there changed."""
    if not place:
        return change(tree)
    copy: Tree = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[place[0]] = _at(tree[place[0]], place[1:], change)
    return copy


def _value(old: Any, chance: random.Random) -> Any:
    if isinstance(old, (Oid, Coded)):
        return type(old)(chance.choice(OIDS) if isinstance(old, Oid) else 1 - old)
    if isinstance(old, bool):
        return not old
    if isinstance(old, (int, float)):
        return type(old)(chance.choice([old + 1, old - 1, old * 10 + 3, -old - 7, old + chance.randrange(1, 10**6)]))
    if isinstance(old, dt.datetime):
        return old + dt.timedelta(milliseconds=chance.choice([1, -1, 1000, 86_400_000, 7_654_321]))
    if isinstance(old, bytes):
        return _other_text(old.decode("latin-1"), 255, chance).encode("latin-1")
    return _other_text(old, 0x24F, chance) if isinstance(old, str) else chance.choice([0, "", False, "null"])


def _other_text(old: str, last: int, chance: random.Random) -> str:
    at, new = chance.randrange(len(old) + 1), chr(chance.randrange(33, last))
    tried = [old[:at] + new + old[at:], old[:at] + new + old[at + 1 :], old[:at] + old[at + 1 :], old + " ", f" {old}"]
    tried += [old[:at] + old[at:].swapcase(), old[::-1], old + old, "", f"{old}\0"]
    return chance.choice([each for each in tried if each != old])


def _type(old: Any, chance: random.Random) -> Any:
    return chance.choice([each for each in _others(old) if type(each) is not type(old)])


def _others(old: Any) -> Sequence[Any]:
    if isinstance(old, bool):
        return int(old), str(old), None
    if isinstance(old, (int, float)):
        return float(old), str(old), [old], bson.Int64(old), None
    if isinstance(old, str):
        return [old], {old: old}, None, int(old) if old.isdecimal() else 0
    if isinstance(old, bytes):
        return [old], None, old.hex()
    return str(old), [old], {"value": old}, False


def _add(old: Any, chance: random.Random) -> Any:
    new: Tree = chance.choice([0, "", None, True, b"more", []])
    return {**old, f"more{chance.randrange(99)}": new} if isinstance(old, dict) else [*old, new]


def _drop(old: Any, chance: random.Random) -> Any:
    at = chance.randrange(len(old))
    kept = [each for number, each in enumerate(old.items() if isinstance(old, dict) else old) if number != at]
    return dict(kept) if isinstance(old, dict) else kept


def _rename(old: Any, chance: random.Random) -> Any:
    name = chance.choice(list(old))
    return {_other_text(key, 122, chance) if key == name else key: value for key, value in old.items()}


def _order(old: Any, chance: random.Random) -> Any:
    items = list(old.items()) if isinstance(old, dict) else list(old)
    if len(items) < 2:
        raise ValueError("it has no order")
    at = chance.randrange(len(items) - 1)
    items[at], items[at + 1] = items[at + 1], items[at]
    return dict(items) if isinstance(old, dict) else items


def _twice(old: Any, chance: random.Random) -> Any:
    at = chance.randrange(len(old))
    return [*old[:at], old[at], *old[at:]]


def _flatten(old: Any, chance: random.Random) -> Any:
    """`{"a": {"b": 1}}` and `{"a.b": 1}` are two things, however a path is written."""
    name = chance.choice([name for name, value in old.items() if isinstance(value, (dict, list)) and value])
    inner = old[name]
    dotted = {f"{name}.{key}": value for key, value in inner.items()} if isinstance(inner, dict) else {}
    numbered = {f"{name}[{key}]": value for key, value in enumerate(inner)} if isinstance(inner, list) else {}
    return {**{key: value for key, value in old.items() if key != name}, **dotted, **numbered}


def _deepen(old: Any, chance: random.Random) -> Any:
    name = chance.choice(list(old))
    return {key: {key: value} if key == name else value for key, value in old.items()}


CHANGES: Final[Mapping[str, Callable[[Any, random.Random], Any]]] = {
    "add": _add,
    "deepen": _deepen,
    "drop": _drop,
    "flatten": _flatten,
    "order": _order,
    "rename": _rename,
    "twice": _twice,
    "type": _type,
    "value": _value,
}
