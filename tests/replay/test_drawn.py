"""What a session makes of values that the process itself has made."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import socket
import uuid
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.replay.recordings import HOST, PID, asked, by, exchange, session
from timetracer_otel.cassette.model import Process
from timetracer_otel.drivers.base import TEXT_MAX, Question, Slot
from timetracer_otel.replay.machine import Machine

INSERT = "INSERT INTO orders VALUES ($1)"
SELECT = "SELECT status FROM orders WHERE code = $1"
THEN, NOW, OTHER = "AB12CD34", "XK81PQ22", "QQ77WW55"


def test_what_is_drawn_is_asked_with_then_and_now_and_listed() -> None:
    source, journal = session(exchange(1, INSERT, [f"ORD-{THEN}"]), exchange(2, SELECT, [THEN]), draws=list(NOW))
    assert source.take(asked(INSERT, [f"ORD-{NOW}"]), by()) is not None
    assert source.take(asked(SELECT, [NOW]), by()) is not None
    assert [(event["kind"], event["recorded"], event["replayed"]) for event in journal.of("mapping")] == [
        ("drawn", f"ORD-{THEN}", f"ORD-{NOW}"),
        ("drawn", THEN, NOW),
    ]
    assert source.explains(f"made {THEN}", f"made {NOW}")
    assert not source.explains(f"made {THEN}", f"sold {NOW}")


def test_one_drawn_value_stands_for_one() -> None:
    source, _ = session(exchange(1, INSERT, [THEN]), exchange(2, SELECT, [THEN]), draws=[*NOW, *OTHER])
    assert source.take(asked(INSERT, [NOW]), by()) is not None
    assert source.take(asked(SELECT, [OTHER]), by()) is None
    assert not source.explains(THEN, OTHER)
    assert not source.explains(OTHER[::-1], NOW)
    assert source.take(asked(SELECT, [NOW]), by()) is not None


def test_a_part_of_it_stands_for_the_same_part_alone() -> None:
    source, _ = session(exchange(1, INSERT, [THEN]), exchange(2, SELECT, [f"k:{THEN[:7]}"]), draws=[*NOW, *OTHER])
    assert source.take(asked(INSERT, [NOW]), by()) is not None
    assert source.take(asked(SELECT, [f"k:{OTHER[:7]}"]), by()) is None
    assert source.take(asked(SELECT, [f"k:{NOW[:7]}"]), by()) is not None


def test_what_the_request_or_an_earlier_answer_gave_was_not_drawn() -> None:
    source, _ = session(exchange(1, INSERT, [THEN]), draws=list(NOW), sent={"path": f"/orders/{THEN}"})
    assert source.take(asked(INSERT, [NOW]), by()) is None
    assert not source.explains(THEN, NOW)
    source, _ = session(exchange(1, SELECT, ["x"], THEN), exchange(2, INSERT, [THEN]), draws=list(NOW))
    assert source.take(asked(INSERT, [NOW]), by()) is None


def test_an_answer_that_repeats_what_was_drawn_takes_nothing_from_it() -> None:
    source, _ = session(exchange(1, INSERT, [f"ORD-{THEN}"], THEN), exchange(2, SELECT, [THEN]), draws=["D", *NOW])
    assert source.take(asked(INSERT, [f"ORD-{NOW}"]), by()) is not None
    assert source.explains(THEN, NOW)
    assert source.take(asked(SELECT, [NOW]), by()) is not None


def test_a_value_beside_it_that_differs_is_a_miss() -> None:
    source, _ = session(exchange(1, INSERT, [THEN, "new"]), draws=list(NOW))
    assert source.take(asked(INSERT, [NOW, "old"]), by()) is None
    assert source.take(asked(INSERT, [NOW, "new"]), by()) is not None


def test_an_instant_may_stand_beside_it() -> None:
    now = 1790000000.300123
    source, _ = session(
        exchange(1, INSERT, [f'{{"at": 1790003600.1002, "code": "{THEN}"}}']),
        draws=list(NOW),
        reads=[int(now * 10**6) * 1000],
    )
    assert source.take(asked(INSERT, [f'{{"at": 1790003601.300123, "code": "{NOW}"}}']), by()) is None
    assert source.take(asked(INSERT, [f'{{"at": 1790003600.300123, "code": "{NOW}"}}']), by()) is not None


def export(codes: Sequence[str], at: str, state: str = "new") -> str:
    rows = [{"code": code, "at": "2026-01-02T03:04:05.123456", "state": state} for code in codes]
    return json.dumps({"generated_at": at, "rows": rows})


def test_thousands_may_stand_in_one_text_beside_instants() -> None:
    drawn = [hashlib.md5(b"%d" % number).digest() for number in range(4000)]
    then = [hashlib.md5(each).hexdigest() for each in drawn]
    now = [each.hex() for each in drawn]  # some have as many digits in a row as an instant
    was = export(then, "2026-09-21T14:13:20.123456")
    at = "2026-09-21T14:13:20.223457"
    assert 64 * 1024 < len(was) < TEXT_MAX
    source, _ = session(exchange(1, INSERT, [was]), draws=drawn)
    assert source.take(asked(INSERT, [export(now[::-1], at, "old")]), by()) is None
    assert source.take(asked(INSERT, [export([now[1], *now[1:]], at)]), by()) is None
    assert source.take(asked(INSERT, [export([then[1], *now[1:]], at)]), by()) is None
    assert source.take(asked(INSERT, [export(now, "2026-09-21T15:13:20.223457")]), by()) is None
    found = source.take(asked(INSERT, [export(now, at)]), by())
    assert found is not None
    assert source.explains(then[17], now[17])
    assert not source.explains(then[17], now[18])


def test_several_are_answered_in_recorded_order_and_each_stands_for_its_own() -> None:
    recorded = [exchange(n, INSERT, [each], n) for n, each in enumerate((THEN, OTHER))]
    source, _ = session(*recorded, draws=[*"K7L8M9N0", *NOW])
    answers = [source.take(asked(INSERT, [each]), by()) for each in ("K7L8M9N0", NOW)]
    assert [each and each.result["answer"] for each in answers] == [0, 1]
    assert source.explains(OTHER, NOW)
    assert not source.explains(THEN, NOW)


def test_a_word_that_was_chosen_proves_nothing() -> None:
    source, _ = session(exchange(1, INSERT, [THEN]), draws=[NOW])
    assert source.take(asked(INSERT, [NOW]), by()) is None


def test_a_process_and_its_machine_are_called_otherwise_here() -> None:
    here, pid, update = socket.gethostname(), os.getpid(), "UPDATE jobs SET locked_by = $1"
    then = [exchange(1, update, [f"{HOST}:{PID}"]), exchange(2, update, [PID]), exchange(3, update, [f"x{HOST}"])]
    source, journal = session(*then)
    assert source.take(asked(update, [f"{here}:{pid + 1}"]), by()) is None
    assert source.take(asked(update, [f"{here}:{pid}"]), by()) is then[0]
    assert source.take(asked(update, [pid]), by()) is then[1]
    assert source.take(asked(update, [f"x{here}"]), by()) is None
    assert [event["kind"] for event in journal.of("mapping")] == ["machine", "machine"]
    assert source.explains(f"done by {HOST}", f"done by {here}")
    assert not source.explains(f"done by {HOST}", f"done by {here} again")


def test_the_small_number_of_a_process_in_a_container_counts_beside_the_name_of_its_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)
    machine = Machine(Process("p", host=HOST, pid=1))
    assert [machine.recorded(each) for each in ("7", "7 apples")] == ["7", "7 apples"]
    assert machine.recorded(f"{socket.gethostname()}:7") == f"{HOST}:1"
    assert Machine(Process("p", host=HOST, pid=PID)).recorded("7") == "7"
    assert Machine(Process("p", host="web-7", pid=1)).recorded(f"{socket.gethostname()}:7") == "web-7:1"


def test_a_machine_without_a_name_is_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "")
    assert Machine(Process("p", host=HOST, pid=PID)).recorded("a b") == "a b"


def test_what_differs_in_more_than_its_text_is_a_miss() -> None:
    source, _ = session(exchange(1, INSERT, ["42"]), exchange(2, INSERT, [HOST]), draws=list(NOW))
    question = asked(INSERT, ["42"])
    other = replace(question, slots=tuple(replace(each, key=("bytes", b"42")) for each in question.slots))
    assert source.take(other, by()) is None


def long(question: Question, text: str, has_text: bool) -> Question:
    """As drivers have a long value: the beginning is shown."""
    slot = Slot("body", key=text.encode(), shown=text[:1000], text=text if has_text else None)
    return replace(question, slots=(slot,))


MADE, OTHER_MADE = "11111111-2222-4333-8444-555555555555", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


@pytest.mark.parametrize("has_text", [True, False])
@pytest.mark.parametrize(("then", "now"), [(THEN, NOW), (HOST, socket.gethostname()), (MADE, OTHER_MADE)])
def test_what_differs_behind_the_part_that_is_shown_is_a_miss(then: str, now: str, has_text: bool) -> None:
    body = f" {'x' * 100_000} "
    was = long(asked(INSERT), f"{then}{body}old", has_text)
    source, _ = session(exchange(1), draws=list(NOW), ids=[MADE], question=lambda _: was)
    source.made(uuid.UUID(OTHER_MADE))
    assert source.take(long(asked(INSERT), f"{now}{body}new", has_text), by()) is None


def test_a_value_of_another_type_an_instant_and_an_id_of_a_driver_are_never_drawn() -> None:
    source, _ = session(exchange(1, INSERT, ["120045"]), draws=[483921])
    question = asked(INSERT, ["483921"])
    (slot,) = question.slots
    others = replace(slot, key=("int", "483921")), replace(slot, instant_ns=1), replace(slot, made="f" * 24)
    assert [source.take(replace(question, slots=(each,)), by()) for each in others] == [None] * 3
    assert source.take(question, by()) is not None


def test_a_draw_may_stand_beside_the_name_of_the_machine() -> None:
    source, _ = session(exchange(1, INSERT, [f"{HOST}/{THEN}"]), draws=list(NOW))
    assert source.take(asked(INSERT, [f"{socket.gethostname()}/{NOW}"]), by()) is not None


def test_the_hash_of_a_token_is_drawn_as_the_token_is() -> None:
    token, then = secrets.token_bytes(32), hashlib.sha256(b"the one of then").hexdigest()
    source, _ = session(exchange(1, INSERT, [then]), draws=[token])
    now = hashlib.sha256(base64.urlsafe_b64encode(token).rstrip(b"=")).hexdigest()
    assert source.take(asked(INSERT, [hashlib.sha256(b"another").hexdigest()]), by()) is None
    assert source.take(asked(INSERT, [now]), by()) is not None
