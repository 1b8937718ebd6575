"""The limiter of a launch: several budgets at once, several launches at once, and a table that is away."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest

from sync.clock import ManualClock
from sync.errors import (
    DailyQuotaError,
    DatabaseUnavailable,
    Interrupted,
    LoadQuotaError,
    QuotaError,
)
from sync.quota.bucket import HEADROOM, LEASE_SECONDS, Ask, Grant
from sync.quota.circuit import Rules
from sync.quota.guard import DATABASE, Guard
from sync.quota.held import ADRIFT_SECONDS, Held
from sync.quota.limiter import Limiter
from sync.quota.memory import MemoryQuotaTable
from sync.quota.names import BucketName, Scope
from tests.unit.sync.fakes import Recorder, clock

SITE = BucketName(Scope.PROPERTY, "sc-domain:a.example")
OTHER = BucketName(Scope.PROPERTY, "sc-domain:b.example")
ROBOT = BucketName(Scope.IDENTITY, "robot")
SHOP = BucketName(Scope.PROJECT, "shop-1")
RATES = {Scope.PROPERTY: 5 / HEADROOM, Scope.IDENTITY: 20 / HEADROOM, Scope.PROJECT: 600 / HEADROOM}


class Table(MemoryQuotaTable):
    """Counts what it is asked; can be away."""

    def __init__(self, now: ManualClock) -> None:
        super().__init__(now.now)
        self.away = False
        self.calls: list[Sequence[Ask]] = []

    def renew(self, asks: Sequence[Ask]) -> Mapping[BucketName, Grant]:
        self.calls.append(asks)
        if self.away:
            raise DatabaseUnavailable("away")
        return super().renew(asks)


class Bench:
    def __init__(self) -> None:
        self.clock = clock()
        self.table = Table(self.clock)
        self.recorder = Recorder()

    def limiter(self, holder: str = "me", portion: float = 1.0) -> Limiter:
        sleep = self.clock.advance
        rules = Rules(failures=2, sources=1, first_seconds=2, longest_seconds=5)
        return Limiter(
            self.table, ceilings=RATES, holder=holder, clock=self.clock, sleep=sleep, observer=self.recorder,
            guard=Guard(DATABASE, self.clock, sleep, self.recorder, rules), portion=portion,
        )  # fmt: skip

    def asked(self, limiter: Limiter, seconds: float, *names: BucketName) -> int:
        """How many questions go through in so long when one is asked after the other."""
        count, end = 0, self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            limiter.acquire(names).accepted()
            count += 1
        return count


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_slowest_budget_decides(bench: Bench) -> None:
    limiter = bench.limiter()
    assert bench.asked(limiter, 20, SITE, ROBOT, SHOP) == pytest.approx(5 * 20, abs=4)
    assert bench.asked(limiter, 20, ROBOT, SHOP) == pytest.approx(20 * 20, abs=12)


def test_one_short_transaction_a_second_for_all_budgets(bench: Bench) -> None:
    bench.asked(bench.limiter(), 20, SITE, ROBOT, SHOP)
    assert len(bench.table.calls) <= 22
    assert {len(asks) for asks in bench.table.calls} == {3}


def test_budgets_that_are_used_no_more_are_given_back(bench: Bench) -> None:
    limiter = bench.limiter()
    bench.asked(limiter, 2, SITE, ROBOT)
    bench.asked(limiter, 10, OTHER, ROBOT)
    assert bench.table.buckets[SITE].leases == ()
    assert bench.table.buckets[SITE].asked > 0
    assert {ask.name for ask in bench.table.calls[-1]} == {OTHER, ROBOT}


class NotYetError(Exception):
    """It would have to wait."""


def side_by_side(bench: Bench, seconds: float, *limiters: Limiter) -> list[int]:
    """Launches that try all the time, in steps of a hundredth of a second; how many questions each may ask."""

    def impatient(_seconds: float) -> None:
        raise NotYetError

    counts = [0] * len(limiters)
    for limiter in limiters:
        limiter._sleep = impatient
    for _ in range(int(seconds * 100)):
        bench.clock.advance(0.01)
        for place, limiter in enumerate(limiters):
            with suppress(NotYetError):
                limiter.acquire([ROBOT]).accepted()
                counts[place] += 1
    return counts


def test_two_launches_share_evenly_and_one_that_ends_leaves_all_to_the_other(bench: Bench) -> None:
    one, two = bench.limiter("one"), bench.limiter("two")
    assert sum(side_by_side(bench, 5, one)) == pytest.approx(100, rel=0.15)
    counts = side_by_side(bench, 30, one, two)
    assert counts == pytest.approx([300, 300], rel=0.1)
    two.close()
    assert side_by_side(bench, 20, one) == pytest.approx([400], rel=0.05)


def test_the_share_of_a_launch_that_was_killed_goes_to_the_others(bench: Bench) -> None:
    one, killed = bench.limiter("one"), bench.limiter("killed")
    side_by_side(bench, 10, one, killed)
    assert side_by_side(bench, LEASE_SECONDS, one)[0] < 0.8 * 20 * LEASE_SECONDS, "its lease still runs"
    assert side_by_side(bench, 10, one) == pytest.approx([200], rel=0.1)


def test_a_refusal_blames_whom_google_names(bench: Bench) -> None:
    limiter = bench.limiter()
    bench.asked(limiter, 2, SITE, ROBOT, SHOP)
    limiter.acquire([SITE, ROBOT, SHOP]).refused(frozenset({Scope.IDENTITY}))
    assert [lesson["scope"] for lesson in bench.recorder.lessons] == ["identity"]
    limiter.acquire([SITE, ROBOT, SHOP]).refused()
    assert len(bench.recorder.lessons) == 4, "without a name all three"
    limiter.acquire([ROBOT]).refused(frozenset({Scope.PROPERTY}))
    assert bench.recorder.lessons[-1]["scope"] == "identity", "a scope that was not used cannot be meant"


def test_a_lesson_reaches_another_launch_with_its_next_renewal(bench: Bench) -> None:
    one, two = bench.limiter("one"), bench.limiter("two")
    for _ in range(20):
        one.acquire([ROBOT]).accepted()
        two.acquire([ROBOT]).accepted()
    one.acquire([ROBOT]).refused()
    learned = bench.table.buckets[ROBOT].learned.rate
    assert learned is not None
    bench.clock.advance(1.0)
    calls = len(bench.table.calls)
    two.acquire([ROBOT]).accepted()
    assert bench.table.calls[calls][0].epoch == 0, "it asked with the old lesson"
    two.acquire([ROBOT]).refused()
    assert bench.table.buckets[ROBOT].learned.epoch == 2, "and counts by the new one"


def test_a_property_that_rests_is_not_asked_for_and_others_go_on(bench: Bench) -> None:
    limiter = bench.limiter()
    error = limiter.acquire([SITE, ROBOT, SHOP]).postpone(LoadQuotaError("said Google", 900))
    assert isinstance(error, LoadQuotaError)
    assert (error.retry_after, error.spent) == (900, False)
    assert "said Google" in str(error)
    with pytest.raises(LoadQuotaError, match="rests for 900 s more"):
        bench.limiter("next job").acquire([SITE, ROBOT, SHOP])
    limiter.acquire([OTHER, ROBOT, SHOP]).accepted()
    bench.clock.advance(901)
    spent = limiter.acquire([SITE, ROBOT, SHOP]).postpone(LoadQuotaError("again", 900))
    assert isinstance(spent, LoadQuotaError)
    assert spent.spent
    assert spent.retry_after > 3600


@pytest.mark.parametrize(
    ("names", "rests"),
    [([SITE, ROBOT, SHOP], SHOP), ([SITE, ROBOT], ROBOT)],
    ids=["the project", "the identity, of a project nobody knows"],
)
def test_a_spent_day_stops_every_launch_of_the_project(
    bench: Bench, names: list[BucketName], rests: BucketName
) -> None:
    other = bench.limiter("other")
    other.acquire(names).accepted()
    bench.limiter().acquire(names).postpone(DailyQuotaError("said Google", 0))
    assert bench.table.buckets[rests].rest is not None
    bench.clock.advance(1.0)
    with pytest.raises(DailyQuotaError):
        other.acquire(names)
    assert bench.recorder.rests[0]["spent"] == "daily"


def test_without_the_table_it_goes_on_at_half_its_share_for_half_a_minute(bench: Bench) -> None:
    limiter = bench.limiter()
    bench.asked(limiter, 5, ROBOT)
    bench.table.away = True
    bench.asked(limiter, LEASE_SECONDS, ROBOT)
    assert bench.asked(limiter, 20, ROBOT) == pytest.approx(10 * 20, rel=0.1)
    with pytest.raises(DatabaseUnavailable, match="could not be renewed"):
        bench.asked(limiter, ADRIFT_SECONDS, ROBOT)
    away = sum(1 for _ in bench.table.calls)
    assert away < 25, "the breaker keeps it from being asked at every question"
    assert {change["dependency"] for change in bench.recorder.circuits} == {DATABASE}
    bench.table.away = False
    bench.clock.advance(5)
    limiter.acquire([ROBOT]).accepted()
    assert bench.asked(limiter, 20, ROBOT) == pytest.approx(20 * 20, rel=0.1)


def test_a_budget_that_never_had_a_lease_begins_at_a_tenth(bench: Bench) -> None:
    bench.table.away = True
    assert bench.asked(bench.limiter(), 20, ROBOT) == pytest.approx(2 * 20, abs=3)


def test_a_refusal_slows_down_even_when_nobody_can_be_told(bench: Bench) -> None:
    limiter = bench.limiter()
    bench.asked(limiter, 3, ROBOT)
    bench.table.away = True
    limiter.acquire([ROBOT]).refused()
    before = bench.clock.monotonic()
    limiter.acquire([ROBOT]).accepted()
    assert bench.clock.monotonic() - before >= 1


def test_a_rest_is_told_when_the_table_is_back(bench: Bench) -> None:
    limiter = bench.limiter()
    permit = limiter.acquire([SITE, ROBOT])
    bench.table.away = True
    error: QuotaError = permit.postpone(LoadQuotaError("said Google", 900))
    assert error.retry_after == 900
    bench.table.away = False
    bench.clock.advance(3)
    with pytest.raises(LoadQuotaError):
        limiter.acquire([SITE, ROBOT])


def test_who_is_interrupted_leaves_the_queue(bench: Bench) -> None:
    limiter = bench.limiter()
    while bench.clock.monotonic() == clock().monotonic():
        limiter.acquire([SITE])

    def stopped(_seconds: float) -> None:
        raise Interrupted("stop")

    limiter._sleep = stopped
    for _ in range(50):
        with pytest.raises(Interrupted):
            limiter.acquire([SITE])
    limiter._sleep = bench.clock.advance
    before = bench.clock.monotonic()
    limiter.acquire([SITE])
    assert bench.clock.monotonic() - before < 0.5


def test_when_many_leave_the_queue_at_once_nobody_goes_before_his_time(bench: Bench) -> None:
    """At its soft deadline a launch's threads leave one after the other, and each finds fewer in the queue."""
    limiter, queued, went = bench.limiter(), [], []

    def work() -> None:
        with suppress(NotYetError):
            limiter.acquire([ROBOT]).accepted()
            went.append(ROBOT)

    def another_one_comes(_seconds: float) -> None:
        if len(queued) == 30:
            raise NotYetError
        queued.append(ROBOT)
        work()

    limiter._sleep = another_one_comes
    for _ in range(12):
        work()
    assert len(queued) == 30
    assert len(went) <= 10, "half a second of the rate"


