"""What may go wrong in a marked test. Its server is up all the time: what reaches it is counted."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress

import psycopg
import pytest
import shop  # type: ignore[import-not-found]  # it lies beside these where they run

marked = pytest.mark.timetracer
IS_CHANGED = bool(os.environ.get("CHANGED"))
MAY_ASK = threading.Event()
LEFT: list[threading.Thread] = []
EARLIER: list[psycopg.Connection] = []


@marked
def test_swallowed() -> None:
    with suppress(Exception):
        shop.double(3)


@marked
def test_not_asked_any_more() -> None:
    if not IS_CHANGED:
        shop.scalar("insert into calls values ('not asked any more') returning 1")
    assert shop.scalar("select 1") == 1


@marked
def test_leaves_a_thread() -> None:
    def ask() -> None:
        MAY_ASK.wait(60)
        with suppress(Exception):
            shop.scalar("select 'of a thread that was left'")

    LEFT.append(threading.Thread(target=ask, daemon=True))
    LEFT[0].start()
    assert shop.scalar("select 'of the test'") == "of the test"


@marked
def test_after_a_thread_was_left() -> None:
    MAY_ASK.set()
    LEFT[0].join(60)
    assert shop.scalar("select 'of the test after it'") == "of the test after it"


def test_unmarked() -> None:
    EARLIER.append(psycopg.connect(os.environ["DSN"], autocommit=True))
    EARLIER[0].execute("insert into calls values ('unmarked')")


@marked
def test_earlier_connection() -> None:
    with suppress(psycopg.Error):
        EARLIER[0].execute("insert into calls values ('earlier connection')")


@marked
def test_network(timetracer: object) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        socket.create_connection(own.getsockname()).close()
    worker = threading.Thread(target=lambda: asyncio.run(asyncio.sleep(0)))
    worker.start()
    worker.join()
    if timetracer.mode == "replay":  # type: ignore[attr-defined]
        with suppress(OSError):
            socket.getaddrinfo("name.example", 80)
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"x", ("203.0.113.9", 9))
        with suppress(OSError):
            socket.create_connection(("203.0.113.9", 80))


def test_network_of_an_unmarked_one() -> None:
    with psycopg.connect(os.environ["DSN"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    for earlier in EARLIER:
        earlier.close()


@marked
@pytest.mark.skipif(IS_CHANGED, reason="as any skipped test it needs no cassette")
def test_skipped() -> None:
    raise AssertionError("it fails, so it is not recorded either")


@marked
def test_failing() -> None:
    assert shop.double(2) == 4
    assert not os.environ.get("FAIL")


@marked
def test_interrupted() -> None:
    assert shop.double(1) == 2
    if os.environ.get("INTERRUPT"):
        raise KeyboardInterrupt


@marked
def test_never_recorded() -> None:
    pass


@marked(casette="x.json")
def test_misspelt() -> None:
    pass


@marked(cassette="../nowhere.json")
def test_nowhere() -> None:
    pass
