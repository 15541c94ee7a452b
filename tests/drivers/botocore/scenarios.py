"""What applications do with boto3. Each gives what it has seen, or what of it is no secret."""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def failure(call: Callable[[], object]) -> Any:
    """What an error of the service says, and of what type it is."""
    try:
        call()
    except ClientError as error:
        return type(error).__qualname__, str(error), error.response
    raise AssertionError("the service did not refuse")


def bucket(name: str) -> Any:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    return s3


def drained(response: Any) -> Any:
    """With its stream read."""
    body = response.pop("Body")
    return response, type(body).__name__, body.read()


# ---- S3 --------------------------------------------------------------------------------------------------------------


def s3_objects() -> Any:
    s3 = bucket("objects")
    seen = [
        s3.put_object(Bucket="objects", Key="a/b c+ü.txt", Body="text ü".encode(), Metadata={"x": "y"}),
        s3.put_object(Bucket="objects", Key="empty", Body=b""),
        drained(s3.get_object(Bucket="objects", Key="a/b c+ü.txt")),
        drained(s3.get_object(Bucket="objects", Key="empty")),
        s3.head_object(Bucket="objects", Key="empty"),
        s3.list_objects_v2(Bucket="objects", Prefix="a/"),
        s3.copy_object(Bucket="objects", Key="copy", CopySource={"Bucket": "objects", "Key": "a/b c+ü.txt"}),
        s3.delete_object(Bucket="objects", Key="copy"),
        s3.delete_objects(Bucket="objects", Delete={"Objects": [{"Key": "empty"}, {"Key": "never"}]}),
        failure(lambda: s3.get_object(Bucket="objects", Key="empty")),
        failure(lambda: s3.head_object(Bucket="objects", Key="empty")),
        failure(lambda: s3.list_objects_v2(Bucket="no-such-bucket")),
    ]
    head = s3.head_object(Bucket="objects", Key="a/b c+ü.txt")
    headers = head["ResponseMetadata"]["HTTPHeaders"]
    return seen, head["LastModified"].tzinfo, type(headers).__name__, headers.get("etag")


def s3_bodies() -> Any:
    s3 = bucket("bodies")
    text = b"".join(b"line %d\n" % number for number in range(1000))
    s3.put_object(Bucket="bodies", Key="text", Body=text)
    s3.put_object(Bucket="bodies", Key="zipped", Body=gzip.compress(text, mtime=0), ContentEncoding="gzip")

    def body(key: str = "text") -> Any:
        return s3.get_object(Bucket="bodies", Key=key)["Body"]

    seen: list[Any] = [body().read() == text, [body().read(7) for _ in range(1)], list(body().iter_chunks(3000))]
    twice = body()
    seen += [twice.read(10), twice.read(10), twice.tell(), twice.read(0), twice.read(), twice.read(5)]
    seen += [list(body().iter_lines())[-2:], next(body()), body().readable()]
    with body() as raw:
        seen += [type(raw).__name__, raw.read(5), raw.status]
    seen.append(gzip.GzipFile(fileobj=body("zipped")).read() == text)
    seen.append(io.TextIOWrapper(io.BufferedReader(body())).readline())
    buffer = bytearray(12)
    seen += [body().readinto(buffer), bytes(buffer), len(body("zipped").read()), body().readlines()[:2]]
    timed = body()
    timed.set_socket_timeout(5)
    seen.append(timed.read(5))
    zipped = s3.head_object(Bucket="bodies", Key="zipped")
    return seen, zipped["ContentEncoding"], zipped["ContentLength"], len(list(body().iter_chunks(2 * MIB)))


def s3_ranges_and_checksums() -> Any:
    s3 = bucket("ranges")
    seen = [
        s3.put_object(Bucket="ranges", Key="k", Body=b"0123456789", ChecksumAlgorithm="SHA256"),
        s3.put_object(Bucket="ranges", Key="crc", Body=b"0123456789", ChecksumAlgorithm="CRC32"),
        drained(s3.get_object(Bucket="ranges", Key="k", Range="bytes=2-5")),
        drained(s3.get_object(Bucket="ranges", Key="k", Range="bytes=-3")),
        drained(s3.get_object(Bucket="ranges", Key="k", ChecksumMode="ENABLED")),
        drained(s3.get_object(Bucket="ranges", Key="crc", ChecksumMode="ENABLED")),
        failure(lambda: s3.get_object(Bucket="ranges", Key="k", Range="bytes=50-60")),
    ]
    return seen


