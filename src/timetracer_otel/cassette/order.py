"""Whether two values are the same but for their order, as a set gives it that is iterated under another hash seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NESTED_MAX = 100


def is_reordered(a: Any, b: Any) -> bool:
    """True for two lists, or two arrays of PostgreSQL as text, that hold the same values in another order.

    (Any: values of a cassette, before or after their encoding.)
    """
    if isinstance(a, str) and isinstance(b, str) and _is_array(a) and _is_array(b):
        return a != b and sorted(a[1:-1].split(",")) == sorted(b[1:-1].split(","))
    if not (isinstance(a, (list, tuple)) and isinstance(b, (list, tuple))):
        return False
    return len(a) == len(b) and _canonical(a) != _canonical(b) and is_same_multiset(a, b)


def is_same_multiset(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """True for the same values in any order; 1, 1.0 and true are three."""
    return len(a) == len(b) and sorted(map(_canonical, a)) == sorted(map(_canonical, b))


def _is_array(text: str) -> bool:
    return text.startswith("{") and text.endswith("}")


def _canonical(value: Any, depth: int = 0) -> str:
    """Members of an object have no order."""
    if depth < NESTED_MAX:
        if isinstance(value, Mapping):
            return f"{{{','.join(sorted(f'{key!r}:{_canonical(each, depth + 1)}' for key, each in value.items()))}}}"
        if isinstance(value, (list, tuple)):
            return f"[{','.join(_canonical(each, depth + 1) for each in value)}]"
    return f"{type(value).__name__} {value!r}"
