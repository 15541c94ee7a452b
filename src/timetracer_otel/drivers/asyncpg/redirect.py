"""Connection arguments that lead to the stub, whatever production's lead to: TLS, services, several hosts, sockets.

Source: asyncpg 0.29 to 0.32, connect_utils.py (`_parse_connect_dsn_and_args`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

LOOPBACK: Final = "127.0.0.1"
HIDDEN_VARIABLES: Final = ("PGSERVICE", "PGSERVICEFILE", "PGSSLNEGOTIATION")
"""asyncpg would look for a service that is not defined here, or insist on TLS."""
DROPPED: Final = frozenset({"passfile", "service", "servicefile", "target_session_attrs", "krbsrvname", "gsslib"})
DROPPED_PREFIXES: Final = ("ssl",)


def redirected(arguments: Mapping[str, Any], recorded: Mapping[str, str]) -> dict[str, Any]:
    """Keyword arguments of `_parse_connect_arguments` that need nothing of production's machine.

    `recorded` holds `user` and `database` in place of the machine's defaults, which are not production's.
    """
    dsn = arguments.get("dsn")
    kept = {**arguments, "ssl": False, "dsn": _plain(dsn) if isinstance(dsn, str) else dsn}
    kept.update({name: None for name in ("direct_tls", "service", "servicefile", "passfile") if name in arguments})
    kept["target_session_attrs"] = "any"
    said = _said(dsn if isinstance(dsn, str) else "")
    for name, variable in (("user", "PGUSER"), ("database", "PGDATABASE")):
        if kept.get(name) is None and not said.get(name) and variable not in os.environ and name in recorded:
            kept[name] = recorded[name]
    return kept


def _plain(dsn: str) -> str:
    """Without what names files and TLS."""
    parts = urlsplit(dsn)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def _said(dsn: str) -> dict[str, str]:
    """User and database, where the DSN names them."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    database = query.get("database") or query.get("dbname") or unquote(parts.path.lstrip("/"))
    return {"user": query.get("user") or unquote(user), "database": database}
