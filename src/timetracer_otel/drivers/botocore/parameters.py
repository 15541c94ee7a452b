"""Parameters of a call, after botocore's own handlers have been at them: copied when recorded, plain in a cassette."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

from timetracer_otel.cassette.model import Value


class Stream:
    """Stands for a parameter that botocore reads while it sends: its content is what was sent."""

    def __repr__(self) -> str:
        return "STREAM"


STREAM: Final = Stream()
_KEPT: Final = (str, bytes, int, float, bool, type(None))
_PLAIN: Final = frozenset[type]({str, bytes, int, bool, type(None), dict, list})
"""No float: JSON has no NaN."""


def snapshot(value: Any) -> Any:
    """A copy of what can change; nothing is read, and what cannot change is kept by reference."""
    if isinstance(value, _KEPT):
        return value
    if type(value) is dict or isinstance(value, Mapping):  # to ask an abstract class takes longer than the copy
        return {key: snapshot(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [snapshot(each) for each in value]
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return STREAM if hasattr(value, "read") else value


def is_plain(params: Any) -> bool:
    """True of parameters that `plain` would give as they are; no name in them begins with "$", and none is a float."""
    waiting = [params]
    while waiting:
        each = waiting.pop()
        if type(each) is dict:
            for name in each:
                if type(name) is not str or name[:1] == "$":
                    return False
            each = each.values()
        if not _PLAIN.issuperset(map(type, each)):
            return False
        waiting += [value for value in each if type(value) is dict or type(value) is list]
    return True


def plain(value: Any, content: Value = None) -> Value:
    """A snapshot as a payload of the cassette, with `content` in place of a stream. A point in time becomes ISO text in
    UTC: to the service another spelling of it is the same."""
    if isinstance(value, _KEPT):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each, content) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each, content) for each in value]
    if value is STREAM:
        return content
    return iso(value) if isinstance(value, datetime.date) else str(value)


def iso(moment: datetime.date) -> str:
    """As botocore reads it: what has no offset is local time if it has a time, and a day begins in UTC."""
    if not isinstance(moment, datetime.datetime):
        moment = datetime.datetime(moment.year, moment.month, moment.day, tzinfo=datetime.timezone.utc)
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")
