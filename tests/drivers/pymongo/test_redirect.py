"""Whatever address production uses, the client is usable at once, and the stub is all that it meets."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from pymongo import MongoClient, ReadPreference
from pymongo.errors import OperationFailure

from tests.drivers.psycopg.replaying import replaying
from timetracer_otel.cassette.model import Connection
from timetracer_otel.drivers.pymongo import redirect
from timetracer_otel.drivers.pymongo.replay import REPLAYING
from timetracer_otel.drivers.pymongo.servers import HELLO

USABLE_S = 5
PRIMARY: dict[str, Any] = {
    "setName": "rs0",
    "hosts": ["db0.prod:27017", "db1.prod:27017"],
    "isWritablePrimary": True,
    "ismaster": True,
    "secondary": False,
    "maxWireVersion": 21,
    "tags": {"dc": "east"},
}
SECONDARY = {**PRIMARY, "isWritablePrimary": False, "ismaster": False, "secondary": True, "tags": {"dc": "west"}}
MONGOS: dict[str, Any] = {"msg": "isdbgrid", "isWritablePrimary": True, "ismaster": True, "maxWireVersion": 21}
X509 = "authMechanism=MONGODB-X509&tls=true&tlsCertificateKeyFile=/nowhere/client.pem&tlsCAFile=/nowhere/ca.pem"
URIS: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "srv": (
        "mongodb+srv://user:p%40ss@cluster0.example.net/app?retryWrites=true&w=majority",
        [],
        "ReplicaSetWithPrimary",
    ),
    "set": ("mongodb://a.prod,b.prod:27018,c.prod/?replicaSet=rs0", [PRIMARY, SECONDARY], "ReplicaSetWithPrimary"),
    "tls": ("mongodb://user:pw@db.prod/app?tls=true&tlsCAFile=/nowhere/ca.pem&authSource=admin", [], "Single"),
    "x509": (f"mongodb://db.prod/?{X509}", [], "Single"),
    "aws": ("mongodb://db.prod/?authMechanism=MONGODB-AWS&authSource=%24external", [], "Single"),
    "balanced": ("mongodb://lb.prod/?loadBalanced=true&tls=true", [MONGOS], "Sharded"),
    "mongos": ("mongodb://s1.prod,s2.prod/?readPreference=nearest", [MONGOS], "Sharded"),
    "tags": (
        "mongodb://a.prod/?replicaSet=rs0&readPreference=secondary&readPreferenceTags=dc:west,use:r",
        [],
        "ReplicaSetWithPrimary",
    ),
    "direct": ("mongodb://db1.prod/?directConnection=true", [SECONDARY], "Single"),
    "packed": ("mongodb://db.prod/?compressors=snappy,zstd,zlib&zlibCompressionLevel=9", [], "Single"),
    "socket": ("mongodb://%2Frun%2Fmongodb-27017.sock/app", [], "Single"),
    "legacy": ("mongodb://u:p@h.prod/?ssl=true;authMechanism=SCRAM-SHA-1", [], "Single"),
}


@pytest.fixture
def _without_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def refused(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host == "127.0.0.1", f"DNS was asked for {host}"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.usefixtures("_without_dns")
@pytest.mark.parametrize("name", URIS)
def test_r03_any_address_is_usable_at_once(name: str) -> None:
    uri, hellos, topology = URIS[name]
    known = [Connection(n, "pymongo", f"mongodb://a{n}.prod:27017", {HELLO: each}) for n, each in enumerate(hellos)]
    began_s = time.monotonic()
    with replaying({}, known, REPLAYING) as replay, MongoClient[Any](uri) as client:
        client.admin.command("ping")
        with pytest.raises(OperationFailure, match=r"no recorded answer for app\.things\.find"):
            client.app.things.find_one({"_id": 1})
        assert client.topology_description.topology_type_name == topology
        assert {host for host, _ in client.nodes} <= {"127.0.0.1"}
    assert time.monotonic() - began_s < USABLE_S
    assert [each.partition("(")[0] for each in replay.misses] == ["app.things.find"]


def test_options_that_are_no_danger_stay() -> None:
    with (
        replaying({}, (), REPLAYING),
        MongoClient[Any](
            "mongodb+srv://user:pw@c.example/app?appName=shop&w=3&maxPoolSize=7&readPreference=secondaryPreferred&tls=true",
            tz_aware=True,
            tlsCAFile="/nowhere/ca.pem",
            username="other",
            password="secret",
            retryReads=False,
        ) as client,
    ):
        assert client.get_default_database().name == "app"
        assert (client.options.pool_options.max_pool_size, client.options.pool_options.appname) == (7, "shop")
        assert client.write_concern.document == {"w": 3}
        assert client.read_preference == ReadPreference.SECONDARY_PREFERRED
        assert (client.codec_options.tz_aware, client.options.retry_reads) == (True, False)


@pytest.mark.parametrize(
    ("host", "port", "hosts"),
    [
        (None, None, ("localhost:27017",)),
        ("db.prod", 27018, ("db.prod:27018",)),
        (["a.prod:1", "b.prod"], None, ("a.prod:1", "b.prod:27017")),
        ("mongodb://u:p@[::1]:27018,[fe80::1]/x", None, ("[::1]:27018", "[fe80::1]:27017")),
    ],
)
def test_hosts_are_found_in_every_form(host: Any, port: Any, hosts: tuple[str, ...]) -> None:
    assert redirect.wanted(host, port, {}).hosts == hosts
