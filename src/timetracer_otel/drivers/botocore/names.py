"""Names of this driver."""

from __future__ import annotations

from typing import Final

LIBRARY: Final = "botocore"
CALL: Final = "aws.call"
"""Type of its exchanges."""
GIVEN_UP: Final = "given_up"
"""Of an attempt: the application was cancelled while it waited for the response."""
