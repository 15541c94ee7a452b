"""Names of this driver."""

from __future__ import annotations

from typing import Final

LIBRARY: Final = "http"
CALL: Final = "http.client"
"""Type of an exchange that is a request."""
CONNECT: Final = "net.connect"
"""Type of one that is a connection which was not made."""
PORTS: Final = {"http": 80, "https": 443}
