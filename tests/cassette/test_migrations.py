from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cassette.samples import ROOT_PART, query
from timetracer_otel.cassette import Blob, dump_part, load, load_part, migrations
from timetracer_otel.cassette.migrations import MIGRATIONS, check_version, upgrade
from timetracer_otel.cassette.model import FORMAT
from timetracer_otel.errors import DamagedCassette, UnsupportedVersion

Steps = dict[int, migrations.Migration]


def test_there_is_one_step_from_each_older_version() -> None:
    assert sorted(MIGRATIONS) == list(range(1, FORMAT))


def test_a_document_goes_through_every_step_up_to_the_newest() -> None:
    def first(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "timetracer": 2, "steps": ["first"]}

    def second(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "timetracer": 3, "steps": [*document["steps"], "second"]}

    steps = {1: first, 2: second}
    assert upgrade({"timetracer": 1}, steps, newest=3) == {"timetracer": 3, "steps": ["first", "second"]}
    assert upgrade({"timetracer": 2, "steps": []}, steps, newest=3) == {"timetracer": 3, "steps": ["second"]}


def test_a_newer_format_asks_for_a_newer_release() -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        check_version({"timetracer": FORMAT + 1}, "a.cassette.json")
    assert str(caught.value) == (
        f"a.cassette.json: cassette format {FORMAT + 1}, this release reads up to {FORMAT}; upgrade timetracer-otel"
    )


@pytest.mark.parametrize("document", [{}, {"timetracer": "1"}, {"timetracer": True}, {"timetracer": 0}])
def test_a_document_without_a_version_is_no_cassette(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no format version"):
        check_version(document, "p")


# ---- the whole way, as it will be with the next version: what is version 1 now is the older one there ----------------


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """From 1 to 2: what was called `answer` is called `result`."""
    return {
        **document,
        "timetracer": 2,
        "exchanges": [
            {**{name: value for name, value in exchange.items() if name != "answer"}, "result": exchange["answer"]}
            for exchange in document["exchanges"]
        ],
    }


def older(document: dict[str, Any]) -> dict[str, Any]:
    """What `renamed` takes back."""
    exchanges = [{**each, "answer": each.pop("result")} for each in document["exchanges"]]
    return {**document, "exchanges": exchanges}


@pytest.fixture
def version_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose format is 2, with one step in its table."""
    monkeypatch.setattr(upgrade, "__defaults__", ({1: renamed}, 2))
    monkeypatch.setattr(check_version, "__defaults__", (2,))


@pytest.mark.usefixtures("version_two")
def test_a_file_of_the_version_before_opens_as_if_it_were_new() -> None:
    old = older(orjson.loads(dump_part(ROOT_PART)))
    assert old["timetracer"] == 1
    assert load_part(orjson.dumps(old), "p") == ROOT_PART


@pytest.mark.usefixtures("version_two")
def test_the_next_version_is_refused_by_number_and_an_unknown_one_too() -> None:
    for version in (3, 4, 2**62):
        with pytest.raises(UnsupportedVersion, match=f"cassette format {version}, this release reads up to 2"):
            load(orjson.dumps({"timetracer": version}), "p")


@pytest.mark.usefixtures("version_two")
@pytest.mark.parametrize("exchanges", [None, 1, [1], [{}], [None], {"a": 1}])
def test_a_file_that_only_says_that_it_is_old_is_damaged(exchanges: object) -> None:
    document = {**orjson.loads(dump_part(ROOT_PART)), "exchanges": exchanges}
    with pytest.raises(DamagedCassette, match="it is not what its version says"):
        load(orjson.dumps(document), "p")


@pytest.mark.usefixtures("version_two")
def test_a_step_sees_payloads_that_lie_beside(tmp_path: Path) -> None:
    old = older(orjson.loads(dump_part(ROOT_PART)))
    request = orjson.dumps(old["exchanges"][0]["request"])
    sha256 = hashlib.sha256(request).hexdigest()
    (tmp_path / sha256).write_bytes(request)
    old["exchanges"][0]["request"] = {"$payload": {"sha256": sha256, "size": len(request)}}

    def beside(blob: Blob) -> bytes:
        return (tmp_path / blob.sha256).read_bytes()

    assert load_part(orjson.dumps(old), "p", beside).exchanges[0] == query(1)
