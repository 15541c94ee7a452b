"""Inputs that begin as a seed: bytes cut, repeated and flipped; JSON with values of another kind, and hostile names."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st

HOSTILE: Final = (
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe\u2066",
    "a\nb\r\nc\u2028d",
    "</code></details><script>alert(1)</script>",
    "```\n# x [y](javascript:z) @team",
    "| a | b |\n|---|---|",
    "[bold red]x[/]",
    "\ud800",
    "\x00",
    "../../etc/passwd",
    "{{7*7}} ${HOME} %s %(x)s {0}",
    "",
    "x" * 5000,
)
ODD: Final[tuple[Any, ...]] = (None, True, -1, 0, 1 << 70, 1e308, -0.0, [], {}, [[]], "1", *HOSTILE)


def inputs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    documents = [json.loads(each) for each in seeds if _is_json(each)]
    known = st.sampled_from(list(seeds))
    forms = [st.binary(max_size=200), st.builds(_changed, known, st.lists(CHANGES, min_size=1, max_size=6))]
    if documents:
        forms.append(st.builds(_rewritten, st.sampled_from(documents), st.lists(REPLACEMENTS, min_size=1, max_size=4)))
    return st.one_of(forms)


CHANGES: Final = st.tuples(st.integers(0, 1 << 20), st.integers(0, 40), st.binary(max_size=12), st.booleans())
"""Where, how many bytes go, what comes in their place, and whether all behind is cut off."""
REPLACEMENTS: Final = st.tuples(st.integers(0, 1 << 30), st.sampled_from(ODD), st.booleans())
"""Which value, what takes its place, and whether it is its name that changes."""


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _changed(seed: bytes, changes: Sequence[tuple[int, int, bytes, bool]]) -> bytes:
    for where, gone, new, is_cut in changes:
        at = where % (len(seed) + 1)
        seed = seed[:at] + new + (b"" if is_cut else seed[at + gone :])
    return seed


def _rewritten(document: Any, replacements: Sequence[tuple[int, Any, bool]]) -> bytes:
    made = json.loads(json.dumps(document))
    for number, value, is_name in replacements:
        places = list(_places(made))
        if places:
            container, key = places[number % len(places)]
            if is_name and isinstance(container, dict) and isinstance(value, str):
                container[value] = container.pop(key)
            else:
                container[key] = copy.deepcopy(value)
    return json.dumps(made).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of everything in it."""
    if isinstance(value, (dict, list)):
        for key, item in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
            yield value, key
            yield from _places(item)
