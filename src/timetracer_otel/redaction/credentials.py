"""Credentials of schemes that sign each request: named fields, of which some say who asks and others are minted anew.

Source: RFC 7616 (Digest), RFC 5849 (OAuth 1), Signature Version 4 of AWS, Hawk, HTTP Signatures (draft-cavage).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

SIGNING: Final = frozenset(b"digest oauth hawk aws4-hmac-sha256 aws4-ecdsa-p256-sha256 signature".split())
PER_CALL: Final = frozenset(
    b"nonce cnonce nc response uri opaque signature signedheaders oauth_nonce oauth_timestamp oauth_signature "
    b"ts mac hash created expires headers".split()
)
"""What differs with each request, or follows from the rest of it."""
_PLAIN: Final = frozenset(b"realm qop algorithm signedheaders oauth_version oauth_signature_method headers".split())
"""What is no secret and names nobody."""
_CREDENTIAL: Final = b"credential"
"""Of AWS: key id, date, region, service, a constant, between strokes."""
_FIELD: Final = re.compile(rb'([\s,]*)([\w-]{1,64})(\s*=\s*"?)((?<=")(?:[^"\\]|\\.)*|(?<!")[^",\s]*)("?)')


class Field(NamedTuple):
    before: bytes
    name: bytes
    equals: bytes
    value: bytes
    after: bytes


def fields(credentials: bytes) -> list[Field]:
    """Those behind the scheme; none where it is no list of fields."""
    found, at = list[Field](), 0
    while at < len(credentials):
        match = _FIELD.match(credentials, at)
        if match is None:
            return [] if credentials[at:].strip(b", \t") else found
        found.append(Field(*match.groups()))
        at = match.end()
    return found


def masked(credentials: bytes, mark: Callable[[bytes], bytes]) -> bytes | None:
    """Field by field; None where it has none."""
    found = fields(credentials)
    return b"".join(b"".join(each._replace(value=_masked(each, mark))) for each in found) if found else None


def _masked(field: Field, mark: Callable[[bytes], bytes]) -> bytes:
    name = field.name.lower()
    if name in _PLAIN or not field.value:
        return field.value
    if name != _CREDENTIAL:
        return mark(field.value)
    key, stroke, scope = field.value.partition(b"/")
    return mark(key) + stroke + scope


def counted(credentials: bytes) -> dict[str, bytes]:
    """What tells two who ask apart, by its name; empty where it is no list of fields."""
    found = ((each.name.lower(), each.value) for each in fields(credentials))
    return {
        name.decode("latin-1"): _undated(value) if name == _CREDENTIAL else value
        for name, value in found
        if name not in PER_CALL
    }


def _undated(credential: bytes) -> bytes:
    key, _, scope = credential.partition(b"/")
    return b"/".join((key, scope.partition(b"/")[2]))
