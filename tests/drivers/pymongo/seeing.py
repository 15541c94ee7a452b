"""What a program saw of a server, as text that two runs can be compared by: `repr`, and of documents their BSON too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.errors import PyMongoError

LOSSLESS: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
VOLATILE = ("operationTime", "$clusterTime", "localTime")


def seen(value: Any) -> Any:
    if isinstance(value, RawBSONDocument):
        return value.raw.hex()
    if isinstance(value, dict):
        return repr(value), _bson_of(value)
    if isinstance(value, (list, tuple)):
        return [seen(each) for each in value]
    if hasattr(value, "raw_result") or hasattr(value, "inserted_id") or hasattr(value, "inserted_ids"):
        return type(value).__name__, repr(value)
    return repr(value)


def _bson_of(value: dict[str, Any]) -> str:
    try:
        return bson.encode(value, codec_options=LOSSLESS).hex()
    except (bson.errors.BSONError, ValueError, TypeError):
        return ""


def error_of(call: Callable[[], Any]) -> Any:
    """What it gives, or what it raises with all that the server said."""
    try:
        return seen(call())
    except PyMongoError as error:
        return _told(error)


async def error_in(call: Awaitable[Any]) -> Any:
    try:
        return seen(await call)
    except PyMongoError as error:
        return _told(error)


def _told(error: PyMongoError) -> Any:
    return type(error).__name__, str(error), repr(getattr(error, "code", None)), repr(getattr(error, "details", None))
