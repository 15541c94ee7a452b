"""`uvicorn catalog.web:app`"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from pymongo import MongoClient, ReturnDocument

from catalog.db import URI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.client = MongoClient[Any](URI, tz_aware=True)
    app.state.client.admin.command("ping")
    yield
    app.state.client.close()


app = FastAPI(lifespan=lifespan)


@app.get("/products")
def list_products(request: Request) -> list[dict[str, Any]]:
    products = request.app.state.client.shop.products
    return [priced(each) for each in products.find({"stock": {"$gt": 0}}).sort("_id", 1).batch_size(2)]


@app.get("/products/{number}")
def show_product(number: str, request: Request) -> dict[str, Any]:
    found = request.app.state.client.shop.products.find_one({"_id": number})
    if found is None:
        raise HTTPException(404, "there is no such product")
    return priced(found)


@app.post("/products/{number}/sales", status_code=201)
def sell(number: str, request: Request) -> dict[str, Any]:
    shop = request.app.state.client.shop
    left = shop.products.find_one_and_update(
        {"_id": number, "stock": {"$gt": 0}}, {"$inc": {"stock": -1}}, return_document=ReturnDocument.AFTER
    )
    if left is None:
        raise HTTPException(409, "there is none left")
    sale = shop.sales.insert_one({"product": number, "at": datetime.now(timezone.utc)})
    return {"sale": str(sale.inserted_id), "left": left["stock"]}


def priced(product: dict[str, Any]) -> dict[str, Any]:
    price = product["price"]
    return {**product, "price": f"{price['amount'] / 100:.2f} {price['currency']}"}
