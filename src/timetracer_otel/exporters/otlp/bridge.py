"""A whole cassette -> its OTLP spans: what `push` sends and what is saved as a file of OTLP."""

from __future__ import annotations

from collections.abc import Iterator

from timetracer_otel.cassette import Cassette, Environment, Segment
from timetracer_otel.exporters.otlp.encoding import Place, Scoped, encode_environment, encode_part
from timetracer_otel.exporters.otlp.records import Put
from timetracer_otel.exporters.otlp.splitting import environments_of, parts_of


def spans_of(cassette: Cassette, put: Put | None = None) -> list[Scoped]:
    """All of it as spans; `put` stores payloads above 1 MiB outside. Raises Unconvertible."""
    return list(_spans(cassette, put))


def _spans(cassette: Cassette, put: Put | None) -> Iterator[Scoped]:
    resources = {(segment.id, segment.process.id): segment.resource for segment in cassette.segments}
    for part in parts_of(cassette):
        resource = resources[part.segment, part.process.id]
        yield from encode_part(part, Place(resource=resource, is_whole=True), put)
    for environment in environments_of(cassette):
        owner = _user(cassette, cassette.environments[environment.process.id])
        resource = {} if owner is None else owner.resource
        parent_id = "0" * 16 if owner is None else owner.id
        yield from encode_environment(environment, cassette.trace_id, parent_id, resource, put)


def _user(cassette: Cassette, environment: Environment) -> Segment | None:
    """The first segment that needs it; some segment of the trace where none does."""
    for segment in cassette.segments:
        if environment in cassette.environment_of(segment):
            return segment
    return cassette.segments[0] if cassette.segments else None
