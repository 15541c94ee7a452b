"""Secrets of a trace that an exception tells as its whole message: `ValueError(password)`, `KeyError(password)`.

A short secret is not looked for inside of other texts. Where it is the message, the texts that repeat the message, such
as a traceback, are known to hold it.
"""

from __future__ import annotations

from collections.abc import Mapping


def told(message: str, known: Mapping[bytes, bytes]) -> tuple[str, str] | None:
    """The message and what stands for it, if it is one of the `known` secrets, or one as `repr` quotes it."""
    if (marker := _marker(message, known)) is not None:
        return message, marker
    quote = message[:1]
    is_quoted = len(message) > 2 and quote in ("'", '"') and message[-1] == quote
    marker = _marker(message[1:-1], known) if is_quoted else None
    return None if marker is None else (message, f"{quote}{marker}{quote}")


def _marker(text: str, known: Mapping[bytes, bytes]) -> str | None:
    marker = known.get(text.encode("utf-8", "surrogatepass"))
    return None if marker is None else marker.decode()
