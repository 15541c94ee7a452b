"""What applications do with services that throttle, break off, or send more than is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

GET = {"Key": {"id": {"S": "1"}}}


def attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        return type(error).__qualname__, str(error), getattr(error, "response", None)


@contextlib.contextmanager
def naps_told() -> Iterator[None]:
    """Prints for how long this thread slept: a clock would tell as well how busy the machine is."""
    naps: list[float] = []
    sleep, sleep_async = time.sleep, asyncio.sleep

    def noted(seconds: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            naps.append(seconds)
        sleep(seconds)

    async def noted_async(seconds: float, *result: Any) -> Any:
        naps.append(seconds)
        return await sleep_async(seconds, *result)

    time.sleep, asyncio.sleep = noted, noted_async  # type: ignore[assignment]
    try:
        yield
    finally:
        time.sleep, asyncio.sleep = sleep, sleep_async
        print(f"slept {sum(naps):.3f}", file=sys.stderr, flush=True)


def watched(call: Callable[[], Any]) -> Any:
    with naps_told():
        return attempt(call)


def _throttled(mode: str) -> Any:
    config = Config(retries={"mode": mode, "total_max_attempts": 4})
    client = boto3.client("dynamodb", config=config)
    fine = watched(lambda: client.get_item(TableName=f"twice-{mode}", **GET))
    failing = watched(lambda: client.get_item(TableName=f"always-{mode}", **GET))
    return fine, failing, attempt(lambda: client.get_item(TableName=f"then-{mode}", **GET))


def throttled_legacy() -> Any:
    return _throttled("legacy")


def throttled_standard() -> Any:
    return _throttled("standard")


def throttled_adaptive() -> Any:
    return _throttled("adaptive")


async def throttled_async() -> Any:
    config = AioConfig(retries={"mode": "adaptive", "total_max_attempts": 4})
    async with get_session().create_client("dynamodb", config=config) as client:
        with naps_told():
            fine = await client.get_item(TableName="twice-async", **GET)
            try:
                await client.get_item(TableName="always-async", **GET)
            except ClientError as error:
                return fine, type(error).__qualname__, error.response
    return None


async def given_up_async() -> Any:
    """A call is cancelled that was not answered; the ones beside and after it are."""
    async with get_session().create_client("dynamodb") as client:
        waiting = asyncio.create_task(client.get_item(TableName="silent", **GET))
        beside = await client.get_item(TableName="after-silent", **GET)
        waiting.cancel()
        done = await asyncio.gather(waiting, return_exceptions=True)
        return type(done[0]).__name__, beside, await client.get_item(TableName="any", **GET)


def hung_up() -> Any:
    """The connection ends without a word; the second attempt is answered."""
    client = boto3.client("dynamodb", config=Config(retries={"mode": "standard"}))
    return attempt(lambda: client.get_item(TableName="hangs-up", **GET))


def refused() -> Any:
    """Nobody listens there."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 2})
    client = boto3.client("dynamodb", endpoint_url="http://127.0.0.1:9", config=config)
    return attempt(lambda: client.get_item(TableName="t", **GET))


def busy_upload() -> Any:
    """R39: the stream is rewound for the second attempt."""
    body = io.BytesIO(b"0123456789" * 1000)
    body.seek(10)
    return attempt(lambda: boto3.client("s3").put_object(Bucket="busy", Key="k", Body=body)), body.tell()


def refused_upload() -> Any:
    """R39: nobody has asked for the body."""
    body = io.BytesIO(b"never heard")
    client = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    return attempt(lambda: client.put_object(Bucket="refuses", Key="k", Body=body))


def headers_only() -> Any:
    answer = boto3.client("s3").get_object(Bucket="large", Key="unread")
    del answer["Body"]
    return answer


def one_kilobyte() -> Any:
    answer = boto3.client("s3").get_object(Bucket="large", Key="half")
    body = answer.pop("Body")
    return answer, body.read(1000), body.read(24), body.tell()


def broken_off() -> Any:
    body = boto3.client("s3").get_object(Bucket="broken", Key="object")["Body"]
    return body.read(5), attempt(body.read)


def credentials() -> Any:
    sso = boto3.client("sso")
    given = sso.get_role_credentials(roleName="r", accountId="1", accessToken="kT4nary-sso-token")
    token = boto3.client("sso-oidc").create_token(
        clientId="c", clientSecret="kT4nary-client", grantType="refresh_token", refreshToken="kT4nary-old"
    )
    cognito = boto3.client("cognito-idp")
    parameters = {"USERNAME": "u", "PASSWORD": "kT4nary-password"}
    signed_in = cognito.initiate_auth(AuthFlow="USER_PASSWORD_AUTH", ClientId="c", AuthParameters=parameters)
    return given["roleCredentials"]["expiration"], token["expiresIn"], sorted(signed_in["AuthenticationResult"])


SCENARIOS = (
    throttled_legacy,
    throttled_standard,
    throttled_adaptive,
    throttled_async,
    given_up_async,
    hung_up,
    refused,
    busy_upload,
    refused_upload,
    headers_only,
    one_kilobyte,
    broken_off,
    credentials,
)
