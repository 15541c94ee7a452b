"""The marker `timetracer`, and the file that it means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from timetracer_otel.errors import UsageError
from timetracer_otel.pytest_plugin.names import cassette_of

if TYPE_CHECKING:
    import pytest

NAME: Final = "timetracer"
"""Of the marker, and of the fixture: either is enough."""
ARGUMENTS: Final = ("cassette", "segment")
FOLDER_INI: Final = "timetracer_cassettes"
MARKER: Final = (
    f"{NAME}(cassette=None, segment=None): replay this test from its cassette, or from the one that is named"
    " (a path beside the test); see --timetracer"
)


@dataclass(frozen=True, slots=True)
class Mark:
    test: str
    """Its id, for people and for the root span."""
    cassette: Path
    segment: str | None = None
    """Where the cassette has several."""
    is_named: bool = False
    """The cassette was recorded elsewhere, and is never recorded anew by the test."""
    is_shared: bool = False
    """Of a fixture, which may ask for nothing and then needs no cassette."""


def is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker(NAME) is not None or NAME in getattr(item, "fixturenames", ())


def mark_of(item: pytest.Item) -> Mark:
    """Raises UsageError for an argument that there is not."""
    marker = item.get_closest_marker(NAME)
    arguments = dict(marker.kwargs) if marker is not None else {}
    _check(item, marker.args if marker is not None else (), arguments)
    named = arguments.get("cassette")
    return Mark(
        test=_shown(item),
        cassette=item.path.parent / named if named is not None else _own(item, _within(item)),
        segment=arguments.get("segment"),
        is_named=named is not None,
    )


def mark_of_fixture(request: pytest.FixtureRequest, name: str, step: str) -> Mark:
    """Of the set-up or teardown of a fixture that several tests share: a cassette of its own, beside theirs."""
    node = request.node
    index = getattr(request, "param_index", None) if hasattr(request, "param") else None
    fixture = f"{name} {step}" if index is None else f"{name}[{index}] {step}"
    test = "::".join(filter(None, (_within(node), fixture)))
    return Mark(f"{_shown(node) or '.'}::{fixture}", _own(node, test), is_shared=True)


def _own(node: pytest.Item, test: str) -> Path:
    home = node.path if node.path.is_file() else node.path / "conftest.py"
    return cassette_of(home, test, str(node.config.getini(FOLDER_INI)))


def _within(node: pytest.Item) -> str:
    """`TestOrders::test_load[42]`: not from the id, to which xdist adds the name of a group."""
    names = [each.name for each in node.listchain() if each.path.is_file()]
    return "::".join(names[1:])  # the first is that of the file


def _shown(node: pytest.Item) -> str:
    file, _, _ = node.nodeid.partition("::")
    return "::".join(filter(None, (file, _within(node))))


def _check(item: pytest.Item, positional: tuple[object, ...], arguments: dict[str, object]) -> None:
    source = f"{item.nodeid}: @pytest.mark.{NAME}"
    known = ", ".join(ARGUMENTS)
    if positional:
        raise UsageError(source, f"{positional[0]!r} has no name", f"name it; there are {known}")
    for name, value in arguments.items():
        if name not in ARGUMENTS:
            raise UsageError(source, f"there is no argument {name}", f"correct it; there are {known}")
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise UsageError(source, f"{name}={value!r} is no text", "give a text, or leave it out")
