"""`timetracer-otel doctor`"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Final

from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli.output import json_text
from timetracer_otel.diagnosis import diagnose
from timetracer_otel.set_up import Finding

MARKS: Final = {"ok": "ok", "note": "note", "problem": "PROBLEM"}


def print_doctor(as_json: bool) -> int:
    """0 if a process with this environment would record; 1 if something keeps it from recording."""
    findings = diagnose(os.environ)
    print(json_text([asdict(finding) for finding in findings]) if as_json else "\n".join(map(_line, findings)))
    return 1 if any(finding.level == "problem" for finding in findings) else 0


def _line(finding: Finding) -> str:
    return f"{MARKS[finding.level]:<8} {safe(finding.topic):<14} {safe(finding.text)}"
