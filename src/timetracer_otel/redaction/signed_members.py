"""Signatures of addresses that were taken apart: members of a document, fields of a form, parts of multipart, columns.

Their names say too little: `sig` counts where its value is 32 bytes in base64, with or without its padding, or in
hexadecimal, and `Signature` and `Policy` where the id of the key that made them stands beside them.
Source: shared access signatures of Azure, signed URLs of CloudFront and Google, forms that post to S3, of
both versions: the policy of the fourth has the session token in its base64.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

RULE: Final = "signature"
HASH: Final = rb"(?:(?:[A-Za-z0-9+/_-]|%2[BbFf]){43}(?:=|%3[Dd])?|[0-9a-f]{64}|[0-9A-F]{64})"
BY_LOOK: Final = "sig"
OPEN: Final = "sig?"
"""The rule of what stands under that name as long as nobody has looked at it."""
BY_NEIGHBOUR: Final = frozenset(("signature", "policy"))
SIGNERS: Final = frozenset(
    {
        *("key-pair-id", "keypairid", "key_pair_id", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid"),
        *("x-amz-credential", "x-goog-credential"),
    }
)
"""Ids of keys, in lower case."""
MEMBERS: Final = SIGNERS | BY_NEIGHBOUR | {BY_LOOK}
TELLING: Final = SIGNERS | {BY_LOOK}
"""Without one of them nothing is a signature."""
_WHOLE: Final = re.compile(HASH)
_SIGNS: Final = (
    b'sig"',
    b'SIG"',
    b'-Pair-Id"',
    b'airId"',
    b'pair_id"',
    b'AWSAccessKeyId"',
    b'AccessId"',
    b'OSSAccessKeyId"',
    b'-credential"',
    b'-Credential"',
)


def last_of(name: str) -> str:
    """The last part of a dotted name, in lower case."""
    return name.lower().rpartition(".")[2]


def may_tell(data: bytes) -> bool:
    """False if no member of `data`, JSON, is in `TELLING`, as those who sign spell them."""
    return any(sign in data for sign in _SIGNS)


def is_hash(value: object) -> bool:
    """True if a text may be such a signature."""
    if isinstance(value, str) and len(value) < 200:
        value = value.encode("utf-8", "surrogatepass")
    return isinstance(value, bytes) and _WHOLE.fullmatch(value) is not None


def counting(rule: str | None, value: object) -> str | None:
    """The rule that masks the value, whose name has this one."""
    if rule != OPEN:
        return rule
    return RULE if is_hash(value) else None


def rules_of_names(members: Collection[str]) -> dict[str, str]:
    """The rule of each member of one document that may be a signature; `OPEN` if its value decides."""
    last = {member: last_of(member) for member in members}
    rules = {BY_LOOK: OPEN, **({} if SIGNERS.isdisjoint(last.values()) else dict.fromkeys(BY_NEIGHBOUR, RULE))}
    return {member: rules[name] for member, name in last.items() if name in rules}


def signed(members: Collection[str], value_of: Callable[[str], object]) -> dict[str, str]:
    """Which members of one document are signatures, with their rule."""
    rules = rules_of_names(members)
    return {member: RULE for member, rule in rules.items() if rule == RULE or is_hash(value_of(member))}
