"""Documents inside of values: BSON that the application keeps as bytes, and the scope of code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timetracer_otel.drivers.pymongo.whole_values import UUIDS, content_of
from timetracer_otel.wire.mongo import bson

CODE, SCOPE = b"$code", b"$scope"
"""How Extended JSON names the two parts of code with a scope."""
DOCUMENT_MIN: Final = 5


def documents_in(part: bson.Element) -> Sequence[bytes]:
    """The documents of which a binary value consists; none if it is anything else.

    That masking makes no difference to what it finds holds both ways: masked documents are documents.
    """
    if part.kind != bson.BINARY:
        return ()
    subtype, data = content_of(part.value)
    return () if subtype in UUIDS or len(data) <= DOCUMENT_MIN else bson.documents(data)
