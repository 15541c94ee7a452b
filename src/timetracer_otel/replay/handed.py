"""Names of the variables that the runner hands to the replaying process. Alone, so that the runner need not load what
runs there."""

from __future__ import annotations

from typing import Final

SEGMENT: Final = "TIMETRACER_SEGMENT"
ENTRY: Final = "TIMETRACER_ENTRY"
"""Set when the child is to run the recorded entry: until it begins, the environment answers."""
PATHS: Final = "TIMETRACER_PATHS"
"""Recorded folders of modules, where the recording may name them."""
APP: Final = "TIMETRACER_APP"
CODE: Final = "TIMETRACER_APP_CODE"
"""Folders that the app must lie in; not set where its name can be trusted."""
EARLIER: Final = "TIMETRACER_EARLIER"
"""JSON: pairs of a cassette's path and a segment's id."""
SECRETS: Final = "TIMETRACER_SECRETS"
"""JSON: what the user supplies, by the name of a secret of the recorded request."""
