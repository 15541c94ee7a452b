"""Imported by `payments` where SABOTAGE is set: whatever our taps do with what they hear raises."""

from __future__ import annotations

from typing import NoReturn

from timetracer_otel.drivers.celery import heard, lost, publishing, results, tasks


class Sabotage(Exception):
    pass


def fail(*args: object, **kwargs: object) -> NoReturn:
    raise Sabotage


for module in (heard, lost, publishing, results, tasks):
    for name in ("HeardTask", "HeardOutcome", "HeardPublish", "HeardRead", "HeardAnswer", "message_fields"):
        if hasattr(module, name):
            setattr(module, name, fail)
publishing._end_span = fail
