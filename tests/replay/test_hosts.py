from __future__ import annotations

from dataclasses import replace

from tests.replay.recordings import exchange
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.replay.hosts import alike
from timetracer_otel.replay.library import question_of


def at(target: str, number: int) -> Exchange:
    made = exchange(number)
    database = target.rpartition("/")[2]
    return replace(made, target=target, signature=replace(made.signature, url=database))


def test_servers_with_a_database_of_the_same_name_are_told_and_others_are_not() -> None:
    primary, replica = "postgresql://shop@db-1:5432/shop", "postgresql://reader@db-2:5432/shop"
    others = ("postgresql://shop@db-2:5432/users", "postgresql://other@db-1:5432/shop")
    asked = [at(target, number) for number, target in enumerate((primary, replica, primary, *others))]
    assert list(alike(asked, question_of)) == [
        "psycopg asked shop at db-1:5432 and db-2:5432: to which of them a request goes is not compared"
    ]
    assert list(alike([each for each in asked if each.target != replica], question_of)) == []
