"""Client arguments that lead to the stub, whatever production's lead to: SRV, TLS, several hosts, authentication.

Source: pymongo 4.9 to 4.20, uri_parser.py and common.py (`URI_OPTIONS_VALIDATOR_MAP`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote_plus

DEFAULT_HOST: Final = "localhost"
LOOPBACK: Final = "127.0.0.1"
DROPPED: Final = frozenset(
    {
        "username",
        "password",
        "compressors",
        "zlibcompressionlevel",
        "loadbalanced",
        "servermonitoringmode",
        "replicaset",
    }
)
"""`replicaSet` comes back where the stub plays one."""
DROPPED_PREFIXES: Final = ("tls", "ssl", "auth", "srv", "proxy")
TOPOLOGY: Final = ("replicaset", "loadbalanced", "directconnection", "readpreferencetags")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client was told, as far as the topology depends on it."""

    hosts: tuple[str, ...]
    is_several: bool
    """Several hosts, or a name in the DNS that may stand for several."""
    options: Mapping[str, str]
    """Names in lower case."""
    path: str
    """The default database, as it stands in the URI."""
    kept: str
    """Options of the URI that stay."""
    servers: str = ""
    """As the driver would name them: the name in the DNS, or each host with its port."""


def wanted(host: Any, port: Any, keywords: Mapping[str, Any]) -> Wanted:
    """Of a client's arguments."""
    given = [host] if isinstance(host, str) else list(host or [DEFAULT_HOST])
    uri = next((each for each in given if "://" in each), "")
    scheme, _, rest = uri.partition("://")
    rest, _, query = rest.partition("?")
    seeds, _, path = rest.rpartition("@")[2].partition("/")
    names = seeds.split(",") if uri else given
    pairs = parse_qsl(query.replace(";", "&"), keep_blank_values=True)
    said = {name.lower(): value for name, value in pairs}
    said |= {name.lower(): _text(value) for name, value in keywords.items() if name.lower() in TOPOLOGY}
    hosts = tuple(_with_port(unquote_plus(each), port) for each in names)
    is_srv = scheme.endswith("+srv")
    return Wanted(
        hosts=hosts,
        is_several=is_srv or len(names) > 1,
        options={name: said[name] for name in TOPOLOGY if name in said},
        path=path,
        kept="&".join(f"{name}={quote(value, safe=':,')}" for name, value in pairs if not is_dropped(name)),
        servers=(names[0] if is_srv else ",".join(sorted(hosts))).lower(),
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_port(host: str, port: Any) -> str:
    return host if ":" in host.rpartition("]")[2] else f"{host}:{port or 27017}"


def is_dropped(option: str) -> bool:
    """True for what would lead to the network, or away from the stub."""
    return option.lower() in DROPPED or option.lower().startswith(DROPPED_PREFIXES)


def redirected(client: Wanted, ports: Sequence[int], set_name: str | None) -> str:
    """The URI that leads to the stub."""
    hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
    options = [client.kept] if client.kept else []
    if set_name is not None and client.options.get("directconnection") != "true":
        options.append(f"replicaSet={quote(set_name)}")
    return f"mongodb://{hosts}/{client.path}?{'&'.join(options)}"
