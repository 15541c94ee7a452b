"""The service on a stub that ignores part of each request: `--app tests.promises.careless:app`. IGNORED says which."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from tests.promises.app import app
from timetracer_otel.drivers.base import Question
from timetracer_otel.drivers.postgres import answers, questions

_careful: Callable[..., Question] = questions.question


def _careless(lib: str, sql: str, parameters: Sequence[Any], *rest: Any, **named: Any) -> Question:
    if os.environ["IGNORED"] == "parameters":
        return _careful(lib, sql, (), *rest, **named)
    return _careful(lib, sql.split(maxsplit=1)[0], parameters, *rest, **named)


for user in (questions, answers):
    vars(user)["question"] = _careless

__all__ = ["app"]
