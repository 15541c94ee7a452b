"""Tasks of every kind, published as a client would, and how they end."""

from __future__ import annotations

from typing import Final

from tests.drivers.celery.harness import Payments

CLIENT: Final = """
import time
def end(*results):
    for each in results:
        try:
            each.get(timeout=60)
        except Exception:
            pass

def follow(task_id, seconds=30):
    app.AsyncResult(task_id).get(timeout=seconds)

done = add.delay(1, 2)
end(done)
bad = process_payment.delay(order_id=12345)
end(bad)
end(process_payment.delay(order_id=7))
end(about_me.apply_async((1, "two"), {"three": 3.0}, headers={"tenant": "t7"}, expires=600, priority=3))
end(given_nothing.delay())
end(flaky.delay("f1"), hopeless.delay("h1"), retries_itself.delay("r1"))
follow(chained.delay(5).get(timeout=30))
for each in grouped.delay(5).get(timeout=30):
    follow(each)
follow(with_chord.delay(5).get(timeout=30))
end(linked.delay(5), sends_by_name.delay(5), refused.delay(5))
end(reads.delay(done.id), reads_failure.delay(bad.id), waits_in_vain.delay(), parent.delay(20), joins.delay(3))
end(reads_on_the_way.delay())
ignores.delay(), rejects.delay(), retries_with_a_class.delay("c1")
end(unpicklable.delay(), replaces_itself.delay(1), unserialisable.delay())
end(chord([grows.s(1), add.s(1, 1)], total.s()).apply_async())
"""
"""Of these tasks all have ended when it has, but for callbacks and what nobody waits for."""

ENDED: Final = {
    "process_payment": ["FAILURE", "SUCCESS"],
    "about_me": ["SUCCESS"],
    "given_nothing": ["SUCCESS"],
    "flaky": ["RETRY", "RETRY", "SUCCESS"],
    "hopeless": ["RETRY", "FAILURE"],
    "retries_itself": ["RETRY", "SUCCESS"],
    "chained": ["SUCCESS"],
    "grouped": ["SUCCESS"],
    "with_chord": ["SUCCESS"],
    "total": ["SUCCESS", "SUCCESS", "SUCCESS"],
    "linked": ["SUCCESS"],
    "refuse": ["FAILURE", "FAILURE"],
    "told": ["SUCCESS"],
    "sends_by_name": ["SUCCESS"],
    "refused": ["SUCCESS"],
    "reads": ["SUCCESS"],
    "reads_failure": ["SUCCESS"],
    "waits_in_vain": ["FAILURE"],
    "parent": ["SUCCESS"],
    "joins": ["SUCCESS"],
    "reads_on_the_way": ["SUCCESS"],
    "ignores": ["IGNORED"],
    "rejects": ["REJECTED"],
    "retries_with_a_class": ["RETRY", "FAILURE"],
    "unpicklable": ["FAILURE"],
    "replaces_itself": ["IGNORED"],
    "unserialisable": ["FAILURE"],
    "grows": ["SUCCESS"],
}
"""States of each task's runs, in the order in which they began; `add` runs too often to be listed."""


def has_ended(payments: Payments, times: int = 1) -> bool:
    """Whether all that the client has published so often is recorded."""
    states = payments.states()
    return all(len(states.get(name, ())) >= len(runs) * times for name, runs in ENDED.items())
