"""One run: rounds that take turns, and in the end all that is to be compared."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests.servers.postgres import PostgresServer
from tests.soak import service
from tests.soak.accounts import Account, doctor, losses, parts, set_aside
from tests.soak.contestants import Contestant, contestant, started
from tests.soak.load import TIMEOUT_S, Ask, Partner, fetch, plans

ASIDE_EVERY: Final = 12
"""Rounds, after which what is recorded is set aside: until then the store may have been full for a while."""


@dataclass(frozen=True, slots=True)
class Outcome:
    plain: Contestant
    recorded: Contestant
    account: Account
    last: Counter[str]
    """Losses counted since the recording was set aside for the last time."""
    doctor: Counter[str]
    """Those that `doctor` names of the same store."""
    peak_mib: float
    spans: tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]
    """That arrived at the other exporter: under plain OpenTelemetry, and recorded."""
    log: str
    """What the recorded service said."""


def soak(
    postgres: PostgresServer, folder: Path, store_max: str, is_enough: Callable[[int], bool], size: int
) -> Outcome:
    """`is_enough` is asked before each round, of its number; each is `size` requests to either service."""
    with psycopg.connect(postgres.dsn) as connection:
        connection.execute("DROP TABLE IF EXISTS documents")
        connection.execute(service.TABLE)
    store, archive = folder / "store", folder / "archive"
    recording = {
        "OTEL_TRACES_EXPORTER": "otlp,timetracer",
        "TIMETRACER_STORE": str(store),
        "TIMETRACER_STORE_MAX": store_max,
        "TIMETRACER_FREE_MIN": "0",
    }
    with _partner() as partner:
        shared = {"DSN": postgres.dsn, "PARTNER": partner.url}
        with (
            contestant("plain", folder, **shared, OTEL_TRACES_EXPORTER="otlp") as plain,
            contestant("recorded", folder, **shared, **recording) as recorded,
        ):
            for one in (plain, recorded):
                started(one)
            _rounds(plain, recorded, size, is_enough, lambda: set_aside(store, archive))
            _recover(plain, recorded, store, archive)
            peak_mib = recorded.peak_mib
            for one in (plain, recorded):
                one.settle()
                one.stop()
            spans = plain.spans(), recorded.spans()
    return _outcome(plain, recorded, peak_mib, spans, (store, archive))


@contextlib.contextmanager
def _partner() -> Iterator[Partner]:
    partner = Partner()
    try:
        yield partner
    finally:
        partner.stop()


def _rounds(
    plain: Contestant, recorded: Contestant, size: int, is_enough: Callable[[int], bool], aside: Callable[[], None]
) -> None:
    for number, plan in enumerate(plans(size)):
        if is_enough(number):
            return
        for one in (plain, recorded) if number % 2 else (recorded, plain):
            one.loaded(plan)
            one.flush()
        if number % ASIDE_EVERY == ASIDE_EVERY - 1:
            aside()


def _recover(plain: Contestant, recorded: Contestant, store: Path, archive: Path) -> None:
    """There is room again: requests go on until one is recorded, which also says what was lost before it."""
    recorded.settle()
    set_aside(store, archive)
    deadline, number = time.monotonic() + TIMEOUT_S, max((each.number for each in recorded.made), default=0)
    while not parts(store):
        assert time.monotonic() < deadline, "nothing is recorded though there is room"
        number += 1
        for one in (plain, recorded):
            fetch(one.port, Ask("orders", number).path)
            one.made.append(Ask("orders", number))
        recorded.flush()
        time.sleep(0.2)


def _outcome(
    plain: Contestant,
    recorded: Contestant,
    peak_mib: float,
    spans: tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]],
    stores: tuple[Path, Path],
) -> Outcome:
    store, _ = stores
    last, account = Account(), Account()
    last.add(store)
    for one in stores:
        account.add(one)
    return Outcome(
        plain, recorded, account, last.counted, losses(doctor(store)), peak_mib, spans, recorded.log.read_text()
    )
