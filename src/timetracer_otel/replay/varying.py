"""Parts of a text that may differ between two runs: ids and instants."""

from __future__ import annotations

import re
from typing import Final

from timetracer_otel.replay.instants import ISO, NUMBER

UUID: Final = re.compile(
    r"(?<![0-9a-zA-Z])[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(?![0-9a-zA-Z])", re.IGNORECASE
)
OBJECT_ID: Final = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{24}(?![0-9a-zA-Z])")
VARYING: Final = re.compile(
    rf"{UUID.pattern}|{OBJECT_ID.pattern}|(?<!\d){ISO.pattern}(?!\d)|{NUMBER.pattern}", re.IGNORECASE
)
