from __future__ import annotations

from typing import Any

import pytest

from timetracer_otel.replay.ignoring import Wishes, applied


def compared(*paths: str, **wishes: Any) -> tuple[list[str], list[str]]:
    """Paths that are left, and those that are ignored."""
    event = {
        "event": "comparison",
        "differences": [{"path": path, "recorded": 1, "replayed": 2} for path in paths],
        "ignored": [{"path": "headers.date", "reason": "minted per call"}],
        "on_request": [{"path": "body.chunk[1]", "recorded": 1, "replayed": 2}],
    }
    other = {"event": "miss"}
    kept, done = applied([other, event], Wishes(**wishes))
    assert kept is other
    return [each["path"] for each in done["differences"]], [each["path"] for each in done["ignored"]]


@pytest.mark.parametrize(
    ("pattern", "hidden"),
    [
        ("headers.x-build", ["headers.x-build"]),
        ("Headers.X-Build", ["headers.x-build"]),
        ("headers.set-cookie", ["headers.set-cookie[1]"]),
        ("body.$.items[*].price", ["body.$.items[0].price", "body.$.items[12].price"]),
        ("body.$.items", ["body.$.items[0].price", "body.$.items[12].price", "body.$.items[0].name"]),
        ("messages[*].$.at", ["messages[3].$.at"]),
        ("body.$.item", []),
        ("status", ["status"]),
    ],
)
def test_r37_a_path_and_what_lies_in_it_is_not_compared_and_is_named(pattern: str, hidden: list[str]) -> None:
    every = [
        *("status", "headers.x-build", "headers.x-builder", "headers.set-cookie[1]", "messages[3].$.at"),
        *("body.$.items[0].price", "body.$.items[12].price", "body.$.items[0].name"),
    ]
    left, ignored = compared(*every, ignored=[pattern])
    assert ignored == ["headers.date", *([path for path in every if path in hidden] or [pattern])]
    assert left == [path for path in every if path not in hidden]


def test_r49_a_path_to_be_ignored_that_meets_nothing_is_named_once() -> None:
    event = {"event": "comparison", "differences": [], "ignored": [], "on_request": []}
    (done,) = applied([event], Wishes(ignored=["body.$.totl", "status", "status"]))
    idle = "nothing of this path differs, so there was nothing to ignore"
    assert done["ignored"] == [{"path": "body.$.totl", "reason": idle}, {"path": "status", "reason": idle}]


def test_chunks_are_compared_for_who_asks() -> None:
    assert compared() == ([], ["headers.date"])
    assert compared(has_chunks=True) == (["body.chunk[1]"], ["headers.date"])
    assert compared(has_chunks=True, ignored=["body.chunk[*]"]) == ([], ["headers.date", "body.chunk[1]"])
