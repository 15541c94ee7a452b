from __future__ import annotations

import json

import pytest

from timetracer_otel.drivers.botocore import secret_objects
from timetracer_otel.redaction import MARKER, Redactor


def masked(secret: object) -> str:
    found = secret_objects.masked(json.dumps(secret), "aws_secret", Redactor(key=b"k"))
    assert found is not None
    return found


def test_where_to_connect_stays_and_what_opens_it_does_not() -> None:
    found = json.loads(masked({"host": "db.prod.example", "port": 5432, "username": "app", "password": "kT4nary"}))
    assert MARKER.fullmatch(found.pop("password"))
    assert found == {"host": "db.prod.example", "port": 5432, "username": "app"}


@pytest.mark.parametrize("name", sorted(secret_objects.PLAIN))
@pytest.mark.parametrize("value", ["postgresql://app:kT4nary@db/shop", "Bearer kT4narykT4narykT4nary", ["kT4nary"]])
def test_a_secret_in_a_member_that_stays_is_masked_as_in_any_text(name: str, value: object) -> None:
    found = masked({name: value})
    assert "kT4nary" not in found
    assert MARKER.search(found)
