"""Whether a call holds nothing to be masked: most do, and one look at all of it as text tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from timetracer_otel.cassette.model import Payload
from timetracer_otel.cassette.quick import dumps_strictly
from timetracer_otel.drivers.botocore.telling_names import are_harmless
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

_NAME_ENDS: Final = '":'
_SPACES: Final = ('" ', '"\n', '"\t', '"\r')
_UNSEEN: Final = ("\\", "\0", *_SPACES)
"""What is escaped looks like something else, and what is spelled out ends its names in another way."""
_BEGINS: Final = (b"{", b"[")


def is_clean(encoded: Encoded, redactor: Redactor) -> bool:
    """True if nothing in the call is to be masked, which is never wrong. False says nothing."""
    params = cast(Mapping[str, object], encoded.request["params"])
    if redactor.has_places or bytes in map(type, params.values()):  # a body is masked by what it is, and unpacked
        return False
    texts = _texts(encoded, redactor)
    if texts is None:
        return False
    data = b",".join(texts)
    text = data.decode("latin-1")  # `in` on text costs a tenth of what it costs on bytes
    if any(sign in text for sign in _UNSEEN):
        return False
    names = {piece[piece.rfind('"') + 1 :] for piece in text.split(_NAME_ENDS)[:-1]}
    return are_harmless(names, encoded.url) and not any(map(redactor.may_tell, names)) and redactor.nothing_in(data)


def _texts(encoded: Encoded, redactor: Redactor) -> list[bytes] | None:
    """The parameters as JSON, and of each answer the values of its headers and its JSON; None where there is more."""
    try:
        texts = [dumps_strictly(encoded.request["params"])]
    except TypeError:  # a lone surrogate, a large integer
        return None
    for attempt in cast("Sequence[Payload]", encoded.result.get("attempts", ())):
        if "status" not in attempt:
            return None
        headers = {name.lower(): value for name, value in cast("Sequence[Sequence[str]]", attempt["headers"])}
        body = cast(bytes, attempt["body"])
        if any(map(redactor.rule_of, headers)) or (body and not _is_json(body, headers)):
            return None
        texts += (",".join(headers.values()).encode("utf-8", "surrogatepass"), body)
    return texts


def _is_json(body: bytes, headers: Mapping[str, str]) -> bool:
    """Of one character set, neither compressed nor of several parts."""
    kind = headers.get("content-type", "")
    return "json" in kind and "=" not in kind and "content-encoding" not in headers and body[:1] in _BEGINS
