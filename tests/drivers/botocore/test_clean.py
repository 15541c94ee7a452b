"""The quick look at a call never says that it is clean when something in it would be masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers.botocore.test_masking import ANSWERS, PARAMETERS, ROWS, SECRET, TOLD
from timetracer_otel.drivers.botocore import masking
from timetracer_otel.drivers.botocore.clean import is_clean
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import SECRETS, Redactor, Rules
from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.patterns import Patterns
from timetracer_otel.redaction.places import Place, Places

RULES = [
    SECRETS,
    Rules(Names(["customer_no"]), Patterns(Names(["customer_no"]))),
    Rules(SECRETS.names, SECRETS.patterns, Places((Place(("**", "card")),))),
]
KNOWN = ("hunter22", "a secret of this request", 'quoted"secret')
WORDS = [
    *("id", "S", "N", "B", "v", "val", "value", "name", "key", "Key", "Value", "Statement", "card", "customer_no"),
    *(
        "password",
        "pass_word",
        "to\N{KELVIN SIGN}en",
        "db.query.parameter.0",
        "a.token",
        "x.value",
        "$b64",
        "sig",
        "Policy",
    ),
    *("Key-Pair-Id", "Signature", "SecretString", "Records", "Data", "Session", "UpdateExpression", "Type", "a\\b"),
    *("--password", "-p", "password=x", "Bearer abcdefghijk", "bearer\tabcdefghijk", "AKIA" + "ABCDEFGHIJKLMNOP"),
    *("https://u:pw@h/", '{"token": "abcdefgh"}', "d29ybGQ=", "null", "", "\ud800", "\0", "customer_no=4711"),
    *(
        *KNOWN,
        "SELECT * FROM t WHERE password = 'x'",
        "SecureString",
        "[redacted:token#0a1b2c]",
        "W3JlZGFjdGVkOnQjMGExYjJjXQ==",
    ),
]
words = st.sampled_from(WORDS) | st.text(max_size=5)
leaves: st.SearchStrategy[Any] = words | st.integers() | st.booleans() | st.none() | st.binary(max_size=5) | st.floats()
documents = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3))
params = st.dictionaries(words, documents, max_size=3)
SERVICES = ["dynamodb", "secretsmanager", "ssm", "sqs", "s3", "kinesis", "lambda", "rds-data", "athena", "other"]
KINDS = ["application/x-amz-json-1.0", "application/json; charset=utf-16", "application/x-www-form-urlencoded", ""]


def call(service: str, params: Any, body: bytes, headers: Mapping[str, str]) -> Encoded:
    return Encoded(
        type="aws.call",
        lib="botocore",
        method="Any",
        url=service,
        request={"service": service, "operation": "Any", "params": params},
        result={"attempts": [{"status": 200, "headers": [[*pair] for pair in headers.items()], "body": body}]},
    )


def of_trace(rules: Rules, knows_secrets: bool) -> Redactor:
    redactor = Redactor(b"key", rules).of_trace()
    if knows_secrets:
        redactor.value({"password": list(KNOWN)}, "")
        assert redactor.known()
    return redactor


def in_full(encoded: Encoded, redactor: Redactor) -> Any:
    """As `mask` does what is not clean."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masking, "is_clean", lambda *_: False)
        return masking.mask(encoded, redactor)


def spelled(document: Any, indent: int | None) -> bytes:
    def default(value: Any) -> str:
        return str(value, "latin-1")

    return json.dumps(document, default=default, indent=indent, ensure_ascii=indent is None).encode(
        "utf-8", "surrogatepass"
    )


@given(
    st.sampled_from(SERVICES),
    params,
    st.builds(spelled, documents, st.none() | st.just(1))
    | words.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.dictionaries(st.sampled_from(["ETag", "Set-Cookie", "x-amz-meta-token", "Content-Encoding", "Server"]), words),
    st.sampled_from(KINDS),
    st.sampled_from(RULES),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_r46_what_is_clean_by_one_look_is_clean_in_full(
    service: str,
    params: Any,
    body: bytes,
    headers: dict[str, str],
    kind: str,
    rules: Rules,
    knows_secrets: bool,
) -> None:
    encoded = call(service, params, body, {**headers, "Content-Type": kind})
    if is_clean(encoded, of_trace(rules, knows_secrets)):
        assert in_full(encoded, of_trace(rules, knows_secrets)) == (encoded, ())


def answer(service: str) -> Encoded:
    return call(service, {}, ANSWERS[service].encode(), {"Content-Type": KINDS[0]})


SECRET_CALLS = [
    *(answer(service) for service in ANSWERS),
    *(call(service, sent, b"", {}) for service, sent in PARAMETERS.items()),
    *(call(service, told, b"", {}) for service, told in TOLD),
    *(call(service, asked, json.dumps(rows).encode(), {"Content-Type": KINDS[0]}) for service, asked, rows in ROWS),
    call("dynamodb", {}, b"{}", {"Content-Type": KINDS[0], "Set-Cookie": f"session={SECRET}"}),
]


@pytest.mark.parametrize("encoded", SECRET_CALLS)
def test_r46_no_call_with_a_secret_is_clean(encoded: Encoded) -> None:
    assert not is_clean(encoded, Redactor(b"key"))


def test_an_ordinary_call_is_clean_and_one_that_holds_a_secret_of_its_request_is_not() -> None:
    item = b'{"Item":{"id":{"S":"1"},"name":{"S":"ada"},"price":{"N":"12.50"},"tags":{"SS":["a","b"]}}}'
    headers = {"Content-Type": KINDS[0], "x-amzn-RequestId": "R", "x-amz-crc32": "2745614147"}
    sent = {"TableName": "t", "Key": {"id": {"S": "1"}}}
    assert is_clean(call("dynamodb", sent, item, headers), of_trace(SECRETS, knows_secrets=True))
    told = call("dynamodb", {**sent, "Key": {"id": {"S": KNOWN[0]}}}, item, headers)
    assert not is_clean(told, of_trace(SECRETS, knows_secrets=True))
