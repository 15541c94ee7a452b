"""Where the catalog is, and what it begins with: `python -m catalog.db` fills it."""

import os
from typing import Any

from pymongo import MongoClient

URI = os.environ.get(
    "MONGODB_URI", "mongodb+srv://catalog:secret@cluster0.example.net/shop?retryWrites=true&w=majority"
)
PRODUCTS: list[dict[str, Any]] = [
    {"_id": "MUG-01", "name": "Mug", "price": {"amount": 950, "currency": "EUR"}, "stock": 12},
    {"_id": "TEA-07", "name": "Green tea", "price": {"amount": 480, "currency": "EUR"}, "stock": 3},
    {"_id": "POT-03", "name": "Teapot", "price": None, "stock": 1},  # imported before it had a price
]


def main() -> None:
    with MongoClient[Any](URI) as client:
        products = client.shop.products
        products.create_index("name")
        products.insert_many(PRODUCTS)


if __name__ == "__main__":
    main()
