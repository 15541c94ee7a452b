"""SDKs over these clients: stripe and openai, and httpx2; nothing in this driver is made for them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx2
import openai
import stripe

from tests.drivers.http.places import PLAIN, attempt, shown, trusting
from tests.drivers.http.places import TLS as HTTPS

MESSAGES: Any = [{"role": "user", "content": "hi"}]
CHARGE: Any = {"amount": 100, "currency": "eur", "source": "tok"}


def told(response: Any) -> Any:
    head = response.status_code, response.http_version, response.reason_phrase, shown(response.headers.raw)
    return *head, response.content, [hop.status_code for hop in response.history]


def httpx2_sync() -> Any:
    with httpx2.Client(base_url=PLAIN) as client:
        return [
            told(client.get("/echo?b=2&a=1")),
            told(client.post("/echo", json={"a": 1})),
            told(client.get("/zipped")),
            attempt(lambda: client.get("/slow", timeout=0.2)),
        ]


async def httpx2_async() -> Any:
    async with httpx2.AsyncClient(base_url=HTTPS, http2=True, verify=trusting()) as client:
        return [told(await client.get("/echo")), told(await client.post("/echo", data={"f": "1"}))]


def openai_sync() -> Any:
    client = openai.OpenAI(api_key="sk-kT4nary", base_url=f"{PLAIN}/v1")
    create = client.chat.completions.create
    return [
        create(model="m", messages=MESSAGES),
        list(create(model="m", messages=MESSAGES, stream=True)),
        create(model="m", messages=MESSAGES, user="limited").id,
    ]


async def openai_async() -> Any:
    async with openai.AsyncOpenAI(api_key="sk-kT4nary", base_url=f"{PLAIN}/v1") as client:
        create = client.chat.completions.create
        events = [event async for event in await create(model="m", messages=MESSAGES, stream=True, user="a")]
        together = await asyncio.gather(*(create(model="m", messages=MESSAGES, user=str(i)) for i in range(3)))
        return events, together


def stripe_sync() -> Any:
    client = stripe.StripeClient("sk_test_kT4nary", base_addresses={"api": PLAIN}, max_network_retries=2)
    busy: Any = {**CHARGE, "description": "busy"}
    given = [client.v1.charges.create(CHARGE), client.v1.charges.create(CHARGE), client.v1.charges.create(busy)]
    return [(str(each), each.last_response.headers.get("request-id")) for each in given if each.last_response]


def stripe_async() -> Any:
    sender = stripe.HTTPXClient(allow_sync_methods=True)
    client = stripe.StripeClient("sk_test_kT4nary", base_addresses={"api": PLAIN}, http_client=sender)
    five, seven = cast("Any", {**CHARGE, "amount": 5}), cast("Any", {**CHARGE, "amount": 7})
    later = client.v1.charges.create_async(seven)
    return str(client.v1.charges.create(five)), str(asyncio.run(_awaited(later)))


async def _awaited(coming: Any) -> Any:
    return await coming


SCENARIOS = [httpx2_sync, httpx2_async, openai_sync, openai_async, stripe_sync, stripe_async]
