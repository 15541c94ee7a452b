"""Services of AWS. What they make up themselves is printed, for it is secret too."""

from __future__ import annotations

import gzip
import json
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import boto3
from opentelemetry import trace

from tests.promises.canaries.secrets import REFUSED, secret, text, told

ROLE: Final = "arn:aws:iam::123456789012:role/r"


@cache
def _client(name: str) -> Any:
    return boto3.client(name)


def _say(secrets: Iterable[str]) -> None:
    print("SECRETS", json.dumps([*secrets]), flush=True)


@cache
def _queue() -> str:
    return str(_client("sqs").create_queue(QueueName="mail")["QueueUrl"])


def _objects() -> None:
    s3 = _client("s3")
    with told("s3"):
        s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        metadata = {"api-key": secret("metadata"), "note": f"token={secret('metadatatext')}"}
        s3.put_object(Bucket="shop", Key="a.json", Body=text("s3"), ContentType="application/json", Metadata=metadata)
        packed = {"Body": gzip.compress(text("s3gzip").encode()), "ContentEncoding": "gzip"}
        s3.put_object(Bucket="shop", Key="a.gz", ContentType="application/json", **packed)
        s3.put_object(Bucket="shop", Key="a.zz", Body=zlib.compress(text("s3zlib").encode()))
        s3.put_object(Bucket="shop", Key="a.txt", Body=f"password={secret('s3text')}\nBearer {secret('s3bearer')}")
        for key in ("a.json", "a.gz", "a.zz", "a.txt"):
            s3.get_object(Bucket="shop", Key=key)["Body"].read()
        tags = {"TagSet": [{"Key": "token", "Value": secret("tag")}]}
        s3.put_object_tagging(Bucket="shop", Key="a.txt", Tagging=tags)
        s3.get_object_tagging(Bucket="shop", Key="a.txt")
        customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": secret("customer").ljust(32, "x")}
        s3.put_object(Bucket="shop", Key="b", Body=b"x", **customer)
    with told("s3 refused"):
        boto3.client("s3", endpoint_url=f"http://ann:{secret('endpoint')}@{REFUSED}").list_buckets()


def _signed() -> None:
    """Presigned URLs: no call, but what is done with them is recorded."""
    s3, sqs = _client("s3"), _client("sqs")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": "a.txt"})
    post = s3.generate_presigned_post("shop", "uploads/x")
    query = parse_qs(urlsplit(url).query)
    found = (value for name, (value,) in query.items() if name.endswith(("Signature", "Token")))
    _say([*found, *(value for name, value in post["fields"].items() if name.lower().endswith("signature"))])
    with told(f"signed {url}"):
        trace.get_current_span().set_attribute("link", quote(url, safe=""))
        urllib.request.urlopen(url).read()
        signed = {"url": url, "post": post, "text": f"get it from {url} now", "back": quote(url, safe="")}
        sqs.send_message(QueueUrl=_queue(), MessageBody=json.dumps(signed))
        sqs.receive_message(QueueUrl=_queue())


def _tokens() -> None:
    sts, iam = _client("sts"), _client("iam")
    with told("sts"):
        found = [sts.assume_role(RoleArn=ROLE, RoleSessionName="session"), sts.get_session_token()]
        _say(each["Credentials"][name] for each in found for name in ("SecretAccessKey", "SessionToken"))
        iam.create_user(UserName="u")
        _say([iam.create_access_key(UserName="u")["AccessKey"]["SecretAccessKey"]])
        iam.create_login_profile(UserName="u", Password=secret("profile"))
        raise ValueError(f"denied for {found[0]['Credentials']}")


def _secrets() -> None:
    manager, ssm = _client("secretsmanager"), _client("ssm")
    with told("secrets"):
        manager.create_secret(Name="db", SecretString=text("managed"))
        manager.create_secret(Name="raw", SecretBinary=secret("managedbinary").encode())
        manager.put_secret_value(SecretId="db", SecretString=secret("managedagain"))
        for name in ("db", "raw"):
            manager.get_secret_value(SecretId=name)
        ssm.put_parameter(Name="/db/password", Value=secret("secure"), Type="SecureString")
        ssm.put_parameter(Name="/db/api_key", Value=secret("named"), Type="String")
        ssm.get_parameters(Names=["/db/password", "/db/api_key"], WithDecryption=True)
        ssm.get_parameters_by_path(Path="/db", WithDecryption=True)


def _items() -> None:
    table = _client("dynamodb")
    with told("dynamodb"):
        key, kinds = [{"AttributeName": "id", "KeyType": "HASH"}], [{"AttributeName": "id", "AttributeType": "S"}]
        table.create_table(TableName="t", KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
        inner = {"M": {"token": {"B": secret("itembytes").encode()}}}
        packed = {"B": gzip.compress(text("itemgzip").encode())}
        item = {
            "id": {"S": "1"},
            "packed": packed,
            "text": {"S": text("item")},
            "password": {"S": secret("itemtext")},
            "m": inner,
        }
        table.put_item(TableName="t", Item=item)
        table.get_item(TableName="t", Key={"id": {"S": "1"}})
        table.update_item(
            TableName="t",
            Key={"id": {"S": "1"}},
            UpdateExpression="SET #p = :v",
            ExpressionAttributeNames={"#p": "password"},
            ExpressionAttributeValues={":v": {"S": secret("expression")}},
            ReturnValues="ALL_NEW",
        )
        table.execute_statement(Statement=f"SELECT * FROM t WHERE password = '{secret('partiql')}'")


def _messages() -> None:
    sqs, sns, kinesis = _client("sqs"), _client("sns"), _client("kinesis")
    attributes = {"api_key": {"DataType": "String", "StringValue": secret("attribute")}}
    packed = {"packed": {"DataType": "Binary", "BinaryValue": gzip.compress(text("binaryattribute").encode())}}
    with told("messages"):
        sqs.send_message(QueueUrl=_queue(), MessageBody=text("sqs"), MessageAttributes={**attributes, **packed})
        sqs.receive_message(QueueUrl=_queue(), MessageAttributeNames=["All"])
        topic = sns.create_topic(Name="orders")["TopicArn"]
        sns.publish(TopicArn=topic, Message=text("sns"), MessageAttributes=attributes)
        kinesis.create_stream(StreamName="s", ShardCount=1)
        kinesis.put_record(StreamName="s", Data=text("kinesis").encode(), PartitionKey="1")
        kinesis.put_record(StreamName="s", Data=gzip.compress(text("kinesisgzip").encode()), PartitionKey="1")


PROGRAMS: Final[tuple[Callable[[], None], ...]] = (_objects, _signed, _tokens, _secrets, _items, _messages)
