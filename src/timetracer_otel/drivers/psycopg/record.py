"""The taps: each psycopg function that sends a request or brings an answer calls a hook of `hooks` first or last.

PGconn is a C type that cannot be patched. But requests leave through methods of pure-Python classes, and answers come
through generators that pure-Python modules look up as globals: for the C and the Python implementation alike.
A wrapper calls the original exactly once, gives back what it gave and raises what it raised; hooks cannot raise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from timetracer_otel.capture.guard import asking, guarded
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.psycopg import connecting, copying, hooks, listening, streaming
from timetracer_otel.drivers.psycopg.names import ABSENT, base, module_defining, module_of
from timetracer_otel.drivers.psycopg.pooling import PoolTaps
from timetracer_otel.drivers.psycopg.sending import Function, Hook, Sending
from timetracer_otel.drivers.psycopg.tracking import LIBRARY, busy

LOST: Final = "statements are not recorded"


@dataclass(frozen=True, slots=True)
class Tap:
    owner: Any
    """A class or a module of psycopg."""
    name: str
    wrapper: Function


def _commanding(is_unheard: Hook, before: Hook, not_sent: Hook) -> Function:
    """Around the generator that sends a command and waits for its answer."""

    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def tapped(self: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            if is_unheard():
                return (yield from original(self, *args, **kwargs))
            before(self, *args, **kwargs)
            try:
                return (yield from original(self, *args, **kwargs))
            except BaseException:
                not_sent(self)
                raise

        return tapped

    return wrap


def _answering(is_awaited: Hook, after: Hook, broken: Hook, waiting: Collection[int] | None = None) -> Function:
    """Around the generator that waits for all results of a request, which has been sent when that is made.

    Nothing is asked while `waiting`, those that wait for an answer, is empty.
    """

    def wrap(original: Function) -> Function:
        def heard(pgconn: Any, *args: Any) -> Generator[Any, Any, Any]:
            try:
                results = yield from original(pgconn, *args)
            except BaseException as error:
                broken(pgconn, error)
                raise
            after(pgconn, results)
            return results

        @functools.wraps(original)
        def tapped(pgconn: Any, *args: Any) -> Any:
            if (waiting is None or waiting) and is_awaited(pgconn, *args):
                return heard(pgconn, *args)
            return original(pgconn, *args) if args else original(pgconn)  # `*` takes longer than the rest of this

        return tapped

    return wrap


def _before(hook: Hook) -> Function:
    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            hook(*args, **kwargs)
            return original(*args, **kwargs)

        return tapped

    return wrap


def _before_static(hook: Hook) -> Function:
    def wrap(original: staticmethod[..., Any]) -> object:
        return staticmethod(_before(hook)(original.__func__))

    return wrap


def _listening(before: Hook, after: Hook) -> Function:
    """Around the generator that waits for notifications; a wait that is given up has heard none."""

    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def tapped(pgconn: Any) -> Generator[Any, Any, Any]:
            captured, notifications = before(pgconn), ()
            try:
                notifications = yield from original(pgconn)
                return notifications
            finally:
                if captured is not None:
                    after(pgconn, captured, notifications)

        return tapped

    return wrap


def _resolving(after: Hook, failed: Hook) -> Function:
    """Around what finds the servers to connect to."""

    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def tapped(parameters: Any) -> Any:
            try:
                attempts = original(parameters)
            except BaseException as error:
                failed(parameters, error)
                raise
            after(parameters, attempts)
            return attempts

        return tapped

    return wrap


def _resolving_async(after: Hook, failed: Hook) -> Function:
    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        async def tapped(parameters: Any) -> Any:
            try:
                attempts = await original(parameters)
            except BaseException as error:
                failed(parameters, error)
                raise
            after(parameters, attempts)
            return attempts

        return tapped

    return wrap


def _connecting(after: Hook, failed: Hook) -> Function:
    """Around the wait for one server: the generator itself may not be told when the wait is given up."""

    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            try:
                pgconn = original(*args, **kwargs)
            except BaseException as error:
                failed(error)
                raise
            after()
            return pgconn

        return tapped

    return wrap


def _connecting_async(after: Hook, failed: Hook) -> Function:
    def wrap(original: Function) -> Function:
        @functools.wraps(original)
        async def tapped(*args: Any, **kwargs: Any) -> Any:
            try:
                pgconn = await original(*args, **kwargs)
            except BaseException as error:
                failed(error)
                raise
            after()
            return pgconn

        return tapped

    return wrap


def _taps() -> Iterator[Tap]:
    import psycopg
    from psycopg import generators

    guard = guarded(LIBRARY)
    cursor, connection = base(psycopg.Cursor, "BaseCursor"), base(psycopg.Connection, "BaseConnection")
    client, server = base(psycopg.ClientCursor, "ClientCursorMixin"), base(psycopg.ServerCursor, "ServerCursorMixin")
    pipeline = base(psycopg.Pipeline, "BasePipeline")
    is_unheard, not_sent = asking(LIBRARY)(hooks.is_unheard), guard(hooks.not_sent)

    def sending(before: Hook) -> Sending:
        return Sending(is_unheard, guard(before), not_sent)

    answering = _answering(guard(hooks.is_awaited), guard(hooks.answered), guard(hooks.broken), busy)
    statement = functools.partial(sending(hooks.executing).wrap_statement, is_wanted=guard(hooks.is_greeting))
    yield Tap(cursor, "_execute_send", statement)
    yield Tap(client, "_execute_send", sending(hooks.executing_merged).wrap)
    yield Tap(cursor, "_send_prepare", sending(hooks.preparing).wrap)
    yield Tap(cursor, "_send_query_prepared", sending(hooks.executing_prepared).wrap_prepared)
    yield Tap(connection, "_exec_command", _commanding(is_unheard, guard(hooks.commanding), not_sent))
    yield Tap(server, "_describe_gen", _commanding(is_unheard, guard(hooks.describing), not_sent))
    yield Tap(connection, "_notice_handler", _before_static(guard(hooks.noticed)))
    yield Tap(pipeline, "_process_results", _before(guard(hooks.answered_in_pipeline)))
    yield Tap(pipeline, "_exit", _before(guard(hooks.left_pipeline)))
    yield Tap(module_of(cursor), "execute", answering)
    yield Tap(module_of(cursor), "send", _before(guard(streaming.began)))
    rows = _answering(guard(streaming.is_read), guard(streaming.read), guard(streaming.broken))
    yield Tap(module_of(cursor), "fetch", rows)
    yield Tap(module_of(server), "execute", answering)
    yield from _taps_of_copy(guard)
    yield from _taps_of_connect(guard)
    yield Tap(connection, "_notify_handler", _before_static(guard(listening.notified)))
    for owner in (psycopg.Connection, psycopg.AsyncConnection):
        yield Tap(module_defining(owner), "notifies", _listening(guard(listening.waiting), guard(listening.heard)))
    # From 3.2 on connections find `execute` in its module, before they have imported it by name.
    has_own = "execute" in vars(module_of(connection)) if connection is not ABSENT else False
    yield Tap(module_of(connection) if has_own else generators, "execute", answering)


def _taps_of_connect(guard: Callable[[Hook], Hook]) -> Iterator[Tap]:
    import psycopg
    from psycopg import waiting

    known, unresolved = guard(connecting.dialling), guard(connecting.unresolved)
    connected, failed = guard(connecting.connected), guard(connecting.failed)
    yield Tap(module_defining(psycopg.Connection), "conninfo_attempts", _resolving(known, unresolved))
    attempts = _resolving_async(known, unresolved)
    yield Tap(module_defining(psycopg.AsyncConnection), "conninfo_attempts_async", attempts)
    yield Tap(waiting, "wait_conn", _connecting(connected, failed))
    yield Tap(waiting, "wait_conn_async", _connecting_async(connected, failed))


def _taps_of_copy(guard: Callable[[Hook], Hook]) -> Iterator[Tap]:
    import psycopg

    ended, broken = guard(copying.ended), guard(copying.broken)
    reading = _answering(guard(copying.is_read), guard(copying.read), broken)
    yield Tap(module_of(base(psycopg.Copy, "BaseCopy")), "copy_from", reading)
    for copy in (psycopg.Copy, psycopg.AsyncCopy):
        module = module_defining(copy)
        yield Tap(module, "copy_to", _before(guard(copying.writing)))
        yield Tap(module, "copy_end", _answering(guard(copying.is_ending), ended, broken))


class PsycopgRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()
        self._pools = PoolTaps()

    def install(self) -> None:
        if self._patches:
            return
        taps = list(_taps())
        require("psycopg", ((tap.owner, tap.name) for tap in taps), LOST, own=True)
        for tap in taps:
            self._patches.put(tap.owner, tap.name, tap.wrapper(vars(tap.owner)[tap.name]))
        self._pools.install()

    def uninstall(self) -> None:
        self._pools.uninstall()
        self._patches.undo()


RECORDING: Final = PsycopgRecording()
