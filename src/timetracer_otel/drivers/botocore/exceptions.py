"""What an application gets in replay that asks for more than was recorded: of botocore's own kind, never retried."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError


class UnrecordedCallError(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """No recorded call equals this one; `reason` names it, and the nearest that was recorded."""

    fmt = "{reason}"


class UnreadBodyError(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """More is read of a body than was read when it was recorded."""

    fmt = "{reason}"
