"""Which members of which service are secrets, beyond names that are secret everywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.botocore import secret_objects, xml_members
from timetracer_otel.drivers.botocore.told_secrets import NO_COLUMNS, mask_told, may_tell
from timetracer_otel.redaction import MARKER, Redactor

Paths = tuple[str, ...]

ANY: Final = frozenset(
    {
        *("SecretAccessKey", "SessionToken", "SecretKey", "secretAccessKey", "sessionToken"),
        *("MasterUserPassword", "masterUserPassword", "TemporaryPassword", "Passwords"),
    }
)
MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "secretsmanager": frozenset({"SecretString", "SecretBinary", "RandomPassword"}),
    "ssm": frozenset({"Value"}),
    "kms": frozenset({"Plaintext", "PrivateKeyPlaintext"}),
    "sts": frozenset({"WebIdentityToken", "SAMLAssertion", "TokenCode"}),
    "iam": frozenset({"ServicePassword", "Base32StringSeed", "QRCodePNG", "PrivateKey", "NewPassword", "OldPassword"}),
    "sso-oidc": frozenset({"deviceCode", "codeVerifier", "code", "assertion", "subjectToken"}),
    "cognito-idp": frozenset(
        {
            *("SECRET_HASH", "SecretHash", "SecretCode", "Session", "ConfirmationCode", "UserCode"),
            *("PreviousPassword", "ProposedPassword"),
        }
    ),
    "cognito-identity": frozenset({"Logins", "Token"}),
    "ecr": frozenset({"authorizationToken"}),
    "codeartifact": frozenset({"authorizationToken"}),
    "redshift": frozenset({"DbPassword"}),
    "s3": frozenset({"SSECustomerKey", "CopySourceSSECustomerKey"}),
}
"""Spelled as the service spells them."""
CODED: Final[Mapping[str, frozenset[str]]] = {
    "kinesis": frozenset({"Data"}),
    "firehose": frozenset({"Data"}),
    "sqs": frozenset({"BinaryValue"}),
    "dynamodb": frozenset({"B"}),
    "ec2": frozenset({"UserData"}),
    "lambda": frozenset({"ClientContext"}),
}
"""Base64 of what is the application's own: masked inside, as any body is."""
OBJECTS: Final = frozenset({"s3", "lambda"})
"""Their bodies are the application's own, and masked as any body is."""
WRITTEN: Final = frozenset({"SecretString", "Value"})
"""Texts that applications read as JSON more often than not."""
SECURE: Final = "SecureString"
RULE: Final = "aws_secret"


def mask_named(service: str, params: Payload, path: str, redactor: Redactor) -> tuple[Payload, Paths]:
    """Parameters with the secrets of the service masked."""
    names = ANY | MEMBERS.get(service, frozenset())
    if service == "ssm" and not _is_secure(params):
        names = ANY
    coded = CODED.get(service, frozenset())
    paths: list[str] = []

    def masked(name: str, value: Value, where: str) -> Value:
        if isinstance(value, Mapping):
            return {str(key): masked(str(key), each, f"{where}.{key}") for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [masked(name, each, f"{where}[{index}]") for index, each in enumerate(value)]
        if not isinstance(value, (str, bytes)) or not value:
            return value
        is_coded = name in coded and isinstance(value, str) and _inside(value, redactor) != value
        if name not in names and not is_coded:
            return value
        paths.append(where)
        marker = redactor.marker(RULE, value)  # as a whole: inside of base64 a comparison would not find it
        return marker.encode() if isinstance(value, bytes) else marker

    found = {name: masked(name, value, f"{path}.{name}") for name, value in params.items()}
    return (found, tuple(paths)) if paths else (params, ())


def _is_secure(params: Payload) -> bool:
    """A new value for a parameter that there is need not say of what type that is."""
    return params.get("Type", SECURE if "Value" in params else None) == SECURE


def mask_body(service: str, body: bytes, redactor: Redactor, columns: Mapping[int, str] = NO_COLUMNS) -> bytes:
    """A response with the secrets of the service masked; the same object where there are none. `columns`: rules of
    those that the request asks for."""
    begin = body.lstrip()[:1]
    if begin == b"<":
        return _xml(body, ANY | MEMBERS.get(service, frozenset()), redactor)
    if service in OBJECTS or begin not in (b"{", b"["):
        return body
    text = body.decode("latin-1")  # `in` on text costs a tenth of what it costs on bytes
    if not _are_in(text, _spelled(service)) and not columns and not may_tell(body, text, redactor):
        return body
    names = ANY | MEMBERS.get(service, frozenset()) | CODED.get(service, frozenset())
    return _json(service, body, names, redactor, columns)


@cache
def _spelled(service: str) -> tuple[str, ...]:
    """Without one of these no member of a JSON answer is a secret, or coded."""
    coded = CODED.get(service, frozenset())
    return (*ANY, *MEMBERS.get(service, ()), *(f'"{name}"' for name in coded))


def _are_in(text: str, spelled: tuple[str, ...]) -> bool:
    return any(each in text for each in spelled)


def _json(service: str, body: bytes, names: frozenset[str], redactor: Redactor, columns: Mapping[int, str]) -> bytes:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    walked = _walked(document, names, _marking(redactor, CODED.get(service, frozenset())), service == "ssm")
    masked, _ = mask_told(walked, service, "", redactor, columns)
    return body if masked == document else json.dumps(masked, separators=(",", ":"), ensure_ascii=False).encode()


def _walked(value: Any, names: frozenset[str], mark: Callable[[str, str], str], is_typed: bool) -> Any:
    """`is_typed`: only where the object says of itself that it is secret."""
    if isinstance(value, list):
        return [_walked(each, names, mark, is_typed) for each in value]
    if not isinstance(value, dict):
        return value
    wanted = ANY if is_typed and value.get("Type") != SECURE else names
    return {
        name: mark(name, each)
        if name in wanted and isinstance(each, str) and each
        else _walked(each, names, mark, is_typed)
        for name, each in value.items()
    }


def _marking(redactor: Redactor, coded: frozenset[str] = frozenset()) -> Callable[[str, str], str]:
    def mark(name: str, value: str) -> str:
        """What is bytes to the service stays base64: the library decodes it."""
        if name in coded:
            return _inside(value, redactor)
        if name in WRITTEN and (found := secret_objects.masked(value, RULE, redactor)) is not None:
            return found
        if name not in ("SecretBinary", "Plaintext", "PrivateKeyPlaintext", "QRCodePNG", "Base32StringSeed"):
            return redactor.marker(RULE, value)
        decoded = _decoded(value)
        if MARKER.fullmatch(decoded.decode("latin-1")):
            return value
        return base64.b64encode(redactor.marker(RULE, decoded).encode()).decode()

    return mark


def _inside(value: str, redactor: Redactor) -> str:
    """Base64 of text or JSON with its secrets masked; the same where it holds none, or is no base64."""
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        return value
    masked, _ = redactor.body(data, "", "", "")
    return value if masked == data else base64.b64encode(masked).decode()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except ValueError:
        return value.encode("utf-8", "surrogatepass")


def _xml(body: bytes, names: frozenset[str], redactor: Redactor) -> bytes:
    is_named = any(name.encode() in body for name in names)
    if not is_named and not xml_members.may_tell(body, redactor):
        return body
    return xml_members.masked(body, names, _marking(redactor), redactor)
