"""What applications do with aioboto3: clients, resources, and its own uploads and downloads in parts."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import aioboto3
from boto3.dynamodb.conditions import Key
from boto3.s3.transfer import TransferConfig

SESSION = aioboto3.Session()
MIB = 1024 * 1024


async def s3_client() -> Any:
    async with SESSION.client("s3") as s3:
        where = {"LocationConstraint": s3.meta.region_name}
        seen = [await s3.create_bucket(Bucket="aio", CreateBucketConfiguration=where)]
        seen.append(await s3.put_object(Bucket="aio", Key="k", Body=b"0123456789"))
        answer = await s3.get_object(Bucket="aio", Key="k")
        body = answer.pop("Body")
        seen += [answer, await body.read(4), await body.read()]
        try:
            await s3.get_object(Bucket="aio", Key="nothing")
        except s3.exceptions.NoSuchKey as error:
            seen.append(error.response)
        return seen


async def s3_transfers() -> Any:
    content, down = bytes(range(256)) * (6 * MIB // 256), io.BytesIO()
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    async with SESSION.client("s3") as s3:
        await s3.upload_fileobj(io.BytesIO(content), "aio", "large", Config=config)
        await s3.download_fileobj("aio", "large", down)
    return down.getvalue() == content


async def s3_resource() -> Any:
    async with SESSION.resource("s3") as s3:
        bucket = await s3.Bucket("aio")
        listed = [(each.key, await each.size) async for each in bucket.objects.all()]
        found = await s3.Object("aio", "k")
        return listed, await found.content_length, repr(found)


async def dynamodb_resource() -> Any:
    async with SESSION.resource("dynamodb") as dynamodb:
        table = await dynamodb.create_table(
            TableName="aio",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        async with table.batch_writer() as batch:
            for number in range(3):
                await batch.put_item(Item={"id": str(number), "exact": Decimal("1.10"), "set": {"x"}})
        got = await table.get_item(Key={"id": "1"})
        return got, await table.query(KeyConditionExpression=Key("id").eq("2"))


async def sqs_client() -> Any:
    async with SESSION.client("sqs") as sqs:
        url = (await sqs.create_queue(QueueName="aio"))["QueueUrl"]
        return await sqs.send_message(QueueUrl=url, MessageBody="m"), await sqs.receive_message(QueueUrl=url)


SCENARIOS = (s3_client, s3_transfers, s3_resource, dynamodb_resource, sqs_client)
