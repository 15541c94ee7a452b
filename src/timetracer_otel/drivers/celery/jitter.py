"""Retries with back-off wait for a random time: in replay, for the recorded one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from timetracer_otel.cassette.model import Payload


@contextlib.contextmanager
def recorded_jitter(result: Payload) -> Iterator[None]:
    """While it lasts, Celery's back-off gives the recorded wait if it could have drawn it."""
    retry = result.get("retry")
    recorded = retry.get("when") if isinstance(retry, Mapping) else None
    if not isinstance(recorded, int):
        yield
        return
    from celery.app import autoretry

    original = autoretry.get_exponential_backoff_interval

    @functools.wraps(original)
    def interval(*args: Any, full_jitter: bool = False, **kwargs: Any) -> Any:
        longest = original(*args, full_jitter=False, **kwargs)
        return recorded if full_jitter and 0 <= recorded <= longest else longest

    autoretry.get_exponential_backoff_interval = interval
    try:
        yield
    finally:
        autoretry.get_exponential_backoff_interval = original
