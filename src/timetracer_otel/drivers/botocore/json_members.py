"""Parameters that the service treats as JSON: compared by content, not by spelling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from timetracer_otel.cassette.model import Value

MEMBERS: Final[frozenset[tuple[str, str, str]]] = frozenset(
    {
        ("lambda", "Invoke", "Payload"),
        ("lambda", "InvokeAsync", "InvokeArgs"),
        ("lambda", "InvokeWithResponseStream", "Payload"),
        ("stepfunctions", "StartExecution", "input"),
        ("stepfunctions", "StartSyncExecution", "input"),
        ("stepfunctions", "SendTaskSuccess", "output"),
        ("bedrock-runtime", "InvokeModel", "body"),
        ("bedrock-runtime", "InvokeModelWithResponseStream", "body"),
        ("iam", "CreateRole", "AssumeRolePolicyDocument"),
        ("iam", "CreatePolicy", "PolicyDocument"),
        ("iam", "PutRolePolicy", "PolicyDocument"),
        ("s3", "PutBucketPolicy", "Policy"),
    }
)


def is_json(service: str, operation: str, member: str, params: Mapping[str, Value]) -> bool:
    """A message of SNS is JSON where it says so: then each protocol gets its own part of it."""
    if (service, operation, member) == ("sns", "Publish", "Message"):
        return params.get("MessageStructure") == "json"
    return (service, operation, member) in MEMBERS


class _Repeated(ValueError):
    """A name stands twice in one object: readers differ in what they make of that."""


def decoded(value: Value) -> tuple[Any] | None:
    """The one value that the text stands for; None if it is no JSON, or says something twice."""
    if not isinstance(value, (str, bytes)):
        return None
    try:
        return (json.loads(value, object_pairs_hook=_object, parse_float=Decimal),)
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found
