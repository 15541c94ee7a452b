"""The redactor: one key, every rule. The drivers' codecs call it; what a secret is, is decided only in this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, overload

from timetracer_otel.cassette.model import Value
from timetracer_otel.redaction import patterns
from timetracer_otel.redaction.bodies import redact_body
from timetracer_otel.redaction.forms import redact_form
from timetracer_otel.redaction.headers import redact_headers
from timetracer_otel.redaction.markers import Mark, MarkerMaker, StandInKind
from timetracer_otel.redaction.memory import Memory
from timetracer_otel.redaction.names import rule_of
from timetracer_otel.redaction.values import redact_value

Paths = tuple[str, ...]
"""Where a marker stands now, such as `request.headers.cookie`; empty when nothing was hit."""


class Redactor:
    """Masks secrets with markers under one key: threads share it, a forked child keeps it.

    No method raises on any data, and each gives back the object that it was given when nothing hits.
    """

    def __init__(self, key: bytes | None = None) -> None:
        """`key` is for tests; without it a random one is made, which is never stored."""
        self._maker = MarkerMaker(key)
        self._mark: Mark = self._maker.marker
        self._memory: Memory | None = None

    def __eq__(self, other: object) -> bool:
        """By key: what one has decided about a statement, the others of its process may take."""
        return isinstance(other, Redactor) and other._maker is self._maker

    def __hash__(self) -> int:
        return hash(self._maker)

    def of_trace(self) -> Redactor:
        """One with the same key that remembers what it masked by name, and knows it again under any name (`known`)."""
        made = Redactor()
        made._maker = self._maker
        made._memory = Memory(self._maker.marker)
        made._mark = made._memory.mark
        return made

    def known(self) -> Mapping[bytes, bytes]:
        """Secrets that this one has masked, with their markers; empty unless it is one `of_trace`."""
        return self._memory.markers if self._memory is not None else {}

    def is_secret_name(self, name: str) -> bool:
        """True if values under `name` are secret: `api_key`, `X-Api-Key`, `user.apiKey`."""
        return rule_of(name) is not None

    def rule_of(self, name: str) -> str | None:
        """The rule that a marker for values under `name` names, None if they are not secret."""
        return rule_of(name)

    def marker(self, rule: str, value: str | bytes) -> str:
        """`[redacted:<rule>#<6 hex>]`; text and its UTF-8 bytes get the same, a marker stays itself."""
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        return self._mark(rule, data).decode()

    @overload
    def stand_in(self, rule: str, value: bytes, kind: Literal["uuid", "bytea"]) -> bytes: ...
    @overload
    def stand_in(self, rule: str, value: bytes, kind: Literal["int2", "int4", "int8"]) -> int: ...
    def stand_in(self, rule: str, value: bytes, kind: StandInKind) -> bytes | int:
        """What stands for `value` in a type that holds no marker: 16 bytes of a uuid, a positive integer, bytes."""
        return self._maker.stand_in(rule, value, kind)

    def suspicious(self, data: bytes | str) -> bool:
        """False if no pattern can hit `data`: so cheap that whole results can be asked about before any value is."""
        return patterns.suspicious_text(data) if isinstance(data, str) else patterns.suspicious(data)

    def text(self, text: str) -> str:
        """`text` with what looks like a secret masked."""
        return patterns.scrub_text(text, self._mark)

    def data(self, data: bytes) -> bytes:
        """`data`, text in any encoding or binary, with what looks like a secret masked."""
        return patterns.scrub(data, self._mark)

    def value(self, value: Value, path: str) -> tuple[Value, Paths]:
        """Plain data masked: under secret names every leaf, elsewhere by pattern; None, booleans and "" stay."""
        return redact_value(value, path, self._mark)

    def headers(self, pairs: Sequence[Sequence[bytes]], path: str) -> tuple[list[list[bytes]], Paths]:
        """Header pairs masked: the scheme of Authorization and cookie names stay; other headers by pattern."""
        return redact_headers(pairs, path, self._mark)

    def query(self, query_string: bytes, path: str) -> tuple[bytes, Paths]:
        """`a=1&token=x` masked, markers percent-encoded; what is not hit stays byte for byte."""
        return redact_form(query_string, path, self._mark)

    def body(self, data: bytes, content_type: str, content_encoding: str, path: str) -> tuple[bytes, Paths]:
        """A body masked by its type, codings undone and done again. The length may change: the caller mends headers."""
        return redact_body(data, content_type, content_encoding, path, self._mark)
