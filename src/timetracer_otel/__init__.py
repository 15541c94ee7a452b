"""Record traces with their payloads under OpenTelemetry, replay them with the servers gone.

Importing this package loads nothing else: an application pays for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timetracer_otel.regression import assert_same as assert_same
    from timetracer_otel.wiring import install as install

__all__ = ["__version__", "assert_same", "install"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "install":
        from timetracer_otel.wiring import install

        return install
    if name == "assert_same":
        from timetracer_otel.regression import assert_same

        return assert_same
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
