"""R46, R47: secrets of AWS out of what is stored, and the rest still parses and verifies."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.model import Payload
from timetracer_otel.drivers.botocore import checksums
from timetracer_otel.drivers.botocore.masking import mask
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import MARKER, Redactor
from timetracer_otel.wire.aws import event_stream

SECRET = "kT4nary-secret"


def masked(
    service: str, body: bytes = b"", params: Payload | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    attempt: Any = {"status": 200, "headers": [[*pair] for pair in (headers or {}).items()], "body": body}
    encoded = Encoded(
        type="aws.call",
        lib="botocore",
        method="Any",
        url=service,
        request={"service": service, "operation": "Any", "params": params or {}},
        result={"attempts": [attempt]},
    )
    found, paths = mask(encoded, Redactor(b"key"))
    again, more = mask(found, Redactor(b"other"))
    assert again == found, more  # what is masked stays as it is
    return found, paths


def body_of(found: Any) -> bytes:
    return bytes(found[0].result["attempts"][0]["body"])


XML = f"""<GetSessionTokenResponse><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{SECRET}</SessionToken></Credentials></GetSessionTokenResponse>"""
BINARY = base64.b64encode(SECRET.encode()).decode()
ANSWERS = {
    "sts": XML,
    "iam": f"<r><SecretAccessKey>{SECRET}</SecretAccessKey></r>",
    "sso": json.dumps({"roleCredentials": {"secretAccessKey": SECRET, "sessionToken": SECRET}}),
    "sso-oidc": json.dumps({"accessToken": SECRET, "refreshToken": SECRET, "deviceCode": SECRET}),
    "cognito-idp": json.dumps({"AuthenticationResult": {"IdToken": SECRET, "AccessToken": SECRET}, "Session": SECRET}),
    "cognito-identity": json.dumps({"Credentials": {"SecretKey": SECRET, "SessionToken": SECRET}}),
    "secretsmanager": json.dumps({"SecretString": SECRET, "SecretBinary": BINARY}),
    "ssm": json.dumps({"Parameters": [{"Type": "SecureString", "Value": SECRET}]}),
    "kms": json.dumps({"Plaintext": BINARY}),
    "ecr": json.dumps({"authorizationData": [{"authorizationToken": BINARY}]}),
    "lambda": json.dumps({"Code": {"Location": f"https://b/k?X-Amz-Security-Token={SECRET}&X-Amz-Signature={SECRET}"}}),
    "dynamodb": json.dumps({"Item": {"password": {"S": SECRET}, "token": {"B": BINARY}, "secret": {"N": "4711"}}}),
}


@pytest.mark.parametrize("service", ANSWERS)
def test_r46_answers_with_credentials_hold_markers_instead(service: str) -> None:
    found = body_of(masked(service, ANSWERS[service].encode()))
    assert SECRET.encode() not in found
    assert BINARY.encode() not in found
    paths = masked(service, ANSWERS[service].encode())[1]
    assert paths
    assert all(path.startswith("result.attempts[0].body") for path in paths)


def test_what_is_bytes_to_the_service_can_still_be_decoded() -> None:
    secret = json.loads(body_of(masked("secretsmanager", ANSWERS["secretsmanager"].encode())))
    item = json.loads(body_of(masked("dynamodb", ANSWERS["dynamodb"].encode())))["Item"]
    for coded in (secret["SecretBinary"], item["token"]["B"]):
        assert MARKER.fullmatch(base64.b64decode(coded, validate=True).decode())
    assert item["secret"]["N"].isdigit()


DATABASE = {"engine": "postgres", "host": "db.internal", "port": 5432, "username": "shop", "password": SECRET}


@pytest.mark.parametrize(("service", "member"), [("secretsmanager", "SecretString"), ("ssm", "Value")])
def test_a_secret_that_is_an_object_of_json_stays_one(service: str, member: str) -> None:
    more = {"host": SECRET, "pin": 471147, "keys": [SECRET], "is_new": True, "no": None}
    answer = {"Found": [{"Type": "SecureString", member: json.dumps({**DATABASE, "more": more})}]}
    found = body_of(masked(service, json.dumps(answer).encode()))
    assert SECRET.encode() not in found
    assert b"471147" not in found
    secret = json.loads(json.loads(found)["Found"][0][member])
    hidden = [secret.pop("password"), secret["more"]["host"], secret["more"]["pin"], *secret["more"].pop("keys")]
    assert all(MARKER.fullmatch(each) for each in hidden)
    assert (secret["host"], secret["port"], secret["username"]) == ("db.internal", 5432, "shop")
    assert (secret["more"]["is_new"], secret["more"]["no"]) == (True, None)
    assert body_of(masked(service, found)) == found


@pytest.mark.parametrize("secret", ["{not json: " + SECRET, json.dumps([SECRET]), "{" * 5000])
def test_a_secret_of_any_other_form_is_one_marker(secret: str) -> None:
    found = json.loads(body_of(masked("secretsmanager", json.dumps({"SecretString": secret}).encode())))
    assert MARKER.fullmatch(found["SecretString"])


def test_a_parameter_of_ssm_that_is_no_secret_stays() -> None:
    plain = json.dumps({"Parameter": {"Type": "String", "Value": "db.internal"}}).encode()
    assert body_of(masked("ssm", plain)) == plain


PARAMETERS: dict[str, Payload] = {
    "secretsmanager": {"SecretString": SECRET, "SecretBinary": SECRET.encode()},
    "ssm": {"Type": "SecureString", "Value": SECRET},
    "cognito-idp": {"AuthParameters": {"PASSWORD": SECRET, "SECRET_HASH": SECRET}},
    "sts": {"WebIdentityToken": SECRET},
    "rds": {"MasterUserPassword": SECRET},
    "sso": {"accessToken": SECRET},
    "sqs": {"MessageBody": json.dumps({"password": SECRET}), "MessageAttributes": {"api_key": {"StringValue": SECRET}}},
    "dynamodb": {"Item": {"password": {"S": SECRET}}},
    "s3": {"Body": json.dumps({"password": SECRET}).encode(), "ContentType": "application/json"},
    "lambda": {"Payload": json.dumps({"token": SECRET})},
}


@pytest.mark.parametrize("service", PARAMETERS)
def test_r46_secrets_that_are_sent_are_masked(service: str) -> None:
    found, paths = masked(service, params=PARAMETERS[service])
    assert SECRET not in repr(found)
    assert paths
    assert all(path.startswith("request.params.") for path in paths)


SET: Payload = {
    "UpdateExpression": "SET #n = :n, #p.token = :p",
    "ExpressionAttributeNames": {"#n": "name", "#p": "inner"},
}
COMPARED: Payload = {"FilterExpression": "age > :a AND (password IN (:x, :y) OR :z = token)"}
PAIRS = json.dumps({"environment": [{"name": "DB_PASSWORD", "value": SECRET}, {"key": "user", "value": "ada"}]})
TOLD: list[tuple[str, Payload]] = [
    ("sqs", {"MessageBody": PAIRS}),
    ("sqs", {"Entries": [{"Id": "7", "MessageBody": json.dumps({"Message": PAIRS})}]}),
    ("sns", {"Message": PAIRS}),
    ("lambda", {"Payload": PAIRS}),
    ("lambda", {"ClientContext": base64.b64encode(json.dumps({"name": "token", "value": SECRET}).encode()).decode()}),
    ("kinesis", {"Records": [{"Data": PAIRS}]}),
    ("dynamodb", {**SET, "ExpressionAttributeValues": {":n": {"S": "ada"}, ":p": {"S": SECRET}}}),
    (
        "dynamodb",
        {**COMPARED, "ExpressionAttributeValues": {":a": {"N": "7"}, **{f":{x}": {"S": SECRET} for x in "xyz"}}},
    ),
    (
        "dynamodb",
        {"Statement": "INSERT INTO t VALUE {'id': ?, 'password': ?}", "Parameters": [{"S": "1"}, {"S": SECRET}]},
    ),
    (
        "dynamodb",
        {"Statements": [{"Statement": 'UPDATE t SET "token"=? WHERE id=?', "Parameters": [{"S": SECRET}, {"S": "1"}]}]},
    ),
    ("ecs", {"containerDefinitions": [{"environment": [{"name": "DB_PASSWORD", "value": SECRET}]}]}),
    ("cloudformation", {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": SECRET}]}),
    ("cognito-idp", {"PreviousPassword": SECRET, "ProposedPassword": SECRET, "TemporaryPassword": SECRET}),
    ("redshift", {"MasterUserPassword": SECRET}),
    ("ssm", {"Name": "/p/db/password", "Type": "String", "Value": SECRET}),
    ("ssm", {"Name": "/p/x", "Value": SECRET, "Overwrite": True}),
    ("s3", {"SSECustomerKey": SECRET}),
    ("ec2", {"UserData": base64.b64encode(f"export DB_PASSWORD={SECRET}".encode()).decode()}),
    ("lambda", {"ClientContext": base64.b64encode(json.dumps({"custom": {"token": SECRET}}).encode()).decode()}),
]


@pytest.mark.parametrize(("service", "params"), TOLD)
def test_r46_what_something_beside_it_tells_to_be_a_secret_is_masked_when_it_is_sent(
    service: str, params: Payload
) -> None:
    found, paths = masked(service, params=params)
    kept = json.dumps(found.request)
    assert SECRET not in kept
    assert base64.b64encode(SECRET.encode()).decode()[4:20] not in kept
    assert paths
    assert "ada" in kept or "ada" not in json.dumps(params)
    assert '"7"' in kept or '"7"' not in json.dumps(params)


@pytest.mark.parametrize(
    ("service", "answer"),
    [
        ("ecs", {"taskDefinition": {"environment": [{"name": "DB_PASSWORD", "value": SECRET}]}}),
        ("ssm", {"Parameter": {"Name": "/p/db/password", "Type": "String", "Value": SECRET}}),
        ("kinesis", {"Records": [{"Data": base64.b64encode(json.dumps({"password": SECRET}).encode()).decode()}]}),
        ("cognito-idp", {"UserAttributes": [{"Name": "custom:password", "Value": SECRET}]}),
    ],
)
def test_r46_what_something_beside_it_tells_to_be_a_secret_is_masked_in_an_answer(
    service: str, answer: Payload
) -> None:
    kept = json.loads(body_of(masked(service, json.dumps(answer).encode())))
    assert SECRET not in json.dumps(kept)
    for record in kept.get("Records", ()):
        assert MARKER.fullmatch(json.loads(base64.b64decode(record["Data"]))["password"])


XML_TOLD = [
    f"<item><key>password</key><value>{SECRET}</value></item>",
    f"<m><ParameterValue>{SECRET}</ParameterValue>\n<ParameterKey>DbPassword</ParameterKey></m>",
    f"<m><OptionName>DB_PASSWORD</OptionName><ResourceName/><Value> {SECRET}</Value></m>",
    f"<a><Name>api_key</Name><Value><DataType>String</DataType><StringValue>{SECRET}</StringValue></Value></a>",
    f"<m><Key>pass<!-- x -->word</Key></m><m><Key>token</Key><Value><![CDATA[{SECRET}<&]]></Value></m>",
    f"<ns:m><ns:Key> token </ns:Key><ns:Value kind='a'>{SECRET}&amp;x</ns:Value></ns:m>",
    f"<r><SecretAccessKey type='x'>{SECRET}</SecretAccessKey><Key>other</Key></r>",
]


@pytest.mark.parametrize("service", ["cloudformation", "s3"])
@pytest.mark.parametrize("xml", XML_TOLD, ids=range(len(XML_TOLD)))
def test_r46_of_xml_what_a_neighbour_tells_to_be_a_secret_is_masked(service: str, xml: str) -> None:
    body = body_of(
        masked(service, f"<?xml version='1.0'?><r><Tag><Key>a</Key><Value>b</Value></Tag>{xml}</r>".encode())
    )
    assert SECRET.encode() not in body
    assert b"<Key>a</Key><Value>b</Value>" in body
    ElementTree.fromstring(body.replace(b"<ns:", b"<").replace(b"</ns:", b"</"))


@given(st.text(alphabet="<>/!-[]CDAT abKeyValue&\"'=", max_size=80))
def test_any_xml_of_anybody_survives_masking(text: str) -> None:
    body = f"<r><Key>token</Key>{text}<Value>{SECRET}</Value></r>".encode()
    found = body_of(masked("ec2", body))
    assert found.startswith(b"<r><Key>token</Key>")


INSERT = "INSERT INTO users (name, password) VALUES"
SQL: list[tuple[str, Payload]] = [
    ("rds-data", {"sql": f"{INSERT} ('ada', '{SECRET}')"}),
    ("rds-data", {"sqlStatements": f"SELECT 1; UPDATE users SET password = '{SECRET}' WHERE name = 'ada'"}),
    ("redshift-data", {"Sqls": [f"{INSERT} ('ada', '{SECRET}')"], "Sql": f"{INSERT} ('ada', '{SECRET}')"}),
    ("athena", {"QueryString": f"SELECT * FROM t WHERE name = 'ada' AND password IN ('a', '{SECRET}')"}),
    ("timestream-query", {"QueryString": f"SELECT * FROM t WHERE password <> '{SECRET}' AND name = 'ada'"}),
    ("dynamodb", {"Statement": f"INSERT INTO t VALUE {{'id': 'ada', 'password': '{SECRET}'}}"}),
    ("dynamodb", {"TransactStatements": [{"Statement": f"SELECT * FROM t WHERE \"token\"='{SECRET}' AND id='ada'"}]}),
    ("s3", {"Expression": f"SELECT * FROM S3Object s WHERE s.\"password\" = '{SECRET}' AND s.name = 'ada'"}),
    (
        "rds-data",
        {
            "sql": f"{INSERT} (:n, :p)",
            "parameterSets": [
                [
                    {"name": "n", "value": {"stringValue": "ada"}},
                    {"name": "p", "value": {"stringValue": SECRET}},
                ],
                [{"name": "p", "value": {"blobValue": SECRET.encode()}}],
            ],
        },
    ),
    (
        "redshift-data",
        {
            "Sql": "UPDATE users SET password = :p::text WHERE name = :n",
            "Parameters": [{"name": "p", "value": SECRET}, {"name": "n", "value": "ada"}],
        },
    ),
    (
        "athena",
        {"QueryString": "SELECT * FROM t WHERE name = ? AND password = ?", "ExecutionParameters": ["ada", SECRET]},
    ),
]


@pytest.mark.parametrize(("service", "params"), SQL, ids=range(len(SQL)))
def test_r46_what_a_statement_of_sql_does_with_a_value_tells_that_it_is_a_secret(service: str, params: Payload) -> None:
    found, paths = masked(service, params=params)
    kept = repr(found.request)
    assert SECRET not in kept
    assert "ada" in kept
    assert paths
    assert all(path.startswith("request.params.") for path in paths)


COLUMN: Any = [{"longValue": 1}, {"stringValue": SECRET}]
ROWS: list[tuple[str, Payload, Any]] = [
    (
        "rds-data",
        {"sql": "select * from u"},
        {"columnMetadata": [{"name": "id"}, {"name": "token"}], "records": [COLUMN]},
    ),
    ("rds-data", {"sql": "select id, lower(u.token) as t from u"}, {"records": [COLUMN]}),
    ("rds-data", {"sql": "insert into u values (:a) returning id, token"}, {"records": [COLUMN]}),
    ("rds-data", {"sql": "select token"}, {"formattedRecords": json.dumps([{"id": 1, "token": SECRET}])}),
    ("redshift-data", {"Id": "1"}, {"ColumnMetadata": [{"name": "id"}, {"name": "token"}], "Records": [COLUMN]}),
    (
        "athena",
        {"QueryExecutionId": "1"},
        {
            "ResultSet": {
                "ResultSetMetadata": {"ColumnInfo": [{"Name": "id"}, {"Name": "token"}]},
                "Rows": [
                    {"Data": [{"VarCharValue": "id"}, {"VarCharValue": "token"}]},
                    {"Data": [{"VarCharValue": "1"}, {"VarCharValue": SECRET}]},
                ],
            }
        },
    ),
    (
        "timestream-query",
        {"QueryString": "x"},
        {
            "ColumnInfo": [{"Name": "id"}, {"Name": "token"}],
            "Rows": [{"Data": [{"ScalarValue": "1"}, {"ScalarValue": SECRET}]}],
        },
    ),
]


@pytest.mark.parametrize(("service", "params", "answer"), ROWS, ids=range(len(ROWS)))
def test_r46_secret_columns_of_an_answer_are_masked(service: str, params: Payload, answer: Any) -> None:
    found = masked(service, json.dumps(answer).encode(), params)
    body = body_of(found)
    assert SECRET.encode() not in body
    assert b'"VarCharValue":"token"' in body or service != "athena"
    assert found[1] in (("result.attempts[0].body",), ("result.attempts[0].body.formattedRecords",))
    other = masked(service, json.dumps({"records": [[{"stringValue": "ada"}]]}).encode(), {"sql": "select name from u"})
    assert other[1] == ()


def test_paging_tokens_stay() -> None:
    page: Payload = {"NextToken": "page-2", "ContinuationToken": "c", "ReceiptHandle": "h", "UploadId": "u"}
    assert masked("logs", params=page)[0].request["params"] == page


# ---- what depends on the body ----------------------------------------------------------------------------------------


def digests(body: bytes) -> dict[str, str]:
    def coded(digest: bytes) -> str:
        return base64.b64encode(digest).decode()

    return {
        "Content-Length": str(len(body)),
        "x-amz-crc32": str(zlib.crc32(body)),
        "x-amz-checksum-crc32": coded(zlib.crc32(body).to_bytes(4, "big")),
        "x-amz-checksum-sha1": coded(hashlib.sha1(body).digest()),
        "x-amz-checksum-sha256": coded(hashlib.sha256(body).digest()),
        "Content-MD5": coded(hashlib.md5(body).digest()),
    }


def test_r47_lengths_and_checksums_of_a_masked_body_are_right_again() -> None:
    body = json.dumps({"password": SECRET}).encode()
    found = masked("s3", body, headers=digests(body))
    headers = dict(found[0].result["attempts"][0]["headers"])
    assert headers == digests(body_of(found)) != digests(body)


def test_a_checksum_that_nobody_here_can_make_is_left_out() -> None:
    names = ["x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-type", "x-amz-checksum-sha256"]
    kept = checksums.mended([(name, "AAAA") for name in names], b"old", b"new")
    assert [name for name, _ in kept] == ["x-amz-checksum-type"]
    assert checksums.mended([("x-amz-checksum-sha256", "AAAA-2")], b"o", b"n") == [("x-amz-checksum-sha256", "AAAA-2")]


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_the_headers_of_any_body_are_those_of_the_new_one(old: bytes, new: bytes) -> None:
    assert dict(checksums.mended(digests(old).items(), old, new)) == digests(new)


# ---- event streams ---------------------------------------------------------------------------------------------------


def message(payload: bytes, headers: bytes = b"") -> bytes:
    return event_stream._message(headers, payload)


def test_r47_a_masked_event_stream_is_one_that_botocore_reads() -> None:
    name = b"\x0b:event-type\x07\x00\x07Records"
    stream = message(b'{"password": "%s"}' % SECRET.encode(), name) + message(b"plain", name)
    buffer = EventStreamBuffer()
    buffer.add_data(body_of(masked("s3", stream)))
    first, second = list(buffer)
    assert MARKER.search(first.payload.decode())
    assert (second.payload, second.headers) == (b"plain", {":event-type": "Records"})


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.binary(max_size=20))
def test_an_event_stream_survives_without_changes_and_with_them(payloads: list[bytes], rest: bytes) -> None:
    stream = b"".join(map(message, payloads))
    assert event_stream.with_payloads(stream + rest, lambda payload: payload) == stream + rest
    assert event_stream.with_payloads(stream, lambda payload: payload + b"!") == b"".join(
        message(payload + b"!") for payload in payloads
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_stream_or_not(data: bytes) -> None:
    event_stream.is_one(data)
    assert event_stream.with_payloads(data, bytes) == data