def s3_multipart() -> Any:
    """20 MB up and down by s3transfer's threads."""
    s3 = bucket("multipart")
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    content = b"".join(number.to_bytes(4, "big") for number in range(5 * MIB))
    with tempfile.TemporaryDirectory() as folder:
        up, down = Path(folder, "up"), Path(folder, "down")
        up.write_bytes(content)
        s3.upload_file(str(up), "multipart", "large", Config=config)
        s3.download_file("multipart", "large", str(down), Config=config)
        is_same = down.read_bytes() == content
    s3.upload_fileobj(io.BytesIO(content[:100]), "multipart", "small")
    return is_same, s3.head_object(Bucket="multipart", Key="large")


def s3_uploads() -> Any:
    """R39: streams that are read once, from where they stand."""
    s3 = bucket("uploads")
    seen = []
    with tempfile.TemporaryFile() as file:
        file.write(bytes(range(256)))
        file.seek(100)
        s3.put_object(Bucket="uploads", Key="offset", Body=file)
        seen.append(file.tell())
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(b"spooled")
        spooled.seek(0)
        s3.put_object(Bucket="uploads", Key="spooled", Body=spooled)
        seen.append(spooled.tell())
    memory = io.BytesIO(b"in memory")
    s3.put_object(Bucket="uploads", Key="memory", Body=memory)
    seen += [memory.tell(), memory.closed]
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        s3.upload_fileobj(pipe, "uploads", "piped")
    for key in ("offset", "spooled", "memory", "piped"):
        seen.append(s3.get_object(Bucket="uploads", Key=key)["Body"].read())
    return seen


def s3_pages_waits_and_resources() -> Any:
    s3 = bucket("pages")
    for number in range(4):
        s3.put_object(Bucket="pages", Key=f"k{number}", Body=b"x" * number)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="pages", PaginationConfig={"PageSize": 2})
    keys = [[each["Key"] for each in page.get("Contents", [])] for page in pages]
    s3.get_waiter("object_exists").wait(Bucket="pages", Key="k1")
    resource = boto3.resource("s3")
    listed = [(each.key, each.size, each.last_modified) for each in resource.Bucket("pages").objects.all()]
    found = resource.Object("pages", "k3")
    return keys, listed, found.content_length, found.get()["Body"].read(), repr(found)


