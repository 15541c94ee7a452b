"""Parameters that are not looked at member by member hold nothing that a mask of their service would find."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.drivers.botocore.answer_secrets import mask_named
from timetracer_otel.drivers.botocore.sql_members import columns_of, mask_statements
from timetracer_otel.drivers.botocore.telling_names import may_tell
from timetracer_otel.drivers.botocore.told_secrets import mask_told
from timetracer_otel.redaction import Redactor

SERVICES = ("dynamodb", "s3", "ssm", "kinesis", "athena", "rds-data", "ec2", "sqs")
NAMES = (
    *("SecretString", "Value", "Data", "B", "Key", "name", "key", "k", "v", "Tag.Value", "Parameters", "Statement"),
    *("UpdateExpression", "ExpressionAttributeValues", "Expression", "QueryString", "sql", "parameters", "Records"),
    *("ColumnInfo", "ResultSetMetadata", "SSECustomerKey", "MasterUserPassword", "Bucket", "TableName", "Item"),
)
TEXTS = st.sampled_from(
    ("password", "a", "SET token = :v", "select password from t where token = 'x'", "eyJwYXNzd29yZCI6ICJ4In0=", "")
)
PARAMS = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner), max_leaves=8
)


@given(st.sampled_from(SERVICES), st.dictionaries(st.sampled_from(NAMES), PARAMS))
def test_what_may_not_tell_is_left_alone_by_every_mask(service: str, params: Any) -> None:
    redactor = Redactor(b"key")
    if may_tell(params, service):
        return
    assert mask_named(service, params, "p", redactor) == (params, ())
    assert mask_told(params, service, "p", redactor) == (params, ())
    assert mask_statements(params, service, "p", redactor) == (params, ())
    assert not columns_of(params, service, redactor)


def test_most_calls_tell_nothing() -> None:
    assert not may_tell({"TableName": "t", "Key": {"id": {"S": "1"}}}, "dynamodb")
    assert not may_tell({"Bucket": "b", "Key": "k", "Body": b"SecretString"}, "s3")
    assert may_tell({"Tags": [{"Key": "password", "Value": "x"}]}, "s3")
    assert may_tell({"SecretId": "a", "SecretString": "x"}, "secretsmanager")
