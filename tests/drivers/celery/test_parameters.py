# mypy: disable-error-code="untyped-decorator"
# Celery has no types.
"""Arguments that are given by position have the names that the task's function gives them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery, chain, signature

from timetracer_otel.drivers.celery.codec import CODEC, encode_publish
from timetracer_otel.drivers.celery.heard import HeardPublish
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import MARKER, Redactor

SECRET = "kT4nary-by-position"
app = Celery("positions", set_as_current=False)


@app.task(name="positions.login")
def login(user: str, password: str = "", *rest: object) -> None: ...


@app.task(name="positions.bound", bind=True)
def bound(self: Any, token: object) -> None: ...


def masked(name: str, args: object, embed: object = None) -> tuple[Encoded, tuple[str, ...]]:
    spelled = {"argsrepr": repr(args), "kwargsrepr": "{}"}
    fields = {"args": args, "kwargs": {}, "embed": embed or {}, "headers": spelled}
    return CODEC.redact(encode_publish(HeardPublish(app, name, fields, 1)), Redactor(b"key"))


@pytest.mark.parametrize("args", [("ada", SECRET), ["ada", SECRET]])
def test_an_argument_by_position_is_masked_by_the_name_that_the_task_gives_it(args: object) -> None:
    found, paths = masked("positions.login", args)
    kept = json.dumps(found.request)
    assert SECRET not in kept
    assert '"ada"' in kept
    assert any(path.startswith("request.args") for path in paths)
    assert CODEC.redact(found, Redactor(b"other")) == (found, ())


def test_a_bound_task_does_not_count_itself_and_a_nested_secret_is_masked_too() -> None:
    found, _ = masked("positions.bound", [{"of": [SECRET]}])
    request: Any = found.request
    assert MARKER.fullmatch(request["args"][0]["of"][0])


def test_the_arguments_of_a_chain_and_of_a_callback_are_masked_where_they_wait() -> None:
    waiting = chain(signature("positions.login", args=("ada", SECRET), app=app), app=app)
    embed = {"chain": list(waiting.tasks) if hasattr(waiting, "tasks") else [waiting], "errbacks": None}
    found, paths = masked("positions.unknown", [1], embed)
    assert SECRET not in json.dumps(found.request)
    assert paths


def test_r46_an_argument_of_which_its_neighbour_tells_is_masked_also_in_json_inside_of_text() -> None:
    pairs = [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "user", "value": "ada"}]
    found, paths = masked("elsewhere.task", [pairs, json.dumps({"environment": pairs})])
    kept = json.dumps(found.request)
    assert SECRET not in kept
    assert kept.count("ada") == 2
    assert {"request.args[0][0].value", "request.args[1]"} <= set(paths)


def test_arguments_of_a_task_that_is_not_known_here_stay() -> None:
    found, paths = masked("elsewhere.task", ["ada", "lovelace"])
    assert found.request["args"] == ["ada", "lovelace"]
    assert paths == ()


@pytest.mark.parametrize("message", ["hunter22", "'hunter22'"])  # of a ValueError, of a KeyError
@pytest.mark.parametrize("cause", ["hunter22", "'hunter22'", "no luck"])
def test_an_exception_whose_whole_text_is_a_secret_argument_is_masked_with_its_traceback(
    message: str, cause: str
) -> None:
    exception = {"type": "builtins.KeyError", "message": message, "causes": [{"message": cause}]}
    text = f"Traceback\n  f()\nValueError: {cause}\nKeyError: {message}\n"
    result: dict[str, Any] = {"exception": {**exception, "traceback": text}}
    request: dict[str, Any] = {"task": "shop.login", "args": [], "kwargs": {"password": "hunter22"}}
    told = Encoded("task.run", "celery", "run", "shop.login", request, result)
    found, paths = CODEC.redact(told, Redactor(b"key").of_trace())
    assert "hunter22" not in json.dumps([found.request, found.result])
    assert "result.exception.message" in paths
    other = {**request, "kwargs": {"password": "hunter23"}}
    kept, _ = CODEC.redact(Encoded("task.run", "celery", "run", "", other, result), Redactor(b"key").of_trace())
    assert kept.result == result
