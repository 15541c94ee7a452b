"""What a driver raises when the installed library is not the one it knows. Not in `base`: every start pays for it."""

from __future__ import annotations


class MissingNames(Exception):
    """The installed driver lacks names a tap needs: the tap stays off, with one warning."""

    def __init__(self, driver: str, version: str, names: tuple[str, ...], lost: str) -> None:
        super().__init__(driver, version, names, lost)
        self.driver, self.version, self.names, self.lost = driver, version, names, lost

    def __str__(self) -> str:
        return f"{self.driver} {self.version} has no {', '.join(self.names)}: {self.lost}; report it to timetracer-otel"
