"""The taps of HTTP clients in one process."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.drivers.taping import ListTape, tapped
from timetracer_otel.drivers.http.codec import CODEC
from timetracer_otel.drivers.http.record import RECORDING


def taps(strict: bool = True) -> AbstractContextManager[ListTape]:
    """The clients with the taps in; a failure inside them is raised, unless told otherwise."""
    return tapped(RECORDING, ListTape(CODEC), strict)
