"""Around the methods of psycopg that hand a request to libpq.

The two that each statement goes through are written out argument by argument: to pass them on by `*` and `**` takes
three times as long as all the rest of a tap that has nothing to record.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Hook: TypeAlias = Callable[..., object]
# psycopg's private functions have no types of their own that hold for all its versions.
Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Sending:
    """The hooks, none of which raises: is nobody interested; before it is sent; it was not sent."""

    is_unheard: Callable[[], object]
    before: Hook
    not_sent: Hook

    def wrap(self, original: Function) -> Function:
        is_unheard, before, not_sent = self.is_unheard, self.before, self.not_sent

        @functools.wraps(original)
        def tapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            if is_unheard():
                return original(self, *args, **kwargs)
            before(self, *args, **kwargs)
            try:
                return original(self, *args, **kwargs)
            except BaseException:
                not_sent(self)
                raise

        return tapped

    def wrap_prepared(self, original: Function) -> Function:
        """`wrap` of `_send_query_prepared`."""
        is_unheard, before, not_sent = self.is_unheard, self.before, self.not_sent

        @functools.wraps(original)
        def tapped(self: Any, name: bytes, pgq: Any, *, binary: bool | None = None) -> Any:
            if is_unheard():
                return original(self, name, pgq, binary=binary)
            before(self, name, pgq, binary=binary)
            try:
                return original(self, name, pgq, binary=binary)
            except BaseException:
                not_sent(self)
                raise

        return tapped if _take_the_same(tapped, original) else self.wrap(original)

    def wrap_statement(self, original: Function, is_wanted: Callable[[Any], object]) -> Function:
        """`wrap` of `_execute_send`; `is_wanted` is asked of the statement where nobody is interested."""
        is_unheard, before, not_sent = self.is_unheard, self.before, self.not_sent

        @functools.wraps(original)
        def tapped(self: Any, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> Any:
            if is_unheard() and not is_wanted(query):
                return original(self, query, force_extended=force_extended, binary=binary)
            before(self, query, force_extended=force_extended, binary=binary)
            try:
                return original(self, query, force_extended=force_extended, binary=binary)
            except BaseException:
                not_sent(self)
                raise

        if _take_the_same(tapped, original):
            return tapped
        return replace(self, is_unheard=_never).wrap(original)  # the hook finds out by itself


def _never() -> bool:
    return False


def _take_the_same(tapped: Function, original: Function) -> bool:
    """A release of psycopg may change what its private functions take."""
    return _form(tapped) == _form(original)


def _form(function: Function) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters]
