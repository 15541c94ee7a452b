"""The application under test: engines and clients that live as long as the process, as most applications have them."""

from __future__ import annotations

import os

import pymongo
import sqlalchemy
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ENGINE = sqlalchemy.create_engine(os.environ["DSN"].replace("postgresql://", "postgresql+psycopg://"))
MONGO: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(os.environ["MONGO"], connect=False)


def scalar(statement: str, **parameters: object) -> object:
    with ENGINE.connect() as connection:
        return connection.execute(sqlalchemy.text(statement), parameters).scalar()


def double(number: int) -> object:
    # CHANGED stands for an edit of the code since the recording.
    return scalar(f"select :number * 2{os.environ.get('CHANGED', '')}", number=number)


def order(request: Request) -> Response:
    return JSONResponse({"double": double(int(request.path_params["id"]))})


app = Starlette(routes=[Route("/orders/{id}", order)])
