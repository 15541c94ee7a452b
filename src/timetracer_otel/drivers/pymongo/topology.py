"""The servers that a client sees in replay: those that the recording met, under addresses of our own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from timetracer_otel.cassette.model import Connection, Value
from timetracer_otel.drivers.pymongo.servers import HELLO

MONGOS: Final = "isdbgrid"
LIMITS: Final[Mapping[str, Any]] = {
    "helloOk": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 25,
    "ok": 1.0,
}
"""Of a server of which nothing is recorded. No `topologyVersion`: monitors poll, and hold no answer open."""


@dataclass(frozen=True, slots=True)
class Member:
    """One server of a topology."""

    is_primary: bool
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """What one client meets. Without `set_name` it is one server, be it a mongos or alone."""

    set_name: str | None
    members: tuple[Member, ...]
    is_mongos: bool = False
    limits: tuple[tuple[str, Any], ...] = field(default=())

    def hello(self, number: int, ports: Sequence[int]) -> dict[str, Any]:
        """What the member of that number says of itself."""
        member = self.members[number]
        said = {**LIMITS, **dict(self.limits), "isWritablePrimary": member.is_primary, "ismaster": member.is_primary}
        if self.is_mongos:
            said["msg"] = MONGOS
        if self.set_name is not None:
            said |= self._of_set(number, [f"127.0.0.1:{port}" for port in ports])
        return said

    def _of_set(self, number: int, hosts: Sequence[str]) -> dict[str, Any]:
        member = self.members[number]
        primary = next((host for host, each in zip(hosts, self.members, strict=True) if each.is_primary), None)
        said: dict[str, Any] = {"setName": self.set_name, "hosts": list(hosts), "me": hosts[number]}
        said["secondary"] = not member.is_primary
        if primary is not None:
            said["primary"] = primary
        if member.tags:
            said["tags"] = dict(member.tags)
        return said


def topology(
    asked: Mapping[str, str], is_several: bool, hosts: Sequence[str], recorded: Iterable[Connection]
) -> Topology:
    """For a client with these options (names in lower case). Of several recorded clusters, that of its hosts."""
    greetings = _greetings(hosts, list(recorded))
    limits = tuple(sorted(_limits(greetings).items()))
    if asked.get("loadbalanced") == "true" or any(each.get("msg") == MONGOS for each in greetings):
        return Topology(None, (Member(True),), is_mongos=True, limits=limits)
    known = next((str(each["setName"]) for each in greetings if each.get("setName")), None)
    is_direct = asked.get("directconnection") == "true"
    if "replicaset" not in asked and known is None and not (is_several and not greetings):
        return Topology(None, (Member(True),), limits=limits)
    name = asked.get("replicaset") or known or "timetracer"
    if is_direct:
        is_primary = any(each.get("isWritablePrimary") or each.get("ismaster") for each in greetings) or not greetings
        return Topology(name, (Member(is_primary, _tags(greetings[0]) if greetings else ()),), limits=limits)
    return Topology(name, _members(greetings, asked.get("readpreferencetags", "")), limits=limits)


def _greetings(hosts: Sequence[str], recorded: Sequence[Connection]) -> list[Mapping[str, Value]]:
    own = [each for each in recorded if each.target.partition("://")[2] in hosts] or recorded
    found = (each.parameters.get(HELLO) for each in own)
    return [each for each in found if isinstance(each, Mapping) and each]


def _limits(greetings: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    return {
        name: value
        for each in greetings[:1]
        for name, value in each.items()
        if name in LIMITS and isinstance(value, int)
    }


def _members(greetings: Sequence[Mapping[str, Value]], wanted_tags: str) -> tuple[Member, ...]:
    """A primary, and a secondary with the tags that were met or are asked for: every read preference finds one."""
    primaries = [each for each in greetings if each.get("isWritablePrimary") or each.get("ismaster")]
    tags = {_tags(each): None for each in greetings if each.get("secondary")}
    pairs = (pair.partition(":") for pair in wanted_tags.split(",") if ":" in pair)
    asked = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    if not tags or (asked and not any(set(asked) <= set(each) for each in tags)):
        tags[asked] = None
    return (Member(True, _tags(primaries[0]) if primaries else ()), *(Member(False, each) for each in tags))


def _tags(greeting: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    tags = greeting.get("tags")
    return tuple((name, str(value)) for name, value in tags.items()) if isinstance(tags, Mapping) else ()
