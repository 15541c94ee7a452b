"""What a library says of its own tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Servers: TypeAlias = Callable[[Path], AbstractContextManager[Mapping[str, str]]]
"""Starts what one run talks to, in a folder that is its own; gives the environment variables that lead there."""


def no_servers(folder: Path) -> AbstractContextManager[Mapping[str, str]]:
    """For tests that start what they need."""
    return nullcontext({})


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one library, as they stand in its source distribution."""

    distribution: str
    """The installed version of it is the one that is tested."""
    tests: str
    """The folder of the tests in the source distribution. It is moved away from the library's own code."""
    files: tuple[str, ...] = ()
    """The part of them that runs; all without."""
    requirements: tuple[str, ...] = ()
    """What only the tests need."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Files and tests that say nothing about recording -> why."""
    servers: Servers = no_servers
    variables: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    """Of pytest, where the library's own configuration has them: that is not moved."""
    timeout_s: float = 900
    """For one run of all of them."""
