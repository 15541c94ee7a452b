"""Where pymongo keeps what the taps and the redirection need."""

from __future__ import annotations

from typing import Any, Final

from timetracer_otel.drivers.missing import MissingNames

LIBRARY: Final = "pymongo"
TOO_OLD: Final = "it is recorded and replayed from 4.9 on"

SELECT, CONNECT = "mongo.select", "net.connect"
"""Types of exchanges that are no commands: no server fitted; or one did, and gave no connection."""
FAILURE: Final = "failure"
"""Of their results."""
UNANSWERED: Final = "unanswered"
"""In place of an exception's type: the app waited until it had enough."""

SENSITIVE: Final = frozenset(
    {
        "authenticate",
        "copydb",
        "copydbgetnonce",
        "copydbsaslstart",
        "createuser",
        "getnonce",
        "logout",
        "saslcontinue",
        "saslstart",
        "updateuser",
    }
)
"""Commands of which neither events nor recordings tell anything.

Source: pymongo 4.20, monitoring.py, `_SENSITIVE_COMMANDS`; `logout` beside them.
"""


def connection_classes() -> tuple[Any, Any]:
    """The class of a synchronous and of an asynchronous connection. Raises MissingNames before pymongo 4.9."""
    import pymongo

    try:
        from pymongo.asynchronous.pool import AsyncConnection
        from pymongo.synchronous.pool import Connection
    except ImportError as error:
        raise MissingNames(LIBRARY, pymongo.version, ("pymongo.asynchronous",), TOO_OLD) from error
    return Connection, AsyncConnection


def client_classes() -> tuple[Any, Any]:
    """MongoClient and AsyncMongoClient."""
    from pymongo.asynchronous.mongo_client import AsyncMongoClient
    from pymongo.synchronous.mongo_client import MongoClient

    return MongoClient, AsyncMongoClient
