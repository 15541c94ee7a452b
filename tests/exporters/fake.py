"""A driver without a driver: what is captured is the payload already."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette import Payload
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor


class Codec:
    def encode(self, captured: Captured) -> Encoded:
        if captured.request == "unencodable":
            raise ValueError("no form for this")
        return Encoded(
            type="db.query",
            lib="fake",
            method="GET",
            url="shop",
            request=cast(Payload, captured.request),
            result=cast(Payload, captured.result or {}),
        )

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        request, paths = redactor.value(encoded.request, "request")
        return replace(encoded, request=cast(Payload, request)), paths
