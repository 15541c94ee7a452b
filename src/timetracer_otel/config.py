"""One frozen `Settings`, read from the environment. Reading is the only thing that happens here.

Precedence: option or marker > environment > `[tool.timetracer-otel]` in pyproject.toml (never read while recording) >
default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, get_args

from timetracer_otel.errors import UsageError

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

Mode: TypeAlias = Literal["record", "replay", "off"]
Write: TypeAlias = Literal["auto", "sync", "background"]

PREFIX: Final = "TIMETRACER_"
SETTINGS: Final = (
    "MODE",
    "STORE",
    "CASSETTE",
    "WRITE",
    "KEEP",
    "PAYLOAD_MAX",
    "TRACE_MAX",
    "IN_FLIGHT_MAX",
    "ENVIRONMENT_MAX",
    "STORE_MAX",
    "FREE_MIN",
    "RECORD_UNSAMPLED",
    "REDACT",
)
"""What comes after the prefix in the variables that people set."""
_INTERNAL: Final = (
    "SEGMENT",
    "LIVE",
    "ENTRY",
    "BEGAN",
    "JOURNAL",
    "APP",
    "APP_CODE",
    "SECRETS",
    "EARLIER",
    "PATHS",
    "PDB",
    "ISOLATION",
    "REQUIRE_SERVERS",
)
"""Set by the runner of a replay for its child, and by our tests."""

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)?", re.IGNORECASE)
_UNITS: Final = {"b": 1, "kib": KIB, "mib": MIB, "gib": GIB}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SIZE_MAX: Final = 1 << 62
_DURATION_MAX_S: Final = 1e12
_FRACTION: Final = re.compile(r"1/([1-9]\d{0,8})")
_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Keep:
    """Which segments are kept, where any of these asks for it; decided when the local root ends."""

    everything: bool = True
    errors: bool = False
    slow_ns: int | None = None
    """Those whose root took at least so long."""
    one_in: int | None = None
    """One trace of so many, chosen by its id: all segments of a trace, in whatever process, are chosen alike."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes in bytes. The defaults are those of design §5."""

    mode: Mode = "record"
    store: str = "cassettes"
    cassette: str | None = None
    write: Write = "auto"
    keep: Keep = Keep()
    payload_max_bytes: int = 64 * MIB
    trace_max_bytes: int = 256 * MIB
    in_flight_max_bytes: int = 64 * MIB
    environment_max_bytes: int = 16 * MIB
    store_max_bytes: int = 4 * GIB
    free_min_bytes: int = 256 * MIB
    """Of the store's disk: with less than that free, nothing is written."""
    record_unsampled: bool = False
    redact: str | None = None
    """File with rules of redaction beside the built-in ones."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Raises UsageError naming the variable, its value and what is allowed; an unknown one is refused as well."""
        env = os.environ if environ is None else environ
        _check_names(env)
        default = cls()
        return cls(
            mode=_choice(env, "TIMETRACER_MODE", get_args(Mode), "record"),
            store=env.get("TIMETRACER_STORE") or default.store,
            cassette=env.get("TIMETRACER_CASSETTE") or None,
            write=_choice(env, "TIMETRACER_WRITE", get_args(Write), "auto"),
            keep=_keep(env.get("TIMETRACER_KEEP", "all")),
            payload_max_bytes=_size(env, "TIMETRACER_PAYLOAD_MAX", default.payload_max_bytes),
            trace_max_bytes=_size(env, "TIMETRACER_TRACE_MAX", default.trace_max_bytes),
            in_flight_max_bytes=_size(env, "TIMETRACER_IN_FLIGHT_MAX", default.in_flight_max_bytes),
            environment_max_bytes=_size(env, "TIMETRACER_ENVIRONMENT_MAX", default.environment_max_bytes),
            store_max_bytes=_size(env, "TIMETRACER_STORE_MAX", default.store_max_bytes),
            free_min_bytes=_size(env, "TIMETRACER_FREE_MIN", default.free_min_bytes),
            record_unsampled=_flag(env, "TIMETRACER_RECORD_UNSAMPLED"),
            redact=env.get("TIMETRACER_REDACT") or None,
        )


def duration_s(text: str, source: str) -> float:
    """Seconds in `60s`, `500ms`, `7d`. Raises UsageError: a duration without a unit means nothing."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(source, f"{text!r} is not a duration", "write a number with ms, s, m, h or d, such as 60s")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _DURATION_MAX_S:
        raise UsageError(source, f"{text[:40]!r} is longer than anything lasts", "write a shorter one, such as 60s")
    return seconds


def _check_names(env: Mapping[str, str]) -> None:
    unknown = {name for name in env if name.startswith(PREFIX)} - {PREFIX + name for name in SETTINGS + _INTERNAL}
    for name in sorted(unknown):
        known = ", ".join(PREFIX + each for each in SETTINGS)
        raise UsageError(name, "there is no such variable", f"correct or unset it; there are {known}")


def _choice(env: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> Any:
    value = env.get(name) or default
    if value not in allowed:
        raise UsageError(name, f"{value!r} is not one of {', '.join(allowed)}", "correct or unset it")
    return value


def _size(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if not text:
        return default
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(name, f"{text!r} is not a size", "write a number with B, KiB, MiB or GiB, such as 4GiB")
    size = float(match[1]) * _UNITS[(match[2] or "B").lower()]
    if size > _SIZE_MAX:
        raise UsageError(name, f"{text[:40]!r} is more than any machine has", "write a smaller one, such as 4GiB")
    return int(size)


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name) or "0"
    if text.strip().lower() not in _FLAGS:
        raise UsageError(name, f"{text!r} is not one of {', '.join(_FLAGS)}", "correct or unset it")
    return _FLAGS[text.strip().lower()]


def _keep(text: str) -> Keep:
    words = [word.strip() for word in text.split(",") if word.strip()] or ["all"]
    keep = Keep(everything=False)
    for word in words:
        keep = _keep_also(keep, word)
    return keep


def _keep_also(keep: Keep, word: str) -> Keep:
    if word == "all":
        return replace(keep, everything=True)
    if word == "errors":
        return replace(keep, errors=True)
    if word.startswith("slow:"):
        return replace(keep, slow_ns=int(duration_s(word.removeprefix("slow:"), "TIMETRACER_KEEP") * 1e9))
    if (fraction := _FRACTION.fullmatch(word)) is not None:
        return replace(keep, one_in=int(fraction[1]))
    allowed = "all, errors, slow:<duration> such as slow:500ms, 1/<number> such as 1/100"
    raise UsageError("TIMETRACER_KEEP", f"{word!r} is not one of {allowed}", "correct or unset it")
