"""What the service has at AWS. `python -m thumbnails.cloud` makes it."""

import io
import json
import zipfile
from functools import cache
from typing import Any

import boto3

BUCKET, TABLE, QUEUE, TOPIC, FUNCTION, ROLE = "pictures", "pictures", "thumbnails", "pictures", "sizes", "sizes"


@cache
def client(service: str) -> Any:
    """One for each service: clients can be used by several threads."""
    return boto3.client(service)


@cache
def table() -> Any:
    return boto3.resource("dynamodb").Table(TABLE)


@cache
def queue_url() -> str:
    return str(client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"])


@cache
def topic_arn() -> str:
    return str(client("sns").create_topic(Name=TOPIC)["TopicArn"])  # it gives the one that there is


def make() -> None:
    region = client("s3").meta.region_name
    client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    boto3.resource("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("sqs").create_queue(QueueName=QUEUE)
    client("sns").create_topic(Name=TOPIC)
    make_function()


def make_function() -> None:
    """It answers with the size that it is asked for; a real one would know what the site needs."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("sizes.py", "def handle(event, context): return event")
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    client("lambda").create_function(
        FunctionName=FUNCTION,
        Runtime="python3.11",
        Role=role,
        Handler="sizes.handle",
        Code={"ZipFile": packed.getvalue()},
    )


if __name__ == "__main__":
    make()
