"""Arguments by position: what a task calls them says which of them are secrets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.celery.typed import TAG
from timetracer_otel.redaction import Redactor

PARAMETERS: Final = "parameters"
"""Of a request: the names, of each task that is given arguments by position."""
BY_POSITION: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_LEAVES: Final = frozenset[type]({str, bytes, int, float, bool, type(None)})
TASKS_MAX: Final = 512
"""Whose parameters are remembered: to ask for them takes longer than all else here."""


def named(request: Payload, app: Any) -> dict[str, Value]:
    """The request with the names of what stands in it by position. Any: a Celery app."""
    tasks = {str(call["task"]) for call in _calls(request) if _positions(call["args"])}
    return _with_names(request, app, sorted(tasks))


def named_alone(request: Payload, app: Any) -> dict[str, Value]:
    """`named` of a task in whose arguments and options no further task stands."""
    return _with_names(request, app, [str(request["task"])] if _positions(request["args"]) else [])


def _with_names(request: Payload, app: Any, tasks: Sequence[str]) -> dict[str, Value]:
    found: dict[str, Value] = {task: names for task in tasks if (names := _names(app, task))}
    return {**request, PARAMETERS: found} if found else dict(request)


def mask(request: Payload, path: str, redactor: Redactor) -> tuple[Payload, tuple[str, ...]]:
    """The request with arguments masked that have the name of a secret; the same object where none has."""
    names = request.get(PARAMETERS)
    if not isinstance(names, Mapping) or not any(_are_secret(each, redactor) for each in names.values()):
        return request, ()
    rules: dict[int, dict[int, str]] = {}
    for call in _calls(request):
        known = names.get(str(call["task"]))
        secret = {
            at: str(name) for at, name in enumerate(known if isinstance(known, list) else ()) if _is(name, redactor)
        }
        if secret:
            rules[id(_positions(call["args"]))] = secret
    if not rules:
        return request, ()
    paths: list[str] = []
    masked = _masked(request, path, rules, redactor, paths)
    assert isinstance(masked, dict)
    return (masked, tuple(paths)) if paths else (request, ())


def _are_secret(names: Value, redactor: Redactor) -> bool:
    """Any of them is."""
    return isinstance(names, list) and any(_is(name, redactor) for name in names)


def _is(name: object, redactor: Redactor) -> bool:
    return redactor.rule_of(str(name)) is not None


def _masked(
    value: Value, path: str, rules: Mapping[int, Mapping[int, str]], redactor: Redactor, paths: list[str]
) -> Value:
    if isinstance(value, Mapping):
        return {name: _masked(each, f"{path}.{name}", rules, redactor, paths) for name, each in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    names, found = rules.get(id(value), {}), list[Value]()
    for index, each in enumerate(value):
        step = f"{path}[{index}]"
        if index in names:
            under, hits = redactor.value({names[index]: each}, step)
            assert isinstance(under, dict)
            paths += [step] if hits else []
            found.append(under[names[index]])
        else:
            found.append(_masked(each, step, rules, redactor, paths))
    return found


def _calls(value: Value) -> Iterator[Mapping[str, Value]]:
    """Every task with its arguments: the one of the message, and those of chains, chords and callbacks."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if isinstance(each.get("task"), str) and "args" in each:
                yield each
            waiting += [value for value in each.values() if type(value) not in _LEAVES]
        elif isinstance(each, (list, tuple)):
            waiting += [value for value in each if type(value) not in _LEAVES]


def _positions(args: Value) -> Sequence[Value]:
    """Of a list, or of a tuple as it is kept."""
    found = args.get("items") if isinstance(args, Mapping) and args.get(TAG) == "tuple" else args
    return found if isinstance(found, (list, tuple)) else ()


def _names(app: Any, task: str) -> list[Value]:
    """As the task's function spells them; empty for one that this process does not know."""
    run = getattr(app._tasks.get(task), "run", None) if hasattr(app, "_tasks") else None
    if not callable(run):
        return []
    try:
        return list(_positional(run))
    except TypeError:  # no key of a cache
        return list(_positional.__wrapped__(run))


@lru_cache(maxsize=TASKS_MAX)
def _positional(run: Callable[..., object]) -> Sequence[str]:
    try:
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(each.name for each in parameters if each.kind in BY_POSITION)
