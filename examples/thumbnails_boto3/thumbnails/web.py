"""`uvicorn thumbnails.web:app`"""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from thumbnails import cloud
from thumbnails.picture import dump, parse, shrunk


async def upload(request: Request) -> Response:
    name = str(request.path_params["name"])
    job = await run_in_threadpool(keep, name, await request.body())
    return JSONResponse({"name": name, "job": job}, 201)


def keep(name: str, data: bytes) -> str:
    cloud.client("s3").put_object(Bucket=cloud.BUCKET, Key=name, Body=data, ContentType="image/x-portable-graymap")
    job = str(uuid.uuid4())
    cloud.table().put_item(Item={"name": name, "size": len(data), "job": job, "tags": {"new", "grey"}})
    body = json.dumps({"job": job, "name": name})
    cloud.client("sqs").send_message(QueueUrl=cloud.queue_url(), MessageBody=body)
    return job


def work(request: Request) -> Response:
    """Makes the next thumbnail."""
    url = cloud.queue_url()
    messages = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages", [])
    if not messages:
        return Response(status_code=204)
    job = json.loads(messages[0]["Body"])
    cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    made = make_thumbnail(job["name"])
    cloud.client("sns").publish(TopicArn=cloud.topic_arn(), Message=json.dumps({"ready": made}))
    return JSONResponse({"thumbnail": made, "job": job["job"]})


def make_thumbnail(name: str) -> str:
    s3 = cloud.client("s3")
    picture = parse(s3.get_object(Bucket=cloud.BUCKET, Key=name)["Body"].read())
    thumbnail = shrunk(picture, wanted_width(picture.width))
    key = f"thumbnails/{name}"
    s3.put_object(Bucket=cloud.BUCKET, Key=key, Body=dump(thumbnail))
    update = {"UpdateExpression": "SET thumbnail = :k", "ExpressionAttributeValues": {":k": key}}
    cloud.table().update_item(Key={"name": name}, **update)
    return key


def wanted_width(width: int) -> int:
    payload = json.dumps({"width": max(1, width // 2)})
    answer = cloud.client("lambda").invoke(FunctionName=cloud.FUNCTION, Payload=payload)
    asked: Any = json.load(answer["Payload"])
    return int(asked.get("width") or max(1, width // 2))


def show(request: Request) -> Response:
    found = cloud.table().get_item(Key={"name": request.path_params["name"]}).get("Item")
    if found is None:
        return JSONResponse({"error": "there is no such picture"}, 404)
    return JSONResponse({**found, "size": int(found["size"]), "tags": sorted(found["tags"])})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """What every request needs to know is asked at the start: each cassette can be replayed by itself then."""
    cloud.queue_url()
    cloud.topic_arn()
    yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/pictures/{name}", upload, methods=["PUT"]),
        Route("/pictures/{name}", show),
        Route("/work", work, methods=["POST"]),
    ],
)