def s3_select() -> Any:
    s3 = bucket("select")
    s3.put_object(Bucket="select", Key="rows", Body=b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n')
    answer = s3.select_object_content(
        Bucket="select",
        Key="rows",
        Expression="SELECT * FROM S3Object",
        ExpressionType="SQL",
        InputSerialization={"JSON": {"Type": "LINES"}},
        OutputSerialization={"JSON": {}},
    )
    stream = answer.pop("Payload")
    return answer, type(stream).__name__, list(stream)


def s3_presigned() -> Any:
    """It is made without a call."""
    url = boto3.client("s3").generate_presigned_url("get_object", Params={"Bucket": "objects", "Key": "k"})
    post = boto3.client("s3").generate_presigned_post("objects", "k")
    return "Signature=" in url, sorted(post["fields"])


# ---- DynamoDB --------------------------------------------------------------------------------------------------------


def table(name: str) -> Any:
    return boto3.resource("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def dynamodb_client() -> Any:
    table("orders")
    client = boto3.client("dynamodb")
    key = {"id": {"S": "o-1"}, "at": {"N": "1"}}
    second = {**key, "at": {"N": "2"}}
    seen = [
        client.put_item(TableName="orders", Item={**key, "data": {"B": b"\x00\xff"}, "n": {"NULL": True}}),
        client.get_item(TableName="orders", Key=key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"),
        client.update_item(
            TableName="orders",
            Key=key,
            UpdateExpression="SET #c = :c ADD tags :t",
            ExpressionAttributeNames={"#c": "count"},
            ExpressionAttributeValues={":c": {"N": "7"}, ":t": {"SS": ["b", "a"]}},
            ReturnValues="ALL_NEW",
        ),
        client.query(
            TableName="orders",
            KeyConditionExpression="id = :i AND #at > :a",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":i": {"S": "o-1"}, ":a": {"N": "0"}},
        ),
        client.batch_get_item(RequestItems={"orders": {"Keys": [key]}}),
        client.batch_write_item(RequestItems={"orders": [{"DeleteRequest": {"Key": {**key, "at": {"N": "9"}}}}]}),
        client.transact_write_items(TransactItems=[{"Put": {"TableName": "orders", "Item": second}}]),
        client.transact_get_items(TransactItems=[{"Get": {"TableName": "orders", "Key": key}}]),
    ]
    try:
        client.put_item(TableName="orders", Item=key, ConditionExpression="attribute_not_exists(id)")
    except client.exceptions.ConditionalCheckFailedException as error:
        seen.append((str(error), error.response))
    cancelled = {"Put": {"TableName": "orders", "Item": key, "ConditionExpression": "attribute_not_exists(id)"}}
    seen.append(failure(lambda: client.transact_write_items(TransactItems=[cancelled])))
    seen.append(failure(lambda: client.get_item(TableName="nowhere", Key=key)))
    return seen


def dynamodb_resource() -> Any:
    orders = table("typed")
    exact = Decimal("12345678901234567890123456789012345678")
    item = {"id": "a", "at": Decimal("1.50"), "exact": exact, "raw": Binary(b"\x00\xff"), "bytes": b"\x01"}
    sets = {"names": {"x", "y"}, "numbers": {Decimal(1), Decimal("2.5")}, "blobs": {b"\x00", b"\x01"}}
    orders.put_item(Item={**item, **sets, "deep": {"list": [1, None, True, {"k": "v"}]}})
    with orders.batch_writer() as batch:
        for number in range(30):
            batch.put_item(Item={"id": "many", "at": number})
    queried = orders.query(KeyConditionExpression=Key("id").eq("many") & Key("at").between(3, 5))
    scanned = orders.scan(FilterExpression=Attr("at").gt(27))
    got = orders.get_item(Key={"id": "a", "at": Decimal("1.5")})["Item"]
    sorted_sets = {name: sorted(map(repr, got.pop(name))) for name in sets}
    return got, sorted_sets, queried, scanned, orders.item_count, repr(orders)


# ---- messages and functions ------------------------------------------------------------------------------------------


def sqs() -> Any:
    client = boto3.client("sqs")
    url = client.create_queue(QueueName="jobs")["QueueUrl"]
    number = {"DataType": "Number", "StringValue": "1"}
    binary = {"raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}, "n": number}
    many = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(10)}
    seen = [
        client.send_message(QueueUrl=url, MessageBody='{"id": 1}', MessageAttributes=binary),
        client.send_message(QueueUrl=url, MessageBody="full", MessageAttributes=many),
        client.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(3)]),
        client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]),
    ]
    handles = [each["ReceiptHandle"] for each in seen[-1]["Messages"]]
    seen.append(client.delete_message(QueueUrl=url, ReceiptHandle=handles[0]))
    entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles[1:])]
    seen.append(client.delete_message_batch(QueueUrl=url, Entries=entries))
    seen.append(client.receive_message(QueueUrl=url))
    seen.append(failure(lambda: client.get_queue_url(QueueName="nowhere")))
    return seen


def sns() -> Any:
    client = boto3.client("sns")
    arn = client.create_topic(Name="news")["TopicArn"]
    message = json.dumps({"default": "d", "sqs": "s"})
    return [
        client.publish(TopicArn=arn, Message="plain", Subject="s"),
        client.publish(TopicArn=arn, Message=message, MessageStructure="json"),
        client.publish_batch(TopicArn=arn, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}]),
        failure(lambda: client.publish(TopicArn=f"{arn}-not", Message="m")),
    ]


def role(name: str) -> str:
    client = boto3.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    return str(client.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


def lambda_function() -> Any:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), "def handle(event, context): return event")
    client = boto3.client("lambda")
    client.create_function(
        FunctionName="thumbs",
        Runtime="python3.11",
        Role=role("lambda-role"),
        Handler="handler.handle",
        Code={"ZipFile": packed.getvalue()},
    )
    answer = client.invoke(FunctionName="thumbs", Payload=json.dumps({"key": "k", "size": 1.5}))
    payload = answer.pop("Payload")
    return sorted(answer), answer["StatusCode"], type(payload).__name__, sorted(json.loads(payload.read()))


# ---- any service -----------------------------------------------------------------------------------------------------


