"""pymongo in replay: every client dials a stub on loopback, and says before each command for whom it is sent."""

from __future__ import annotations

import functools
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import AnswerSource, Question, ReplayHost, ServerCore
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.pymongo import dialling, names_in_dns, redirect, wires
from timetracer_otel.drivers.pymongo.answers import Claim, PymongoAnswers
from timetracer_otel.drivers.pymongo.hooks import request_id_of
from timetracer_otel.drivers.pymongo.names import CONNECT, LIBRARY, SELECT, client_classes
from timetracer_otel.drivers.pymongo.object_ids import ObjectIds, seeding
from timetracer_otel.drivers.pymongo.questions import question_of
from timetracer_otel.drivers.pymongo.selecting import HOSTS
from timetracer_otel.drivers.pymongo.topology import Topology, topology
from timetracer_otel.drivers.pymongo.unselected import Selections, question_of_selection
from timetracer_otel.wire.mongo.backend import MongoBackend

LOST: Final = "replay cannot redirect it"
LED: Final = "_timetracer_led"
"""Attribute of a connection: the process in which it was found to lead to the stub."""
CLAIMS_MAX: Final = 10_000
"""Commands on their way to the stub."""


class Stub:
    """The stub's side of one replay: which servers there are, and for whom each command is sent."""

    def __init__(self, host: ReplayHost) -> None:
        self.host = host
        self.selections = Selections(host)
        self._ports: dict[Topology, list[int]] = {}
        """As clients were told."""
        self._listening: dict[int, Callable[[], int]] = {}
        """Where it is answered in this process, by the port that clients were told."""
        self._claims: OrderedDict[int, Claim] = OrderedDict()
        self._ids: WeakKeyDictionary[AnswerSource, ObjectIds] = WeakKeyDictionary()
        self._given: set[bytes] = set()
        """Recorded ObjectIds that this process was given for new ones, by any session."""

    # ---- clients -----------------------------------------------------------------------------------------------------

    def uri(self, client: redirect.Wanted) -> str:
        """Where a client with these arguments is to go."""
        source, _ = self.host.current()
        found = topology(client.options, client.is_several, client.hosts, source.connections(LIBRARY))
        return redirect.redirected(client, self._served(found), found.set_name)

    def here(self, address: Any) -> Any:
        """Where a client dials that wants this address: a fork's listener is another one, and the client's address
        stays, since cursors are pinned to it."""
        listening = self._listening.get(address[1])
        return self._instead_of(address) if listening is None else (address[0], listening())

    def _instead_of(self, address: Any) -> Any:
        """For a client that was made before it could be told: it finds one server there, and learns of the others."""
        source, _ = self.host.current()
        found = topology({}, False, (f"{address[0]}:{address[1]}",), source.connections(LIBRARY))
        return redirect.LOOPBACK, self._listening[self._served(found)[0]]()

    def _served(self, found: Topology) -> list[int]:
        if found not in self._ports:
            members = range(len(found.members))
            listening = [self.host.serve(LIBRARY, functools.partial(self._backend, found, each)) for each in members]
            told = [port() for port in listening]
            self._listening.update(zip(told, listening, strict=True))
            self._ports[found] = told
        return self._ports[found]

    def _backend(self, found: Topology, member: int, _: int) -> ServerCore:
        from bson.objectid import ObjectId

        def hello() -> dict[str, Any]:
            return found.hello(member, self._ports[found])

        return MongoBackend(PymongoAnswers(hello, self._claimed, ObjectId._random()))

    # ---- commands ----------------------------------------------------------------------------------------------------

    def claim(self, connection: Any, message: Any) -> None:
        """A message is about to leave, in the context of who sends it."""
        self._refuse_foreign(connection)
        self._claims[request_id_of(message)] = self._current()
        if len(self._claims) > CLAIMS_MAX:
            self._claims.popitem(last=False)

    def _refuse_foreign(self, connection: Any) -> None:
        """One that was made before leads to a server."""
        if getattr(connection, LED, None) == os.getpid():
            return
        peer = _peer(connection)
        if peer is None:
            return
        if peer[1] in {port() for port in self._listening.values()}:
            setattr(connection, LED, os.getpid())
            return
        from pymongo.errors import OperationFailure

        if (text := self.host.foreign(LIBRARY, f"{peer[0]}:{peer[1]}")) is not None:
            raise OperationFailure(text)

    def _claimed(self, request_id: int) -> Claim:
        return self._claims.pop(request_id, None) or self._current()

    def _current(self) -> Claim:
        source, asked = self.host.current()
        return Claim(source, asked, self._ids_of(source))

    # ---- ObjectIds ---------------------------------------------------------------------------------------------------

    def ids(self) -> ObjectIds | None:
        """Those of the calling context's session; None where the environment answers."""
        source, _ = self.host.current()
        return None if source.is_environment else self._ids_of(source)

    def _ids_of(self, source: AnswerSource) -> ObjectIds:
        found = self._ids.get(source)
        if found is None:
            found = self._ids.setdefault(source, ObjectIds(source.questions(LIBRARY), self._given))
        return found


class PymongoReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._stub: Stub | None = None

    def install(self, host: ReplayHost) -> None:
        if self._patches:
            return
        from bson.objectid import ObjectId

        if self._stub is None or self._stub.host is not host:  # else clients of a replay before this one are there
            self._stub = Stub(host)
        stub = self._stub
        wires.put_in(self._patches, stub.claim, None, LOST)
        from timetracer_otel.drivers.pymongo import exceptions  # `wires` has said that pymongo is new enough

        exceptions.put_in(self._patches)
        stub.selections.put_in(self._patches, LOST)
        dialling.put_in(self._patches, stub.here)
        names_in_dns.put_in(self._patches)
        for client in client_classes():
            self._patches.put(client, "__init__", _redirected(client.__init__, stub))
        self._patches.put(ObjectId, "__init__", seeding(ObjectId.__init__, stub.ids))

    def uninstall(self) -> None:
        self._patches.undo()

    def question(self, exchange: Exchange) -> Question:
        return question_of_selection(exchange) if exchange.type in (SELECT, CONNECT) else question_of(exchange)


REPLAYING: Final = PymongoReplaying()


def _peer(connection: Any) -> Any:
    """Address of the other end; None where there is none any more."""
    wire: Any = getattr(connection, "conn", None)
    try:
        return getattr(wire, "sock", wire).getpeername()
    except (AttributeError, OSError):
        return None


def _redirected(original: Callable[..., None], stub: Stub) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Any, host: Any = None, port: Any = None, *args: Any, **kwargs: Any) -> None:
        wanted = redirect.wanted(host, port, kwargs)
        kept = {name: value for name, value in kwargs.items() if not redirect.is_dropped(name)}
        original(self, stub.uri(wanted), None, *args, **kept)
        setattr(self._topology._settings, HOSTS, wanted.servers)

    return __init__