def test_a_question_under_way_while_its_budget_was_given_back_still_counts(bench: Bench) -> None:
    limiter = bench.limiter()
    slow = limiter.acquire([SITE, ROBOT])
    bench.asked(limiter, 10, ROBOT)
    assert bench.table.buckets[SITE].leases == ()
    slow.refused(frozenset({Scope.PROPERTY}))
    assert bench.table.buckets[SITE].learned.rate is not None


def test_many_threads_together_keep_the_rate(bench: Bench) -> None:
    """Real threads on a clock that each of them moves on."""
    limiter, done = bench.limiter(), []

    def work() -> None:
        for _ in range(50):
            limiter.acquire([ROBOT]).accepted()
            done.append(bench.clock.monotonic())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(done) == 400
    assert max(done) >= (400 - 10) / 20
    limiter.close()
    assert bench.table.buckets[ROBOT].asked == 400
    assert bench.table.buckets[ROBOT].leases == ()


def test_a_backfill_uses_its_portion_and_no_more_though_nobody_else_asks():
    bench = Bench()
    asked = bench.asked(bench.limiter(portion=0.4), 60, SITE)
    assert asked == pytest.approx(60 * 5 * 0.4, rel=0.1)


def test_beside_a_backfill_the_daily_run_has_all_the_rest():
    bench = Bench()
    ceiling = 5 / HEADROOM
    daily, backfill = Held.fresh(SITE, ceiling, 0.0), Held.fresh(SITE, ceiling, 0.0, 0.2)
    for _ in range(4):
        for name, held in (("backfill", backfill), ("daily", daily)):
            now = bench.clock.monotonic()
            held.throttled, held.served = True, 5
            ask = held.ask(name, now)
            held.told(ask, bench.table.renew([ask])[SITE], now, now)
        bench.clock.advance(1)
    assert daily.granted is not None
    assert daily.granted.share == pytest.approx(4)
    assert (daily.pace.rate, backfill.pace.rate) == (pytest.approx(4), pytest.approx(1))
