"""What an application gets in replay that asks for more than was recorded: of pymongo's own kind, never retried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import helpers_shared
from pymongo.errors import OperationFailure

from timetracer_otel.drivers.patches import Patches
from timetracer_otel.wire.mongo.backend import MISMATCH


class UnrecordedCommand(OperationFailure):
    """No recorded command equals this one. The text names it, and the nearest that was recorded; the code is 29812."""


def put_in(patches: Patches) -> None:
    """The driver raises ours for the stub's refusal from now on.

    Where it names what it raises, and not around what raises: errors of the server keep their tracebacks.
    Source: pymongo 4.9 to 4.20, helpers_shared.py, `_check_command_response`, which does nothing else with the name.
    """
    patches.put(helpers_shared, "OperationFailure", _failure)


def _failure(
    error: str, code: int | None = None, details: Mapping[str, Any] | None = None, max_wire_version: int | None = None
) -> OperationFailure:
    kind = UnrecordedCommand if code == MISMATCH else OperationFailure
    return kind(error, code, details, max_wire_version)
