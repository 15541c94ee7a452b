"""What is said of a library that lacks what a tap needs."""

from __future__ import annotations

import http.client

import pytest

from timetracer_otel.drivers.missing import MissingNames, require


class Base:
    def inherited(self) -> None:
        """Of what stands on it."""


class Own(Base):
    def mine(self) -> None:
        """Its own."""


def test_what_is_there_is_not_missed() -> None:
    require("pytest", [(Own, "mine"), (Own, "inherited"), (http.client, "HTTPConnection")], "nothing is recorded")
    require("pytest", [(Own, "mine"), (Base, "inherited")], "nothing is recorded", own=True)


def test_every_name_that_lacks_is_told_with_its_class_and_the_librarys_version() -> None:
    needed = [(Own, "mine"), (Own, "gone"), (http.client, "lost")]
    with pytest.raises(MissingNames) as raised:
        require("pytest", needed, "queries are not recorded")
    assert str(raised.value) == (
        f"pytest {pytest.__version__} has no Own.gone, lost: queries are not recorded; report it to timetracer-otel"
    )


def test_what_is_only_inherited_is_not_an_owners_own() -> None:
    with pytest.raises(MissingNames, match=r"Own\.inherited"):
        require("pytest", [(Own, "inherited")], "", own=True)
    with pytest.raises(MissingNames, match=r"pytest .* has no anything"):
        require("pytest", [(object(), "anything")], "", own=True)


@pytest.mark.parametrize(
    ("library", "said"), [("http.client", "of this Python"), ("no-such-library", "(of unknown version)")]
)
def test_a_library_that_is_no_distribution_has_no_version(library: str, said: str) -> None:
    with pytest.raises(MissingNames) as raised:
        require(library, [(Own, "gone")], "")
    assert raised.value.version == said
