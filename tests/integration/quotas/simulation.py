"""Several syncs beside a Google that enforces a budget nobody was told, in virtual time and without chance.

The limiter, its budgets and their table in memory are the real ones; only time, the threads' order and Google are not.
Threads take turns: one runs, until it waits; then the one whose time comes first does. So nothing sleeps, every run with one
seed is the same, and an hour takes seconds.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import random
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sync.quota.guard import DATABASE, Guard
from sync.quota.limiter import Limiter
from sync.quota.memory import MemoryQuotaTable
from sync.quota.names import BucketName, Scope
from tests.unit.sync.fakes import Recorder

PROJECT = BucketName(Scope.PROJECT, "new-1")
ROBOT = BucketName(Scope.IDENTITY, "robot")
START = datetime(2026, 6, 15, 4, tzinfo=UTC)
MINUTE = 60.0
LATENCY = (0.1, 0.4)
"""Seconds from a question to its answer, at least and at most."""
PER_PROPERTY, PER_PROJECT = 20.0, 40_000 / 60
PROPERTIES = 4
"""Of each sync."""


class EndError(Exception):
    """The time of the simulation is over."""


class Turns:
    """A clock, and threads of which one runs at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._elapsed, self._order = seconds, 0.0, itertools.count()
        self._asleep: list[tuple[float, int, threading.Semaphore]] = []
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._errors: list[BaseException] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.sleep(seconds)
        return event.is_set()

    def sleep(self, seconds: float) -> None:
        """Let the others have their turns until then. Raises EndError when the time is over."""
        mine = threading.Semaphore(0)
        heapq.heappush(self._asleep, (self._elapsed + max(0.0, seconds), next(self._order), mine))
        self._next()
        mine.acquire()
        if self._elapsed >= self._seconds:
            raise EndError

    def thread(self, at: float, work: Callable[[], None]) -> None:
        mine = threading.Semaphore(0)
        heapq.heappush(self._asleep, (at, next(self._order), mine))

        def run() -> None:
            mine.acquire()
            try:
                work()
            except EndError:
                pass
            except BaseException as error:  # noqa: BLE001 - told in the thread of the test
                self._errors.append(error)
            self._next()

        self._threads.append(threading.Thread(target=run, daemon=True))

    def play(self) -> None:
        """All of it."""
        for thread in self._threads:
            thread.start()
        self._next()
        assert self._over.wait(120), "somebody waits for ever"
        for thread in self._threads:
            thread.join(10)
        if self._errors:
            raise self._errors[0]

    def _next(self) -> None:
        if not self._asleep:
            self._over.set()
            return
        at, _, semaphore = heapq.heappop(self._asleep)
        self._elapsed = max(self._elapsed, at)
        semaphore.release()


@dataclass
class Google:
    """One budget in questions a minute, which changes at some moments; refused ones do not count."""

    budgets: Sequence[tuple[float, int]]
    """(second from which it holds, questions a minute)"""
    fixed: bool = False
    """The minute begins anew at every full minute, instead of being the last sixty seconds."""
    per_second: int | None = None
    """At most so many within any second as well."""
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def asked(self, at: float) -> bool:
        first = at // MINUTE * MINUTE if self.fixed else at - MINUTE
        budget = next(budget for since, budget in reversed(self.budgets) if since <= at)
        burst = self.per_second is not None and self._since(at - 1.0) >= self.per_second
        took = not burst and self._since(first) < budget
        (self.accepted if took else self.refused).append(at)
        return took

    def _since(self, first: float) -> int:
        return len(self.accepted) - bisect_left(self.accepted, first)


@dataclass(repr=False)
class Figures:
    """What came of it, minute by minute."""

    google: Google
    minutes: int

    @property
    def accepted(self) -> list[int]:
        return _per_minute(self.google.accepted, self.minutes)

    @property
    def refused(self) -> list[int]:
        return _per_minute(self.google.refused, self.minutes)

    def __repr__(self) -> str:
        return f"accepted {self.accepted}, refused {self.refused}"


def _per_minute(moments: Sequence[float], minutes: int) -> list[int]:
    return [sum(n * MINUTE <= at < (n + 1) * MINUTE for at in moments) for n in range(minutes)]


def simulate(
    google: Google,
    *,
    minutes: int,
    syncs: int = 3,
    per_identity: float = 20.0,
    stop: float = float("inf"),
    seed: int = 1,
) -> Figures:
    """Syncs that always have something to ask, with properties of their own, all of one project.

    `stop` is the second of their soft deadline: who would have to wait beyond it gives up at once.
    """
    turns, draw = Turns(minutes * MINUTE), random.Random(seed)
    table = MemoryQuotaTable(turns.now)
    ceilings = {Scope.PROPERTY: PER_PROPERTY, Scope.IDENTITY: per_identity, Scope.PROJECT: PER_PROJECT}

    def sleep(seconds: float) -> None:
        if turns.monotonic() + seconds > stop:
            raise EndError
        turns.sleep(seconds)

    def sync(number: int) -> None:
        observer = Recorder()
        limiter = Limiter(
            table, ceilings=ceilings, holder=f"sync {number}", clock=turns, sleep=sleep,
            observer=observer, guard=Guard(DATABASE, turns, sleep, observer),
        )  # fmt: skip

        def work(place: int) -> None:
            site = BucketName(Scope.PROPERTY, f"site {number}.{place % PROPERTIES}")
            tries = 0
            while True:
                permit = limiter.acquire([site, ROBOT, PROJECT])
                turns.sleep(draw.uniform(*LATENCY) / 2)
                took = google.asked(turns.monotonic())
                turns.sleep(draw.uniform(*LATENCY) / 2)
                if took:
                    permit.accepted()
                    tries = 0
                    continue
                permit.refused(frozenset({Scope.PROJECT}))
                tries += 1
                sleep(draw.uniform(0, min(60.0, 2.0 * 2**tries)))

        start = draw.uniform(0, 3)
        for place in range(max(5, 24 // syncs)):
            turns.thread(start, functools.partial(work, place))

    for number in range(syncs):
        sync(number)
    turns.play()
    return Figures(google, minutes)
