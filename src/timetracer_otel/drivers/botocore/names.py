"""Names of this driver."""

from __future__ import annotations

from typing import Final

LIBRARY: Final = "botocore"
CALL: Final = "aws.call"
"""Type of its exchanges."""
