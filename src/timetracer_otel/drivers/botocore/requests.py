"""The request of an exchange: what was asked, in a form that recording and replay build alike."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.botocore.parameters import STREAM, plain
from timetracer_otel.drivers.botocore.uploads import KEPT_MAX_BYTES, Upload


def request(
    service: str,
    operation: str,
    region: str,
    params: Mapping[str, Any],
    upload: Upload | None = None,
    is_plain: bool = False,
) -> Payload:
    """`params` as `parameters.snapshot` gives them; what they had as a stream was sent as `upload`. `is_plain`: they
    are known to be a payload as they are."""
    asked: dict[str, Value] = {"service": service, "operation": operation, "region": region}
    name, content = _body(params, upload)
    if name is None:
        return {**asked, "params": params if is_plain else plain(dict(params))}
    asked["params"] = {each: content if each == name else plain(value) for each, value in params.items()}
    if upload is not None and not upload.is_ended and params[name] is STREAM:
        asked["unsent"] = True
    if content is None and (told := _told(params[name], upload)) is not None:
        asked["upload"] = {"member": name, **told}
    return asked


def _body(params: Mapping[str, Any], upload: Upload | None) -> tuple[str | None, bytes | None]:
    """The parameter that is a stream, or bytes that are too many to be kept; and its content, if that is kept."""
    for name, value in params.items():
        if value is STREAM:
            return name, upload.content if upload is not None else None
        if isinstance(value, bytes) and len(value) > KEPT_MAX_BYTES:
            return name, None
    return None, None


def _told(value: Any, upload: Upload | None) -> Payload | None:
    if isinstance(value, bytes):
        return {"size": len(value), "sha256": sha256(value).hexdigest()}
    return None if upload is None else {"size": upload.size, "sha256": upload.sha256}
