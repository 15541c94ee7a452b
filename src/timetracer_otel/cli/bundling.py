"""`timetracer-otel bundle`"""

from __future__ import annotations

from pathlib import Path

from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import settings
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.store import save_bundle


def print_bundle(store: str | None, wanted: str, output: str | None) -> int:
    """Writes to `output`, or under a name of its own into the working directory. Raises OSError if that cannot be."""
    cassette, segment_id = settings.open_cassette(store, wanted)
    target = Path() if output is None else settings.file_to_write("--output", output)
    print(safe(str(save_bundle(in_readable_form(cassette), target, segment_id))))
    return 0
