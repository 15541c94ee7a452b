"""Connection arguments that lead to the stub, whatever production's lead to: TLS, services, several hosts, sockets.

Source: asyncpg 0.29 to 0.32, connect_utils.py (`_parse_connect_dsn_and_args`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

LOOPBACK: Final = "127.0.0.1"
HIDDEN_VARIABLES: Final = ("PGSERVICE", "PGSERVICEFILE", "PGSSLNEGOTIATION")
"""asyncpg would look for a service that is not defined here, or insist on TLS."""
DROPPED: Final = frozenset({"passfile", "service", "servicefile", "target_session_attrs", "krbsrvname", "gsslib"})
DROPPED_PREFIXES: Final = ("ssl",)
_SERVER: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>\d*))?")


def redirected(arguments: Mapping[str, Any], recorded: Mapping[str, str]) -> dict[str, Any]:
    """Keyword arguments of `_parse_connect_arguments` that need nothing of production's machine.

    `recorded` holds `user` and `database` in place of the machine's defaults, which are not production's.
    """
    dsn = arguments.get("dsn")
    kept = {**arguments, "ssl": False, "dsn": _plain(dsn) if isinstance(dsn, str) else dsn}
    kept.update({name: None for name in ("direct_tls", "service", "servicefile", "passfile") if name in arguments})
    kept["target_session_attrs"] = "any"
    user, database = user_and_database(dsn if isinstance(dsn, str) else "")
    for name, variable, said in (("user", "PGUSER", user), ("database", "PGDATABASE", database)):
        if kept.get(name) is None and not said and variable not in os.environ and name in recorded:
            kept[name] = recorded[name]
    return kept


def _plain(dsn: str) -> str:
    """Without what names files and TLS."""
    parts = urlsplit(dsn)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def user_and_database(dsn: str) -> tuple[str, str]:
    """Each empty where the DSN does not name it."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    database = query.get("database") or query.get("dbname") or unquote(parts.path.lstrip("/"))
    return query.get("user") or unquote(user), database


def servers(dsn: str) -> tuple[str, str]:
    """Hosts and ports, as libpq lists them; each empty where the DSN does not name it."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    named = [_SERVER.fullmatch(each) for each in parts.netloc.rpartition("@")[2].split(",")]
    hosts = ",".join(unquote(each["host"]) if each else "" for each in named)
    ports = ",".join((each["port"] or "") if each else "" for each in named)
    return query.get("host") or hosts, query.get("port") or ports.strip(",")
