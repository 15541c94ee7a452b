"""Places that a rule file names inside of JSON: `$.user.email`, `$[*].card`. Spliced in place, as `json_text` does."""

from __future__ import annotations

import re
from typing import Final

from timetracer_otel.redaction.json_strings import STRING_BODY, plain
from timetracer_otel.redaction.json_text import masked_value
from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.places import Places

_TOKEN: Final = re.compile(rb'"(?P<body>' + STRING_BODY + rb')(?:"|\\?\Z)|[{}\[\],]|(?P<colon>:)|[^\s"{}\[\],:]+')


def redact_json_places(data: bytes, places: Places, masker: Masker) -> bytes:
    """`data` with what stands at the places masked; the same object when nothing does."""
    walk = _Walk(data)
    pieces, end = list[bytes](), 0
    while (start := walk.next_value()) is not None:
        rule = places.rule_of_steps(walk.steps())
        if rule is not None:
            stop, masked = masked_value(data, start, rule, masker)
            pieces += [data[end:start], masked]
            end = walk.position = max(stop, start + 1)
        elif data[start : start + 1] in (b"{", b"["):
            walk.enter(data[start : start + 1] == b"{")
    return b"".join([*pieces, data[end:]]) if pieces else data


class _Walk:
    """Over the values of a document, good or broken, from the outside to the inside."""

    def __init__(self, data: bytes) -> None:
        self.position = 0
        self._data = data
        self._path: list[tuple[bool, str | int]] = []
        """Of each container that is open: whether it is an object, and the name or number of the member now."""

    def steps(self) -> tuple[str, ...]:
        return tuple(str(step) for _, step in self._path)

    def enter(self, is_object: bool) -> None:
        self._path.append((is_object, "" if is_object else 0))

    def next_value(self) -> int | None:
        """Where the next value starts; names, commas and closing brackets are taken on the way."""
        while (token := _TOKEN.search(self._data, self.position)) is not None:
            self.position = token.end()
            if token[0] in (b"}", b"]"):
                del self._path[-1:]
            elif token[0] == b",":
                self._next_item()
            elif not token["colon"] and not self._is_name(token):
                return token.start()
        return None

    def _next_item(self) -> None:
        if self._path and isinstance(index := self._path[-1][1], int):
            self._path[-1] = (False, index + 1)

    def _is_name(self, token: re.Match[bytes]) -> bool:
        if token["body"] is None or not self._path or not self._path[-1][0]:
            return False
        following = _TOKEN.search(self._data, token.end())
        if following is None or not following["colon"]:
            return False
        self._path[-1] = (True, plain(token["body"]).decode("utf-8", "replace"))
        self.position = following.end()
        return True
