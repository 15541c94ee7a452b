"""Every exception that we raise on purpose.

    TimetracerError
    ├── UsageError               a wrong option, variable or combination
    ├── CassetteError            what should be a cassette is not, or cannot be read
    │   ├── CassetteNotFound
    │   ├── CassetteAmbiguous
    │   ├── DamagedCassette
    │   └── UnsupportedVersion
    ├── StoreFull                nothing may be written now; an OSError too
    ├── WireError                bytes that are not the protocol they should be
    ├── Unconvertible            a recorded value that has no form in the asked format
    ├── BackendError             Jaeger or a Collector that is down, refuses, or answers with what it should not
    └── ReplayError              a replay that cannot start or cannot go on

Every message is one line: what, where, what to do. The fields are the arguments, so that an error survives pickling.
None of these is ever raised into an application that is being recorded (`capture.guard`).
"""

from __future__ import annotations

import errno


class TimetracerError(Exception):
    """The base of all others; the CLI prints it as one line and exits with 2."""


class UsageError(TimetracerError):
    """`source` says where the value came from (an option, a variable, a table in pyproject), `advice` what to do."""

    def __init__(self, source: str, problem: str, advice: str) -> None:
        super().__init__(source, problem, advice)
        self.source, self.problem, self.advice = source, problem, advice

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}; {self.advice}"


class CassetteError(TimetracerError):
    """What should be a cassette is not."""


class CassetteNotFound(CassetteError):
    def __init__(self, wanted: str, store: str) -> None:
        super().__init__(wanted, store)
        self.wanted, self.store = wanted, store

    def __str__(self) -> str:
        return (
            f"{self.wanted}: no such cassette, neither a file nor a folder nor a trace in {self.store}; "
            "see `timetracer-otel list`, or set TIMETRACER_STORE"
        )


class CassetteAmbiguous(CassetteError):
    """`kind` is "trace" or "segment", `found` the names that the prefix fits."""

    def __init__(self, wanted: str, kind: str, found: tuple[str, ...]) -> None:
        super().__init__(wanted, kind, found)
        self.wanted, self.kind, self.found = wanted, kind, found

    def __str__(self) -> str:
        shown = ", ".join(self.found[:5]) + (", ..." if len(self.found) > 5 else "")
        return f"{self.wanted}: fits {len(self.found)} {self.kind}s ({shown}); name one of them"


class DamagedCassette(CassetteError):
    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: not a readable cassette: {self.problem}; fetch or record it again"


class UnsupportedVersion(CassetteError):
    def __init__(self, path: str, found: int, newest: int) -> None:
        super().__init__(path, found, newest)
        self.path, self.found, self.newest = path, found, newest

    def __str__(self) -> str:
        newest = f"this release reads up to {self.newest}"
        return f"{self.path}: cassette format {self.found}, {newest}; upgrade timetracer-otel"


class StoreFull(TimetracerError, OSError):
    """`reason` is "store_max" or "free_min", the limit that was met; `limit_bytes` is what it says."""

    def __init__(self, path: str, reason: str, limit_bytes: int) -> None:
        super().__init__(path, reason)
        self.args = (path, reason, limit_bytes)
        self.path, self.reason, self.limit_bytes = path, reason, limit_bytes
        self.errno, self.strerror, self.filename = errno.ENOSPC, str(self), path

    def __str__(self) -> str:
        size = f"{self.limit_bytes / 2**20:g} MiB" if self.limit_bytes >= 2**20 else f"{self.limit_bytes} bytes"
        limit = f"TIMETRACER_{self.reason.upper()} ({size})"
        advice = "nothing is written until there is room; see `timetracer-otel prune`, or set another limit"
        if self.reason == "free_min":
            return f"{self.path}: its disk would have less free than {limit}; {advice}"
        return f"{self.path}: the store would hold more than {limit}; {advice}"


class WireError(TimetracerError):
    """Bytes that break a protocol. The text names protocol, message and problem."""


class Unconvertible(TimetracerError):
    """A value that has no exact form in the asked format. The text names the type."""


class BackendError(TimetracerError):
    """`url` is where it was asked for; nothing local has changed."""

    def __init__(self, url: str, problem: str, advice: str) -> None:
        super().__init__(url, problem, advice)
        self.url, self.problem, self.advice = url, problem, advice

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}; {self.advice}"


class ReplayError(TimetracerError):
    def __init__(self, where: str, problem: str, advice: str) -> None:
        super().__init__(where, problem, advice)
        self.where, self.problem, self.advice = where, problem, advice

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}; {self.advice}"
