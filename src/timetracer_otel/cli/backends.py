"""What `push` and `pull` have in common: the extra that they need, addresses, rules, the folder of payloads."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.model import Blob
from timetracer_otel.cli import settings
from timetracer_otel.config import Settings
from timetracer_otel.errors import UsageError
from timetracer_otel.redaction import Rules, load_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from timetracer_otel.exporters.otlp.transfer import Connection

EXTRA: Final = {"opentelemetry.proto": "opentelemetry-proto"}
"""What the extra `jaeger` installs."""


def check_extra(command: str) -> None:
    """Raises UsageError."""
    missing = [package for module, package in EXTRA.items() if find_spec(module) is None]
    if missing:
        names, verb = " and ".join(missing), "is" if len(missing) == 1 else "are"
        raise UsageError(command, f"{names} {verb} not installed", "run: pip install 'timetracer-otel[jaeger]'")


def connection() -> Connection:
    """As the variables of OpenTelemetry's own exporter say. Raises UsageError."""
    from timetracer_otel.exporters.otlp.endpoint import connection_of

    return connection_of(os.environ)


def rules() -> Rules:
    """Raises UsageError."""
    return load_rules(Settings.from_environment().redact)


def put_into(folder: str | None) -> Callable[[bytes], str] | None:
    """Stores payloads in `folder` as blobs. Raises UsageError; what it gives raises OSError."""
    if folder is None:
        return None
    from timetracer_otel.capture.process import process_id
    from timetracer_otel.store import Store

    chosen = Store(settings.not_empty("--payloads", folder))
    if chosen.root.exists() and not chosen.root.is_dir():
        raise UsageError("--payloads", f"{folder!r} is no folder", "name one, it is made if it is not there")
    return lambda data: chosen.write_blob(process_id(), data)


def get_from(folder: str | None) -> Callable[[str, int], bytes] | None:
    """Reads the payloads in `folder`. Raises UsageError; what it gives raises DamagedCassette."""
    if folder is None:
        return None
    from timetracer_otel.store.resolving import Resolver

    root = Path(settings.not_empty("--payloads", folder))
    if not root.is_dir():
        raise UsageError("--payloads", f"{folder!r} is no folder", "name the one that push was given")
    resolve = Resolver(root)
    return lambda sha256, size: resolve(Blob(sha256, 0, size))
