from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.drivers.asgi import lending
from timetracer_otel.drivers.asgi.lending import Budget, Loan


def test_what_is_too_much_is_not_taken_at_all() -> None:
    budget = Budget(100)
    assert [budget.take(60), budget.take(41), budget.take(40)] == [True, False, True]
    budget.give(60)
    assert budget.held == 40


@given(st.lists(st.integers(0, 50), max_size=20), st.lists(st.integers(0, 50), max_size=20))
def test_a_loan_gives_back_no_more_than_was_taken(taken: list[int], given_back: list[int]) -> None:
    budget = Budget(10**6)
    budget.take(7)  # somebody else's
    loan = Loan(budget)
    for size in taken:
        assert budget.take(size)
        loan.add(size)
    for size in given_back:
        loan.give(size)
    left = max(0, sum(taken) - sum(given_back))
    assert (budget.held, loan.is_open) == (7 + left, left > 0)
    loan.settle()
    assert (budget.held, loan.is_open) == (7, False)


def test_threads_take_and_give_back_without_losing_a_byte() -> None:
    budget = Budget(10**9)
    loan = Loan(budget)

    def work() -> None:
        for _ in range(5000):
            budget.take(3)
            loan.add(3)
            loan.give(3)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (budget.held, loan.is_open) == (0, False)


def test_a_finalizer_may_give_back_while_its_thread_holds_the_lock() -> None:
    budget = Budget(100)
    budget.take(10)
    with budget.lock:
        budget.give(10)
    assert budget.held == 0


def test_after_a_fork_nothing_is_held_and_what_was_inherited_gives_back_to_the_old_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Budget(100)
    monkeypatch.setattr(lending, "budget", old)
    old.take(90)
    threading.Thread(target=old.lock.acquire).start()
    lending.after_fork()
    old.give(90)
    assert (old.held, lending.budget.held, lending.budget.max_bytes) == (0, 0, 100)
