"""Secrets out of a call, with everything mended that depends on what was masked: lengths, checksums, frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.botocore import answer_secrets, attribute_markers, checksums, sql_members
from timetracer_otel.drivers.botocore.clean import is_clean
from timetracer_otel.drivers.botocore.telling_names import may_tell
from timetracer_otel.drivers.botocore.told_secrets import NO_COLUMNS, mask_told
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.aws import event_stream

Paths = tuple[str, ...]


def mask(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, Paths]:
    """The exchange with secrets masked, and the paths that hold a marker."""
    if is_clean(encoded, redactor):
        return encoded, ()
    service = encoded.url
    params = encoded.request["params"]
    tells = may_tell(params, service)
    request, request_paths = _request(service, encoded.request, tells, redactor)
    columns = sql_members.columns_of(params, service, redactor) if tells else NO_COLUMNS
    result, result_paths = _result(service, encoded.result, columns, redactor)
    paths = request_paths + result_paths
    return (replace(encoded, request=request, result=result), paths) if paths else (encoded, ())


# ---- the request -----------------------------------------------------------------------------------------------------


def _request(service: str, request: Payload, tells: bool, redactor: Redactor) -> tuple[Payload, Paths]:
    params = cast("Mapping[str, Value]", request["params"])
    if not tells and bytes not in map(type, params.values()):
        masked, paths = redactor.value(params, "request.params")
        return ({**request, "params": masked}, paths) if paths else (request, ())
    body = next((name for name, value in params.items() if isinstance(value, bytes)), None)
    told, told_paths = _told(service, params, body, redactor) if tells else (params, Paths())
    rest = {name: value for name, value in told.items() if name != body}
    masked, paths = redactor.value(rest, "request.params")
    found = dict(cast("Mapping[str, Value]", masked))
    if body is not None:
        found[body], body_paths = _sent(told[body], params, f"request.params.{body}", redactor)
        paths += body_paths
    paths = (*told_paths, *paths)
    return ({**request, "params": {name: found[name] for name in params}}, paths) if paths else (request, ())


def _told(service: str, params: Payload, body: str | None, redactor: Redactor) -> tuple[Payload, Paths]:
    """Without what the service, or a neighbour, says to be a secret. `body`: the one member that is looked at later."""
    named, named_paths = answer_secrets.mask_named(service, params, "request.params", redactor)
    rest = {name: value for name, value in named.items() if name != body}
    told, told_paths = mask_told(rest, service, "request.params", redactor)
    stated, stated_paths = sql_members.mask_statements(cast(Payload, told), service, "request.params", redactor)
    return {**named, **stated}, (*named_paths, *told_paths, *stated_paths)


def _sent(value: Value, params: Payload, path: str, redactor: Redactor) -> tuple[Value, Paths]:
    if not isinstance(value, bytes):
        return value, ()
    kind, coding = str(params.get("ContentType") or ""), str(params.get("ContentEncoding") or "")
    return redactor.body(value, kind, coding, path)


# ---- the answers -----------------------------------------------------------------------------------------------------


def _result(service: str, result: Payload, columns: Mapping[int, str], redactor: Redactor) -> tuple[Payload, Paths]:
    attempts, paths = [], Paths()
    for index, attempt in enumerate(cast("Sequence[Payload]", result.get("attempts", ()))):
        masked, found = _attempt(service, attempt, f"result.attempts[{index}]", columns, redactor)
        attempts.append(masked)
        paths += found
    return ({**result, "attempts": attempts}, paths) if paths else (result, ())


def _attempt(
    service: str, attempt: Payload, where: str, columns: Mapping[int, str], redactor: Redactor
) -> tuple[Payload, Paths]:
    if "status" not in attempt:
        masked, paths = redactor.value(attempt, where)
        return cast(Payload, masked), paths
    headers = cast("Sequence[Sequence[str]]", attempt["headers"])
    kept, paths = _headers(headers, f"{where}.headers", redactor)
    old = cast(bytes, attempt["body"])
    new, body_paths = _body(service, old, headers, f"{where}.body", columns, redactor)
    if not (paths or body_paths):
        return attempt, ()
    mended = checksums.mended(((name, value) for name, value in kept), old, new)
    return {**attempt, "headers": [list(pair) for pair in mended], "body": new}, (*paths, *body_paths)


def _headers(headers: Sequence[Sequence[str]], path: str, redactor: Redactor) -> tuple[Sequence[Sequence[str]], Paths]:
    """Most have nothing to hide, which one look at all of them together tells."""
    is_named = redactor.has_places or any(map(redactor.rule_of, [name for name, _ in headers]))
    if not is_named and not redactor.suspicious("\n".join([value for _, value in headers])):
        return headers, ()
    masked, paths = redactor.headers([[_octets(name), _octets(value)] for name, value in headers], path)
    return [[_text(name), _text(value)] for name, value in masked], paths


def _body(
    service: str,
    body: bytes,
    headers: Sequence[Sequence[str]],
    path: str,
    columns: Mapping[int, str],
    redactor: Redactor,
) -> tuple[bytes, Paths]:
    found = {name.lower(): value for name, value in headers}
    kind, coding = found.get("content-type", ""), found.get("content-encoding", "")
    if event_stream.is_one(body):
        masked = event_stream.with_payloads(body, lambda payload: redactor.body(payload, "", "", path)[0])
        return masked, (path,) if masked is not body else ()
    named = answer_secrets.mask_body(service, body, redactor, columns)
    masked, paths = _plain_body(service, named, kind, coding, path, redactor)
    return masked, paths or ((path,) if named != body else ())


def _plain_body(
    service: str, named: bytes, kind: str, coding: str, path: str, redactor: Redactor
) -> tuple[bytes, Paths]:
    """What any body may hold. `named`: without what the service is known to put secrets into."""
    if service == "dynamodb":
        masked, paths = redactor.body(attribute_markers.markers(named), kind, coding, path)
        return attribute_markers.stand_ins(masked), paths
    return redactor.body(named, kind, coding, path)


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")
