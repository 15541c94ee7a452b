"""One session: the answers of one recorded segment, or of the environments of its process.

Every exchange answers once; the environment's last answer repeats: pools and pollers ask it anew in every process.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Final

from timetracer_otel.cassette import values
from timetracer_otel.cassette.model import Acquire, Connection, Exchange, Value
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Asked, Question
from timetracer_otel.replay import explain, hiding
from timetracer_otel.replay.candidates import Place
from timetracer_otel.replay.journal import Journal
from timetracer_otel.replay.kept import Kept, is_bound
from timetracer_otel.replay.library import Library, Recorded
from timetracer_otel.replay.matching import Found, Index, span_paths
from timetracer_otel.replay.origin import Mapping, Origins
from timetracer_otel.replay.outside import BEHIND, BESIDE, Outside
from timetracer_otel.replay.told import told_first

AHEAD_MAX: Final = 64
NUMBERED_POOL: Final = re.compile(r"pool-\d+")
"""As psycopg_pool names those that the application does not."""
TRANSACTION_ENDS: Final = frozenset({"COMMIT", "ROLLBACK", "ABORT", "END", "RELEASE"})


class Session:
    """Implements `drivers.base.AnswerSource`. Thread-safe; the lock covers memory, events are written after it."""

    def __init__(
        self,
        recorded: Recorded,
        library: Library,
        origins: Origins,
        journal: Journal,
        answered: Callable[[Exchange, int | None], None] = lambda exchange, next_ns: None,
        missed: Callable[[], None] = lambda: None,
    ) -> None:
        """`answered` hears of each answer before the app has it, or of what a miss stands in place of, and when the
        recorded app asked again (`at_ns`): the clock moves on. `missed` hears of each miss."""
        self.recorded, self._library, self._origins = recorded, library, origins
        self._journal, self._answered, self._missed = journal, answered, missed
        self._lock, self._pid = threading.RLock(), os.getpid()
        self._indexes: dict[str, Index] = {}
        self._transactions: dict[tuple[str, int], int | None] = {}
        self._connections: dict[tuple[str, int], int | None] = {}
        self._broken: set[tuple[str, int]] = set()
        self._missing: set[Hashable] = set()
        self._over = ""
        self.kept: Kept | None = None
        """What the process is taken to have kept of earlier requests."""
        self._outside = Outside(journal)
        """Of an environment: the entry has ended."""
        self._unfit: dict[Hashable, str] = {}
        self._paths = span_paths(recorded.spans, recorded.root)
        self.asked = 0
        """Requests so far, answered or not: as long as it grows, the app is at work."""
        self._unused = {exchange.id for exchange in recorded.exchanges} - recorded.of_children - recorded.of_pools
        self._in_time = sorted(recorded.exchanges, key=_began)
        self._asked_of_pools: Counter[tuple[str, str]] = Counter()
        self._pools_then: dict[str, str] = {}
        self._lost = {exchange.id: exchange for exchange in recorded.exchanges if exchange.dropped}
        """Recorded without their payload; each excuses one miss."""

    def end(self, note: str) -> None:
        """From now on whoever asks gets nothing but a miss with this note: he has outlived what was replayed."""
        with self._lock:
            self.recorded = Recorded(self.recorded.name, ())
            self._library, self._over = Library((), self._library.question), note
            self._indexes, self._paths, self._lost, self._unused, self._in_time = {}, {}, {}, set(), []

    def entry_began(self) -> None:
        """A miss of an environment would say nothing of the entry from now on."""
        self._outside.when = BESIDE if self.is_environment else ""

    def entry_ended(self) -> None:
        self._outside.when = BEHIND if self.is_environment else ""

    @property
    def is_past_entry(self) -> bool:
        return self._outside.when == BEHIND

    @property
    def is_environment(self) -> bool:
        return self.recorded.is_environment

    @property
    def is_spanless(self) -> bool:
        asked = self.recorded.exchanges
        return bool(asked) and not any(exchange.span_id for exchange in asked)

    @property
    def is_used_up(self) -> bool:
        """True when every exchange that the recorded process made itself has answered."""
        return not self._unused

    def connections(self, lib: str) -> Sequence[Connection]:
        spoken = registry.wire(lib)
        return [each for each in self.recorded.connections if registry.wire(each.driver) == spoken]

    def known(self, lib: str, shape: Hashable) -> Sequence[Exchange]:
        found = self._library.known(lib, shape)
        # A table may have changed between two executions: what is asked for next says best how it looks now.
        ahead = self.ahead(lib, shape)
        if ahead is None or ahead is found[0]:
            return found
        return [ahead, *(each for each in found if each is not ahead)]

    def ahead(self, lib: str, shape: Hashable) -> Exchange | None:
        return next((each for each in self._library.known(lib, shape) if each.id in self._unused), None)

    def questions(self, lib: str) -> Sequence[Question]:
        with self._lock:
            return [candidate.question for candidate in self._index(lib).candidates]

    def made(self, value: uuid.UUID) -> None:
        """An id that this replay made and the recording did not."""
        with self._lock:
            self._origins.made(value)

    def supplied(self, secrets: Iterable[tuple[str, str]]) -> None:
        """Markers of the entry, each with the secret that was sent in its place."""
        with self._lock:
            self._origins.supplied(secrets)

    def explains(self, recorded: Value, replayed: Value) -> bool:
        """True when a difference of the outcome is an id of proven origin; it is then listed as a mapping."""
        with self._lock:
            mapping = self._origins.proves_text(recorded, replayed)
            if mapping is None:
                return False
            self._origins.bind([mapping])
        self._journal.write(
            "mapping", kind=mapping.kind, recorded=values.encode(recorded), replayed=values.encode(replayed)
        )
        return True

    def refusal(self, driver: str, pool: str) -> Acquire | None:
        with self._lock:
            pool = self._pool_then(driver, pool)
            number = self._asked_of_pools[driver, pool]
            self._asked_of_pools[driver, pool] += 1
        recorded = [each for each in self.recorded.pools if (each.driver, each.pool) == (driver, pool)]
        found = recorded[number] if number < len(recorded) else None
        return found if found is not None and _was_full(found) else None

    def _pool_then(self, driver: str, pool: str) -> str:
        """Its recorded name: one that is numbered has another number where the process had made others before."""
        names = dict.fromkeys(each.pool for each in self.recorded.pools if each.driver == driver)
        if pool in names or NUMBERED_POOL.fullmatch(pool) is None:
            return pool
        if pool not in self._pools_then:
            taken = self._pools_then.values()
            left = (name for name in names if NUMBERED_POOL.fullmatch(name) and name not in taken)
            self._pools_then[pool] = next(left, pool)
        return self._pools_then[pool]

    # ---- answers -----------------------------------------------------------------------------------------------------

    def take(self, question: Question, asked: Asked) -> Exchange | None:
        with self._lock:
            self.asked += 1
            if self.kept is not None and (kept := self.kept.end(question, asked)) is not None:
                return kept
            index = self._index(question.lib)
            found = index.find(question, self._place(question, asked), self._origins, self.is_environment)
            if self.kept is not None:
                if found is None or self.kept.is_barred(question, asked):
                    return self.kept.instead(question, asked, index.has(question))
                self.kept.answered(question, asked)
            if found is None:
                return None
            reason, next_ns = self._use(found, question, asked)
        return self._give(found, asked, reason, next_ns)

    def take_ready(self, question: Question, asked: Asked) -> Exchange | None:
        with self._lock:
            found = self._index(question.lib).find_ready(question)
            if found is None:
                return None
            self.asked += 1
            if self.kept is not None:
                self.kept.answered(question, asked)
            reason, next_ns = self._use(found, question, asked)
        return self._give(found, asked, reason, next_ns)

    def _use(self, found: Found, question: Question, asked: Asked) -> tuple[str | None, int | None]:
        """Why it is no answer, if it is none, and when the recorded app asked for the next."""
        exchange = found.candidate.exchange
        self._index(question.lib).use(found)
        self._unused.discard(exchange.id)
        self._lost.pop(exchange.id, None)
        self._origins.bind(found.mappings)
        self._origins.bind_equal(found.candidate.question.slots if not found.mappings else ())
        if (reason := explain.reason_unfit(exchange)) is not None:
            self._unfit[_key(question)] = reason
        else:
            self._follow(question, asked, exchange)
        return reason, self._next_ns(_ended(exchange))

    def _give(self, found: Found, asked: Asked, reason: str | None, next_ns: int | None) -> Exchange | None:
        """Outside of the lock, which covers no I/O."""
        self._tell(found, asked, reason)
        if reason is not None:
            return None
        self._answered(found.candidate.exchange, next_ns)
        return self._origins.renaming.applied(found.candidate.exchange)

    def due(self, question: Question, asked: Asked) -> Exchange | None:
        with self._lock:
            group = self._index(question.lib).group(question)
            queue = group.next(self._place(question, asked)) if group is not None else None
            if not queue:
                return None
            began_ns = queue[0].exchange.at_ns
            if any(each.at_ns < began_ns and each.id in self._unused for each in self.recorded.exchanges):
                return None
            return self.take(question, asked)

    def _next_ns(self, from_ns: int) -> int | None:
        """When the recorded app asked for the first of what has not answered yet, from this moment on; None where that
        is not to be seen among a few."""
        first = bisect_left(self._in_time, from_ns, key=_began)
        ahead = islice(self._in_time, first, first + AHEAD_MAX)
        return next((each.at_ns for each in ahead if each.id in self._unused), None)

    def _index(self, lib: str) -> Index:
        wire = registry.wire(lib)
        if wire not in self._indexes:
            own = (e for e in self.recorded.exchanges if registry.wire(e.signature.lib) == wire)
            ordered = sorted(own, key=lambda e: (e.at_ns, e.id))
            self._indexes[wire] = Index(
                ((e, self._library.question(e), self._place_of(e)) for e in ordered), lambda: self._told
            )
        return self._indexes[wire]

    @cached_property
    def _told(self) -> frozenset[str]:
        own = {each.id for each in self.recorded.exchanges}
        elsewhere = (each for each in self._library.exchanges if each.id not in own)
        return told_first(((each, self._library.question(each)) for each in self.recorded.exchanges), elsewhere)

    def _place_of(self, exchange: Exchange) -> Place:
        path, children = self._paths.get(exchange.span_id or "", ()), self.recorded.of_children
        return Place(
            exchange.transaction,
            exchange.connection,
            path,
            exchange.id in children if children else None,
            exchange.id in self.recorded.of_pools,
        )

    def _place(self, question: Question, asked: Asked) -> Place:
        """Where the call stands, in the numbers of the recording."""
        return Place(
            self._transactions.get((question.lib, asked.transaction)) if asked.transaction is not None else None,
            self._connections.get((question.lib, asked.connection)) if asked.connection is not None else None,
            asked.span_path[1:],
            os.getpid() != self._pid if self.recorded.of_children else None,
        )

    def _follow(self, question: Question, asked: Asked, exchange: Exchange) -> None:
        """The last answer tells which recorded connection and transaction this one stands for."""
        if asked.transaction is not None:
            self._transactions[question.lib, asked.transaction] = exchange.transaction
        if asked.connection is not None:
            self._connections[question.lib, asked.connection] = exchange.connection

    def _tell(self, found: Found, asked: Asked, reason: str | None) -> None:
        exchange = found.candidate.exchange
        self._tell_mappings(found.mappings)
        if reason is not None:
            self._journal.write("incomplete", exchange=exchange.id, reason=reason)
            return
        if self.recorded.is_earlier:
            self._tell_earlier(found.candidate.question)
            return
        place = {"process": os.getpid(), "transaction": asked.transaction, "task": asked.task}
        self._journal.write("take", exchange=exchange.id, session=self.recorded.name, **place)
        if found.is_ambiguous:
            self._journal.write("ambiguous", exchange=exchange.id)
        for path in exchange.redacted:
            if path.startswith("result"):
                self._journal.write("redacted", exchange=exchange.id, path=path)

    def _tell_earlier(self, question: Question) -> None:
        if not is_bound(question):  # which go with what stands between them
            self._journal.write("earlier", session=self.recorded.name, text=question.text)

    def _tell_mappings(self, mappings: Iterable[Mapping]) -> None:
        for each in mappings:
            hidden = hiding.HIDDEN if each.kind == "redacted" else each.replayed
            recorded, replayed = values.encode(each.recorded), values.encode(hidden)
            self._journal.write("mapping", kind=each.kind, recorded=recorded, replayed=replayed)

    # ---- misses ------------------------------------------------------------------------------------------------------

    def miss(self, question: Question, asked: Asked, note: str = "", consequent: bool = False) -> str:
        with self._lock:
            index = self._index(question.lib)
            unfit = self._unfit.pop(_key(question), None)
            lost = self._lost_request(question) if unfit is None else None
            near = explain.nearest(index, question, self._origins)
            in_place = near.exchange if near is not None and near.is_in_place_of(question) else None
            group = index.group(question)
            follows = self._ends_what_missed(question, asked) or self._is_retried(question)
        follows = follows or consequent or asked.is_after_miss
        if self._outside.when:
            return self._outside.tell(question, asked)
        self._missed()
        if in_place is not None:  # what is reckoned from the clock goes on to be that of then
            self._answered(in_place, self._next_ns(_ended(in_place)))
        if lost is not None:
            unfit = explain.reason_unfit(lost)
            self._journal.write("incomplete", exchange=lost.id, reason=unfit)
        if unfit is None and group is not None and group.calls:
            near = explain.exhausted(near, len(group.candidates), group.calls)
            note = note or explain.used_up(len(group.candidates), group.calls)
        question, near = hiding.without_secrets(question, near)
        self._journal.write(
            "miss",
            request=explain.request_json(question),
            frame=asked.frame,
            span=asked.span,
            nearest=explain.nearest_json(near),
            differences=explain.differences_json(near),
            note=unfit or note or self._over,
            consequent=follows,
            unfit=unfit is not None,
        )
        return explain.one_line(question, near, unfit or note or self._over)

    def undecided(self, reason: str) -> None:
        self._journal.write("incomplete", exchange=None, reason=reason)

    def uncontrolled(self, text: str) -> None:
        self._journal.write("uncontrolled", text=text)

    def _lost_request(self, question: Question) -> Exchange | None:
        """One that was too large to be kept, with its values or all of its statement: it may be what is asked for.
        Each excuses one miss."""
        own = ((e, self._library.question(e)) for e in self._lost.values() if _speak_alike(e, question))
        lost = next((e for e, q in own if not q.text or (q.shape == question.shape and not q.slots)), None)
        if lost is not None:
            del self._lost[lost.id]
            self._unused.discard(lost.id)
        return lost

    def _ends_what_missed(self, question: Question, asked: Asked) -> bool:
        """The driver rolls back by itself what a miss has broken: no finding of its own."""
        if asked.connection is None:
            return False
        connection = question.lib, asked.connection
        follows = connection in self._broken and question.method.upper() in TRANSACTION_ENDS
        self._broken.add(connection)
        return follows

    def _is_retried(self, question: Question) -> bool:
        """The app asks again for what it did not get: one finding, however often."""
        key = _key(question)
        is_again = key in self._missing
        self._missing.add(key)
        return is_again


def _was_full(acquire: Acquire) -> bool:
    """True where the pool itself gave nobody a connection; a connect that failed is an exchange, and fails again."""
    return acquire.error is not None and not acquire.idle and 0 < acquire.max_size <= acquire.size


def _speak_alike(exchange: Exchange, question: Question) -> bool:
    return registry.wire(exchange.signature.lib) == registry.wire(question.lib)


def _began(exchange: Exchange) -> int:
    return exchange.at_ns


def _ended(exchange: Exchange) -> int:
    return exchange.at_ns + exchange.duration_ns


def _key(question: Question) -> Hashable:
    return question.lib, question.shape, question.in_transaction, tuple(slot.key for slot in question.slots)
