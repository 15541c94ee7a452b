"""What applications do with aiobotocore: the same process records boto3 beside it."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import boto3
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

SESSION = get_session()


async def async_s3() -> Any:
    async with SESSION.create_client("s3") as s3:
        await s3.create_bucket(Bucket="async", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        seen = [
            await s3.put_object(Bucket="async", Key="k", Body=b"line 1\nline 2\n" * 100),
            await s3.put_object(Bucket="async", Key="file", Body=io.BytesIO(b"of a file")),
            await s3.put_object(Bucket="async", Key="sum", Body=b"summed", ChecksumAlgorithm="SHA256"),
        ]
        answer = await s3.get_object(Bucket="async", Key="k")
        async with answer.pop("Body") as body:
            seen += [answer, await body.read(5), await body.read(), type(body).__name__]
        chunks = (await s3.get_object(Bucket="async", Key="k"))["Body"].iter_chunks(300)
        seen.append([len(chunk) async for chunk in chunks])
        lines = (await s3.get_object(Bucket="async", Key="k"))["Body"].iter_lines()
        seen.append(len([line async for line in lines]))
        seen.append(await (await s3.get_object(Bucket="async", Key="sum", ChecksumMode="ENABLED"))["Body"].read())
        half = (await s3.get_object(Bucket="async", Key="k"))["Body"]
        seen.append(await half.read(7))
        half.close()
        try:
            await s3.get_object(Bucket="async", Key="nothing")
        except s3.exceptions.NoSuchKey as error:
            seen.append((str(error), error.response))
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="async", PaginationConfig={"PageSize": 2})
        seen.append([page async for page in pages])
        waiter = s3.get_waiter("object_exists")
        await waiter.wait(Bucket="async", Key="k")
    return seen


async def async_streams() -> Any:
    """R10: aiohttp's reader below a body, by each of its ways to read."""
    async with SESSION.create_client("s3") as s3:
        await s3.put_object(Bucket="async", Key="lines", Body=b"1\n22\n\n333")

        async def content() -> Any:
            return (await s3.get_object(Bucket="async", Key="lines"))["Body"].raw_stream.content

        seen = [
            [line async for line in await content()],
            b"".join([data async for data in (await content()).iter_chunked(3)]),
            b"".join([data async for data in (await content()).iter_any()]),
            b"".join([data async for data, _ in (await content()).iter_chunks()]),
        ]
        by_hand = await content()
        seen += [await by_hand.readuntil(b"2"), await by_hand.readline(), await by_hand.readexactly(1)]
        seen += [await by_hand.readchunk(), await by_hand.readchunk(), by_hand.at_eof()]
        too_much = await content()
        try:
            await too_much.readexactly(99)
        except asyncio.IncompleteReadError as error:
            seen += [error.partial, await too_much.read()]
        at_once = await content()
        await asyncio.sleep(0.1)
        seen.append(at_once.read_nowait())
        left = await content()
        seen += [await left.readline(), left.at_eof()]
    return seen


async def async_dynamodb() -> Any:
    async with SESSION.create_client("dynamodb") as client:
        await client.create_table(
            TableName="async",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        items = [{"id": {"S": str(number)}, "b": {"B": bytes([number])}} for number in range(10)]
        await asyncio.gather(*(client.put_item(TableName="async", Item=item) for item in items))
        got = await asyncio.gather(*(client.get_item(TableName="async", Key={"id": item["id"]}) for item in items))
        try:
            await client.put_item(TableName="async", Item=items[0], ConditionExpression="attribute_not_exists(id)")
        except ClientError as error:
            return got, type(error).__qualname__, error.response
    return None


async def async_sqs() -> Any:
    async with SESSION.create_client("sqs") as client:
        url = (await client.create_queue(QueueName="async"))["QueueUrl"]
        sent = await client.send_message(QueueUrl=url, MessageBody="m")
        batch = await client.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "b"}])
        got = await client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        handle = got["Messages"][0]["ReceiptHandle"]
        return sent, batch, got, await client.delete_message(QueueUrl=url, ReceiptHandle=handle)


async def async_beside_threads() -> Any:
    """R11: boto3 in worker threads of the same request."""

    def put(key: str) -> Any:
        return boto3.client("s3").put_object(Bucket="async", Key=key, Body=key.encode())

    return await asyncio.gather(*(asyncio.to_thread(put, f"thread-{number}") for number in range(4)))


SCENARIOS = (async_s3, async_streams, async_dynamodb, async_sqs, async_beside_threads)
