"""The shop as it is: `--app tests.promises.shop_beside_honeypots:app`. HONEYPOT names the file of `honeypot.listen`."""

from __future__ import annotations

import os

from tests.promises.honeypot import PORTS, listen

for port in PORTS:
    listen(port, os.environ["HONEYPOT"])

# In the current folder, which is a copy of the example; below the honeypots, for an import may dial already.
from shop.web import app  # type: ignore[import-not-found]  # noqa: E402

__all__ = ["app"]