def secrets() -> Any:
    """What is secret in the answers is masked: here only what is not."""
    sts = boto3.client("sts")
    assumed = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="session")
    kept = assumed["AssumedRoleUser"], type(assumed["Credentials"]["Expiration"]).__name__
    manager = boto3.client("secretsmanager")
    manager.create_secret(Name="db", SecretString="kT4nary-secret-string")
    manager.create_secret(Name="raw", SecretBinary=b"kT4nary-secret-binary")
    texts, raws = manager.get_secret_value(SecretId="db"), manager.get_secret_value(SecretId="raw")
    parts = {"host": "db.internal", "port": 5432, "username": "shop", "password": "kT4nary-of-a-database"}
    manager.create_secret(Name="rds", SecretString=json.dumps(parts))
    database = json.loads(manager.get_secret_value(SecretId="rds")["SecretString"])
    where = database["host"], database["port"], database["username"], bool(database["password"])
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/db/password", Value="kT4nary-parameter", Type="SecureString")
    ssm.put_parameter(Name="/db/host", Value="db.internal", Type="String")
    secure = ssm.get_parameter(Name="/db/password", WithDecryption=True)["Parameter"]
    plain = ssm.get_parameters(Names=["/db/host", "/db/password"], WithDecryption=True)["Parameters"]
    user = boto3.client("iam")
    user.create_user(UserName="u")
    key = user.create_access_key(UserName="u")["AccessKey"]
    kms = boto3.client("kms")
    made = kms.create_key()["KeyMetadata"]["KeyId"]
    data_key = kms.generate_data_key(KeyId=made, KeySpec="AES_256")
    visible = (texts["Name"], texts["CreatedDate"], type(raws["SecretBinary"]).__name__, secure["Version"], where)
    hosts = [each["Value"] for each in plain if each["Type"] == "String"]
    return kept, sts.get_caller_identity()["Account"], visible, hosts, key["UserName"], key["Status"], data_key["KeyId"]


def assumed_role() -> Any:
    """R13: a profile that assumes a role; in replay neither is there."""
    session = boto3.Session(profile_name="prod")
    queue = session.resource("sqs").create_queue(QueueName="of-a-role")
    is_there = session.get_credentials() is not None
    listed = session.client("sqs").list_queues(QueueNamePrefix="of-a")["ResponseMetadata"]["HTTPStatusCode"]
    return is_there, queue.url.rpartition("/")[2], listed, session.region_name


def others() -> Any:
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="clicks")
    put = kinesis.put_record(StreamName="clicks", Data=b"\x00click", PartitionKey="p")
    iterator = kinesis.get_shard_iterator(StreamName="clicks", ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="s")
    sent = logs.put_log_events(
        logGroupName="/app", logStreamName="s", logEvents=[{"timestamp": 1_900_000_000_000, "message": "m"}]
    )
    events = logs.get_log_events(logGroupName="/app", logStreamName="s")
    steps = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}})
    machine = steps.create_state_machine(name="m", definition=definition, roleArn=role("steps-role"))
    started = steps.start_execution(stateMachineArn=machine["stateMachineArn"], name="x", input='{"a": 1}')
    iam = boto3.client("iam")
    roles = [each["RoleName"] for page in iam.get_paginator("list_roles").paginate() for each in page["Roles"]]
    return put, records, sent, events, started, roles, failure(lambda: iam.get_role(RoleName="nobody"))


def event_bridge_and_odd_names() -> Any:
    """R43: services whose names hold dashes and dots."""
    things = boto3.client("iot")
    data = boto3.client("iot-data")
    things.create_thing(thingName="lamp")
    data.update_thing_shadow(thingName="lamp", payload=json.dumps({"state": {"desired": {"on": True}}}))
    shadow = data.get_thing_shadow(thingName="lamp")["payload"]
    models = boto3.client("sagemaker-runtime", config=Config(retries={"mode": "standard"}))
    inferred = models.invoke_endpoint(EndpointName="e", Body=b"\x00")
    return (type(shadow).__name__, json.loads(shadow.read())["state"], inferred["Body"].read()[:20])


SCENARIOS = (
    s3_objects,
    s3_bodies,
    s3_ranges_and_checksums,
    s3_multipart,
    s3_uploads,
    s3_pages_waits_and_resources,
    s3_select,
    s3_presigned,
    dynamodb_client,
    dynamodb_resource,
    sqs,
    sns,
    lambda_function,
    secrets,
    assumed_role,
    others,
    event_bridge_and_odd_names,
)
