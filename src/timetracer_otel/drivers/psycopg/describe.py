"""What a statement and its rows say to people."""

from __future__ import annotations

from typing import Final

from timetracer_otel.drivers.postgres.describe import PostgresDescribing

DESCRIBING: Final = PostgresDescribing()
