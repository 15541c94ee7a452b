"""What each driver documents as not significant, taken out of a request: what is then equal may be answered alike.

Said here once more, in other words than the drivers': whatever they take for equal beyond this is a lie.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from bson import Int64

from tests.promises.changed import FORMS, SQL, Tree
from timetracer_otel.cassette import Exchange

HOW_IT_TRAVELLED: Final = frozenset({"op", "prepared", "result_format", "limit"})
"""Of a statement: by simple or extended query, with how many rows at once."""
TEXTS: Final = frozenset({0, 25, 1043})
"""A type that the client leaves open is text, and so is varchar."""
BYTEA: Final = 17
BLANKS_AROUND: Final = frozenset({1009, 1700})
"""An array of texts and a number: what stands around them is nothing."""
OF_SESSION: Final = frozenset({"lsid", "$clusterTime", "txnNumber", "$db", "maxTimeMS"})
"""What the driver of MongoDB adds to a command; the database is known by the connection."""
TRACING: Final = frozenset({"traceparent", "tracestate", "baggage"})
LOGGED: Final = frozenset({"argsrepr", "kwargsrepr", "origin", "reply_to"})
"""Of a message of Celery: spellings for logs, and the process that sent it."""
OF_TRANSPORT: Final = frozenset(
    {"host", "connection", "content-length", "accept-encoding", "user-agent", "x-request-id", "date"}
)


def plain(exchange: Exchange) -> Any:
    """Equal for two requests exactly when one may get the answer of the other."""
    lib, signature = exchange.signature.lib, exchange.signature
    tree = PLAIN[lib](FORMS[lib].opened(exchange.request))
    return (
        WIRES.get(lib, lib),
        signature.method if lib == "celery" else "",
        signature.url if lib == "celery" else "",
        tree,
    )


def _strict(value: Tree, is_ordered: bool = False) -> Any:
    """True, 1 and 1.0 are three; names have an order only where the server sees one."""
    if isinstance(value, Mapping):
        members = [(name, _strict(each, is_ordered)) for name, each in value.items()]
        return "mapping", tuple(members if is_ordered else sorted(members, key=lambda each: repr(each[0])))
    if isinstance(value, (list, tuple)):
        return "list", tuple(_strict(each, is_ordered) for each in value)
    return ("int" if isinstance(value, Int64) else type(value).__name__, repr(value))


def _without(value: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name.lower() not in names and name not in names}


def _sql(tree: Tree) -> Any:
    """Space outside of quotes and comments is layout, and so is the last `;`."""
    words = [" " if word.isspace() else word for word in SQL.findall("".join(tree["statement"]))]
    statement = " ".join("".join(each for n, each in enumerate(words) if each != " " or words[n - 1] != " ").split(" "))
    arrays = [f"${number}::text[]" in statement for number in range(1, len(tree["bound"]) + 1)]
    bound = [
        _bound(1009 if is_array and not each[0] else each[0], *each[1:])
        for is_array, each in zip(arrays, tree["bound"], strict=True)
    ]
    return statement.rstrip("; ").strip(), _strict(bound)


def _bound(oid: int, form: int, value: bytes | None) -> Any:
    """NULL is one in any type; bytes without a backslash are the same in text."""
    if value is None or oid in TEXTS:
        return value
    if oid in BLANKS_AROUND and form == 0:
        return int(oid), value.strip()
    return (int(oid), value) if oid == BYTEA and b"\\" not in value else (int(oid), int(form), value)


def _mongo(tree: Tree) -> Any:
    return _strict(_without(tree["command"], OF_SESSION), is_ordered=True)


def _botocore(tree: Tree) -> Any:
    return _strict(_dynamodb(_without(tree, {"region"})))


def _dynamodb(value: Tree) -> Tree:
    """A set has no order, and a number is one however it is written."""
    if isinstance(value, (list, tuple)):
        return [_dynamodb(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and isinstance(value.get("SS"), list):
        return {"SS": sorted(value["SS"], key=repr)}
    if len(value) == 1 and isinstance(value.get("N"), str) and value["N"].strip("+-.0123456789eE") == "":
        return {"N": _number(value["N"])}
    return {name: _dynamodb(each) for name, each in value.items()}


def _number(text: str) -> Any:
    try:
        return Decimal(text).normalize()
    except InvalidOperation:
        return text


def _celery(tree: Tree) -> Any:
    noise = TRACING | LOGGED
    about = {
        name: _without(tree[name], noise) for name in ("headers", "properties") if isinstance(tree.get(name), dict)
    }
    return _strict({**_without(tree, {"published_ns", "task"}), **about, "embed": _waiting(tree.get("embed"))})


def _waiting(value: Tree) -> Tree:
    if isinstance(value, list):
        return [_waiting(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {name: _waiting(each) for name, each in value.items()}
    return {**found, "options": _without(found["options"], LOGGED)} if isinstance(found.get("options"), dict) else found


def _http(tree: Tree) -> Any:
    """Names of headers and of fields have no order; the content counts, not how JSON is laid out."""
    headers = {name.lower(): value for name, value in tree["headers"].items()}
    media = headers.pop("content-type", b"").strip().lower() if tree["body"] != [b""] else b""
    rest = {name: tree[name] for name in ("method", "scheme", "host", "port", "path") if name in tree}
    body = tree["body"]
    if media.startswith(b"application/x-www-form-urlencoded"):
        body = _fields(body)
    return _strict([rest, _without(headers, OF_TRANSPORT | TRACING), media, _fields(tree["query"]), body])


def _fields(pieces: list[bytes]) -> list[bytes]:
    return sorted(each for each in b"".join(pieces).split(b"&") if each)


def _redis(tree: Tree) -> Any:
    return _strict([[name.upper(), *words] for name, *words in tree["commands"]])


PLAIN: Final[Mapping[str, Callable[[Tree], Any]]] = {
    "asyncpg": _sql,
    "botocore": _botocore,
    "celery": _celery,
    "http": _http,
    "psycopg": _sql,
    "pymongo": _mongo,
    "redis": _redis,
}
WIRES: Final = {"asyncpg": "postgres", "psycopg": "postgres"}
