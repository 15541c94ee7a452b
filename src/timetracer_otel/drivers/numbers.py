"""Numbers that are one of a kind in a process, whatever its drivers: replay finds a transaction by its number alone."""

from __future__ import annotations

import itertools

connections = itertools.count(1)
transactions = itertools.count(1)
