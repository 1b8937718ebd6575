"""Who works next: fairness, bounds and errors of the turns, with tasks that only note what happens to them."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from contract import Limits
from sync.clock import ManualClock, SystemClock
from sync.turns import MAX_PARKED, MAX_THREADS, TURN_PIECES, Once, Piece, Turns, threads


@dataclass
class Log:
    """What ran, in order, and how much of it at once."""

    started: list[str] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    most_rows: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    meet: threading.Barrier | None = None
    """Pieces wait here for each other, when the test wants them at once."""


class Work:
    """`pieces` pieces of `rows` rows each, at most `at_once` of them side by side."""

    def __init__(self, log: Log, name: str, pieces: int, *, rows: int = 0, at_once: int = 1) -> None:
        self.log, self.name, self.left, self.rows, self.at_once = log, name, pieces, rows, at_once
        self.running = 0

    def offer(self) -> Piece | None:
        if not self.left or self.running >= self.at_once:
            return None
        self.left -= 1
        self.running += 1
        return Piece(self.work, self.rows)

    @property
    def over(self) -> bool:
        return not self.left and not self.running

    def work(self) -> None:
        log = self.log
        with log.lock:
            log.started.append(self.name)
            log.rows += self.rows
            log.most_rows = max(log.most_rows, log.rows)
            for name in (self.name, "all"):
                log.running[name] += 1
                log.most[name] = max(log.most[name], log.running[name])
        if log.meet is not None:
            log.meet.wait(10)
        with log.lock:
            log.rows -= self.rows
            log.running.subtract([self.name, "all"])
            self.running -= 1


def turns(threads: int = 1, side_by_side: int = 1, **fields: int) -> Turns:
    return Turns(
        threads=threads,
        side_by_side=side_by_side,
        clock=ManualClock(datetime(2026, 6, 15, tzinfo=UTC)),
        **fields,
    )


def nothing() -> None:
    return None


def test_tasks_go_in_the_order_of_their_keys():
    log, line = Log(), turns()
    for key in (3, 1, 2):
        line.add((key,), Work(log, str(key), 2))
    line.run(nothing)
    assert log.started == ["1", "1", "2", "2", "3", "3"]


def test_active_tasks_take_turns_piece_by_piece():
    log, line = Log(), turns(side_by_side=2)
    for name in ("a", "b", "c"):
        line.add((name,), Work(log, name, 3))
    line.run(nothing)
    assert log.started == ["a", "b", "a", "b", "a", "b", "c", "c", "c"]


def test_one_huge_task_starves_nobody():
    log, line = Log(), turns()
    line.add(("a huge",), Work(log, "huge", 5 * TURN_PIECES))
    for number in range(10):
        line.add(("b", number), Work(log, f"small {number}", 3))
    line.run(nothing)
    assert log.started[TURN_PIECES : TURN_PIECES + 30] == [f"small {n}" for n in range(10) for _ in range(3)]
    assert log.started.count("huge") == 5 * TURN_PIECES


def test_time_counts_as_much_as_pieces():
    clock = ManualClock(datetime(2026, 6, 15, tzinfo=UTC))
    line = Turns(threads=1, side_by_side=1, clock=clock)
    log = Log()
    slow = Work(log, "slow", 4)
    plain = slow.work
    slow.work = lambda: (clock.advance(30), plain())[1]  # type: ignore[method-assign]
    line.add((1,), slow)
    line.add((2,), Work(log, "other", 1))
    line.run(nothing)
    assert log.started == ["slow", "slow", "other", "slow", "slow"]


def test_no_more_than_a_bounded_number_wait_in_the_middle_of_their_work():
    log, line = Log(), turns()
    for number in range(MAX_PARKED + 50):
        line.add((number,), Work(log, str(number), TURN_PIECES + 1))
    line.run(nothing)
    whole = log.started[MAX_PARKED * TURN_PIECES :]
    assert whole[: 50 * (TURN_PIECES + 1)] == [
        str(MAX_PARKED + n) for n in range(50) for _ in range(TURN_PIECES + 1)
    ]
    assert Counter(log.started) == {str(n): TURN_PIECES + 1 for n in range(MAX_PARKED + 50)}


def test_pieces_of_one_task_run_side_by_side():
    log, line = Log(meet=threading.Barrier(15)), turns(threads=15)
    line.add((1,), Work(log, "a", 30, at_once=15))
    line.run(nothing)
    assert log.most["a"] == 15


def test_no_more_pieces_run_than_there_are_threads():
    log, line = Log(meet=threading.Barrier(4)), turns(threads=4, side_by_side=10)
    for name in "abcdefgh":
        line.add((name,), Work(log, name, 5, at_once=5))
    line.run(nothing)
    assert log.most["all"] == 4


def test_rows_in_flight_are_bounded_and_a_large_piece_is_not_overtaken_for_ever():
    log = Log()
    line = Turns(threads=16, side_by_side=8, clock=SystemClock(), rows_in_flight=100)
    line.add(("a",), Work(log, "large", 10, rows=90, at_once=4))
    for name in "bcdef":
        line.add((name,), Work(log, name, 200, rows=20, at_once=4))
    line.run(nothing)
    assert log.most_rows <= 100
    assert log.started.count("large") == 10
    last = max(place for place, name in enumerate(log.started) if name == "large")
    assert last < 700, "not left for the end"


def test_a_piece_larger_than_all_that_is_allowed_runs_alone():
    log, line = Log(), turns(threads=4, side_by_side=4, rows_in_flight=100)
    line.add((1,), Work(log, "huge", 3, rows=1000, at_once=3))
    line.add((2,), Work(log, "small", 3, rows=10, at_once=3))
    line.run(nothing)
    assert log.most["huge"] == 1
    assert log.most_rows == 1000


def test_a_piece_may_add_tasks():
    log, line = Log(), turns(threads=2)
    line.add((0,), Once(lambda: line.add((1,), Work(log, "added", 2))))
    line.run(nothing)
    assert log.started == ["added", "added"]


def test_the_first_error_ends_everything_and_is_raised():
    log, line = Log(), turns()

    def fail() -> None:
        raise KeyError("surprise")

    line.add((0,), Once(fail))
    line.add((1,), Work(log, "never", 5))
    with pytest.raises(KeyError, match="surprise"):
        line.run(nothing)
    line.abandon()
    assert log.started == []


def test_the_one_who_waits_is_told_at_least_once():
    told: list[int] = []
    turns().run(lambda: told.append(1))
    assert told


def test_a_task_that_is_not_over_and_offers_nothing_is_a_mistake_and_not_a_wait_for_ever():
    class Mute:
        over = False

        def offer(self) -> None:
            return None

    line = turns()
    line.add((0,), Mute())
    with pytest.raises(RuntimeError, match="offer nothing"):
        line.run(nothing)


def test_threads_are_bounded():
    assert threads(Limits(concurrency=1, cells_per_property=15)) == 15
    assert threads(Limits(concurrency=100, cells_per_property=50)) == MAX_THREADS


def test_fault_54_ten_thousand_tasks_go_through_with_a_bounded_number_begun():
    log, line = Log(), turns(threads=4, side_by_side=10)
    begun: set[str] = set()
    ended: Counter[str] = Counter()
    most = [0]

    class Watched(Work):
        def work(self) -> None:
            with log.lock:
                begun.add(self.name)
                most[0] = max(most[0], sum(ended[name] < 3 for name in begun))
            super().work()
            with log.lock:
                ended[self.name] += 1
                if ended[self.name] == 3:
                    begun.discard(self.name)

    for number in range(10_000):
        line.add((number,), Watched(log, str(number), 3))
    line.run(nothing)
    assert len(log.started) == 30_000
    assert most[0] <= 14
    assert Counter(log.started) == {str(number): 3 for number in range(10_000)}
