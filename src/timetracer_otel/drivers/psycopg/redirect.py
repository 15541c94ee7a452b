"""Connection parameters that lead to the stub, whatever production's lead to: TLS, services, several hosts, sockets.

Source: libpq "Database Connection Control Functions", 3.1 to 3.3 of psycopg on libpq 12 to 18.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, Final

LOOPBACK: Final = "127.0.0.1"
DROPPED: Final = frozenset(
    {"gsslib", "gssdelegation", "hostaddr", "krbsrvname", "load_balance_hosts", "passfile", "requirepeer", "requiressl"}
    | {"service", "servicefile"}
)
DROPPED_PREFIXES: Final = ("oauth", "scram", "ssl")
FORCED: Final = {
    "channel_binding": "disable",
    "gssencmode": "disable",
    "hostaddr": LOOPBACK,
    "max_protocol_version": "3.0",
    "min_protocol_version": "3.0",
    "require_auth": "",
    "sslcertmode": "disable",
    "sslmode": "disable",
    "sslnegotiation": "postgres",
    "target_session_attrs": "any",
}
"""Each is said outright: the environment (PGSSLMODE ...) must not decide."""
SERVICE_VARIABLES: Final = ("PGSERVICE", "PGSERVICEFILE")


def redirected(
    parameters: Mapping[str, Any], port: int, known: Collection[str], recorded: Mapping[str, str]
) -> dict[str, Any]:
    """`parameters` with the stub as the address; `host` stays what the app said, for `conn.info` and for spans.

    `known` are the keywords of this libpq; `recorded` holds `user` and `dbname` in place of the machine's defaults,
    which are not production's, and of what a service file says that is not here.
    """
    kept = {name: value for name, value in parameters.items() if not _is_dropped(name)}
    kept.update({name: value for name, value in FORCED.items() if name in known})
    for name, variable in (("user", "PGUSER"), ("dbname", "PGDATABASE")):
        if name in recorded and not kept.get(name) and variable not in os.environ:
            kept[name] = recorded[name]
    kept["host"] = _host(str(parameters.get("host") or os.environ.get("PGHOST") or ""))
    kept["port"] = port
    return kept


def _is_dropped(name: str) -> bool:
    return name in DROPPED or name.startswith(DROPPED_PREFIXES)


def _host(hosts: str) -> str:
    """The first; libpq takes no hostaddr beside the path of a socket."""
    first = hosts.split(",", maxsplit=1)[0]
    return "localhost" if not first or first.startswith(("/", "@")) else first
