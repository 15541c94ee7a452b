"""The redactor: one key, every rule. The drivers' codecs call it; what a secret is, is decided only in this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, overload

from timetracer_otel.cassette.model import Value
from timetracer_otel.redaction.bodies import redact_body, scrub_suspicious
from timetracer_otel.redaction.forms import redact_query
from timetracer_otel.redaction.headers import are_clean, redact_headers
from timetracer_otel.redaction.markers import MarkerMaker, StandInKind
from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.memory import Memory
from timetracer_otel.redaction.rules import SECRETS, Rules
from timetracer_otel.redaction.stream import Scrubber
from timetracer_otel.redaction.values import is_clean, redact_value

Paths = tuple[str, ...]
"""Where a marker stands now, such as `request.headers.cookie`; empty when nothing was hit."""


class Redactor:
    """Masks secrets with markers under one key: threads share it, a forked child keeps it.

    No method raises on any data, and each gives back the object that it was given when nothing hits.
    """

    def __init__(self, key: bytes | None = None, rules: Rules = SECRETS) -> None:
        """`key` is for tests; without it a random one is made, which is never stored."""
        self._maker = MarkerMaker(key)
        self._masker = Masker(self._maker, rules)
        self._types: dict[str, Redactor] = {}

    def __eq__(self, other: object) -> bool:
        """By key: what one has decided about a statement, the others of its process may take."""
        return isinstance(other, Redactor) and other._maker is self._maker

    def __hash__(self) -> int:
        return hash(self._maker)

    def of_trace(self) -> Redactor:
        """One with the same key that remembers what it masked by name, and knows it again under any name (`known`)."""
        return self._with(Masker(self._maker, self._masker.rules, Memory(self._maker.marker)))

    def knowing(self, markers: Mapping[bytes, bytes]) -> Redactor:
        """One `of_trace` that knows these secrets from the start, each with its marker."""
        memory = Memory(self._maker.marker)
        for secret, marker in markers.items():
            memory.learn(secret, marker)
        return self._with(Masker(self._maker, self._masker.rules, memory))

    def of_type(self, type_name: str) -> Redactor:
        """One for exchanges of the type, with the same key and memory: rule files may limit a place to a type."""
        if not self._masker.has_places:
            return self
        masker = self._masker.of_type(type_name)
        if masker is self._masker:
            return self
        return self._types.setdefault(type_name, self._with(masker))

    def _with(self, masker: Masker) -> Redactor:
        made = object.__new__(type(self))
        made._maker, made._masker, made._types = self._maker, masker, {}
        return made

    def stream(self) -> Scrubber:
        """Masks a body that comes in pieces as `data` does, in bounded memory."""
        return Scrubber(self._masker)

    def known(self) -> Mapping[bytes, bytes]:
        """Secrets that this one has masked, with their markers; empty unless it is one `of_trace`."""
        return self._masker.known

    @property
    def rule_of(self) -> Callable[[str], str | None]:
        """The rule of values under a name (`api_key`, `X-Api-Key`, `user.apiKey`); None if they are not secret."""
        return self._masker.rule_of

    @property
    def rule_of_column(self) -> Callable[[str], str | None]:
        """`rule_of` of a column, a field or a key; also a rule of which `counting` says if it masks a value."""
        return self._masker.rules.names.rule_of_column

    @property
    def may_tell(self) -> Callable[[str], bool]:
        """False if `value` masks nothing under a name for the name's sake: `rule_of`, and what may be a signature."""
        return self._masker.rules.names.may_tell

    def may_name(self, data: bytes) -> bool:
        """False if no part of `data`, taken as a name, has a rule by `rule_of`: cheap, and never wrong about False."""
        return self._masker.rules.names.may_name(data)

    def nothing_in(self, data: bytes) -> bool:
        """True if no method would mask `data`, nor a name or value that stands in it: one look, never wrong about True.

        It is for data that no place is named for; what is escaped in it is not seen.
        """
        masker = self._masker
        is_plain = not (masker.rules.patterns.has_further or masker.rules.names.may_name(data) or masker.shaped(data))
        return is_plain and not masker.may_be_known_in(data)

    @property
    def has_places(self) -> bool:
        """False if `rule_at` is None for every path."""
        return self._masker.has_places

    def rule_at(self, path: str) -> str | None:
        """The rule of a place that a rule file names, such as `request.parameters[0]`; None if none does."""
        return self._masker.rule_at(path)

    def marker(self, rule: str, value: str | bytes) -> str:
        """`[redacted:<rule>#<6 hex>]`; text and its UTF-8 bytes get the same, a marker stays itself."""
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        return self._masker.mark(rule, data).decode()

    @overload
    def stand_in(self, rule: str, value: bytes, kind: Literal["uuid", "bytea"]) -> bytes: ...
    @overload
    def stand_in(self, rule: str, value: bytes, kind: Literal["int2", "int4", "int8"]) -> int: ...
    def stand_in(self, rule: str, value: bytes, kind: StandInKind) -> bytes | int:
        """What stands for `value` in a type that holds no marker: 16 bytes of a uuid, a positive integer, bytes."""
        return self._maker.stand_in(rule, value, kind)

    def suspicious(self, data: bytes | str) -> bool:
        """False if no pattern can hit `data`: so cheap that whole results can be asked about before any value is."""
        masker = self._masker
        return masker.suspicious_text(data) if isinstance(data, str) else masker.suspicious(data)

    def shaped(self, data: bytes) -> bool:
        """`suspicious` of data in which `may_name` finds nothing: only what no name says to be a secret is left."""
        return self._masker.shaped(data)

    def text(self, text: str) -> str:
        """`text` with what looks like a secret masked."""
        return self._masker.scrub_text(text)

    def data(self, data: bytes) -> bytes:
        """`data`, text in any encoding, binary or compressed, with what looks like a secret masked."""
        return scrub_suspicious(data, self._masker) if self._masker.suspicious(data) else data

    def value(self, value: Value, path: str) -> tuple[Value, Paths]:
        """Plain data masked: under secret names every leaf, elsewhere by pattern; None, booleans and "" stay."""
        return redact_value(value, path, self._masker)

    def is_clean(self, values: Sequence[Value]) -> bool:
        """True if `value` would mask nothing in any of these lists and mappings: one look at all of them."""
        return is_clean(list(values), self._masker)

    def headers(self, pairs: Sequence[Sequence[bytes]], path: str) -> tuple[list[list[bytes]], Paths]:
        """Header pairs masked: the scheme of Authorization and cookie names stay; other headers by pattern."""
        return redact_headers(pairs, path, self._masker)

    def are_clean(self, pairs: Sequence[Sequence[bytes]], others: Sequence[bytes]) -> bool:
        """True if `headers` would mask none of the pairs, and `data` none of `others`: one look at all of them."""
        return are_clean(pairs, others, self._masker)

    def query(self, query_string: bytes, path: str) -> tuple[bytes, Paths]:
        """`a=1&token=x` masked, markers percent-encoded; what is not hit stays byte for byte."""
        return redact_query(query_string, path, self._masker)

    def body(self, data: bytes, content_type: str, content_encoding: str, path: str) -> tuple[bytes, Paths]:
        """A body masked by its type, codings undone and done again. The length may change: the caller mends headers."""
        return redact_body(data, content_type, content_encoding, path, self._masker)
