from __future__ import annotations

from typing import Any

import pytest

from timetracer_otel.cassette.migrations import MIGRATIONS, upgrade
from timetracer_otel.cassette.model import FORMAT
from timetracer_otel.errors import UnsupportedVersion


def test_there_is_one_step_from_each_older_version() -> None:
    assert sorted(MIGRATIONS) == list(range(1, FORMAT))


def test_a_document_goes_through_every_step_up_to_the_newest() -> None:
    def first(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "timetracer": 2, "steps": ["first"]}

    def second(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "timetracer": 3, "steps": [*document["steps"], "second"]}

    steps = {1: first, 2: second}
    assert upgrade({"timetracer": 1}, "p", steps, newest=3) == {"timetracer": 3, "steps": ["first", "second"]}
    assert upgrade({"timetracer": 2, "steps": []}, "p", steps, newest=3) == {"timetracer": 3, "steps": ["second"]}


def test_a_newer_format_asks_for_a_newer_release() -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        upgrade({"timetracer": FORMAT + 1}, "a.cassette.json", MIGRATIONS)
    assert str(caught.value) == (
        f"a.cassette.json: cassette format {FORMAT + 1}, this release reads up to {FORMAT}; upgrade timetracer-otel"
    )


@pytest.mark.parametrize("document", [{}, {"timetracer": "1"}, {"timetracer": True}, {"timetracer": 0}])
def test_a_document_without_a_version_is_no_cassette(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no format version"):
        upgrade(document, "p")
