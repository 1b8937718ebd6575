"""Renewing a lease: sharing, learning, forgetting, resting, and clocks that step."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.quota.bucket import (
    HEADROOM,
    HURRY_SECONDS,
    LEASE_SECONDS,
    PROVER_RATE,
    Ask,
    Bucket,
    Grant,
    renew,
)
from sync.quota.learning import LONGEST_PAUSE, SLOWEST
from sync.quota.names import BucketName, Scope
from sync.quota.rest import LONGEST_REST, Refused, Spent
from sync.quota.shares import divide

NAME = BucketName(Scope.PROJECT, "shop-1")
START = datetime(2026, 6, 15, 4, tzinfo=UTC).timestamp()
"""21:00 in California: three hours to midnight."""


class Table:
    """A bucket and its time."""

    def __init__(self, ceiling: float = 20.0) -> None:
        self.bucket, self.now, self.ceiling, self.epoch = Bucket(NAME), START, ceiling, 0

    def ask(self, holder: str = "a", wants: float = 1000.0, **fields: Any) -> Grant:
        known = {"ceiling": self.ceiling / HEADROOM, "epoch": self.epoch}
        self.bucket, grant = renew(
            self.bucket, Ask(NAME, holder, wants=wants, **{**known, **fields}), self.now
        )
        self.epoch = grant.epoch
        return grant

    def used(self, seconds: int, per_second: float) -> Grant:
        """A job that is accepted at this rate for so long, and renews each second."""
        due = 0.0
        for _ in range(seconds):
            self.now += 1
            due += per_second
            accepted = int(due)
            due -= accepted
            grant = self.ask(accepted=accepted, accepted_of_epoch=accepted)
        return grant

    def refused(self, **fields: Any) -> Grant:
        return self.ask(refused=1, refused_of_epoch=True, **fields)


@pytest.mark.parametrize(
    ("wants", "shares"),
    [
        pytest.param({}, {}, id="nobody"),
        pytest.param({"a": 0}, {"a": 12}, id="one who wants nothing yet has room to grow"),
        pytest.param({"a": 100, "b": 100, "c": 100}, {"a": 4, "b": 4, "c": 4}, id="equal parts"),
        pytest.param(
            {"a": 1, "b": 100, "c": 100},
            {"a": 1, "b": 5.5, "c": 5.5},
            id="what one leaves goes to the others",
        ),
        pytest.param({"a": 1, "b": 2}, {"a": 5.5, "b": 6.5}, id="what nobody wants is divided"),
    ],
)
def test_dividing(wants: dict[str, float], shares: dict[str, float]) -> None:
    assert divide(12, wants) == pytest.approx(shares)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1e6), min_size=1, max_size=9), st.floats(0.01, 1e4))
def test_dividing_gives_all_of_it_and_nobody_less_than_his_part(wants: dict[str, float], rate: float) -> None:
    shares = divide(rate, wants)
    assert sum(shares.values()) == pytest.approx(rate)
    assert all(shares[name] >= min(want, rate / len(wants)) - 1e-6 for name, want in wants.items())


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 3), st.floats(0, 50)), max_size=60))
def test_live_leases_never_hold_more_than_there_is(turns: list[tuple[str, float, float]]) -> None:
    table = Table()
    for holder, gap, wants in turns:
        table.now += gap
        table.ask(holder, wants)
        live = [lease.share for lease in table.bucket.leases if lease.until > table.now]
        assert sum(live) <= 20 + 1e-6


def test_the_lowest_ceiling_of_those_who_run_counts() -> None:
    table = Table()
    table.ask("a")
    table.ask("careful", ceiling=4 / HEADROOM)
    assert table.ask("a").share == pytest.approx(2)
    table.now += LEASE_SECONDS + 1
    assert table.ask("a").share == pytest.approx(20), "he has gone"


def test_the_first_refusal_costs_a_third_and_a_moment() -> None:
    table = Table()
    table.used(10, 20)
    grant = table.refused()
    assert (grant.learned, grant.pause, grant.lesson) == (pytest.approx(14), pytest.approx(1), True)


def test_a_rate_that_was_not_used_is_not_what_was_refused() -> None:
    table = Table(ceiling=600)
    table.used(10, 19)
    assert table.refused().learned == pytest.approx(0.7 * 19, rel=0.1)


def test_refusals_of_one_burst_teach_once() -> None:
    table = Table()
    table.used(10, 20)
    under_way = table.epoch
    table.refused()
    for _ in range(5):
        assert not table.ask(refused=1, refused_of_epoch=True, epoch=under_way).lesson
    assert table.bucket.learned.rate == pytest.approx(14)
    assert table.bucket.learned.refusals == 6


def test_refused_again_at_once_it_is_the_minute_and_what_was_accepted_in_it_is_the_limit() -> None:
    """A project with 60 a minute, asked at 19 a second."""
    table = Table(ceiling=600)
    table.used(3, 20)
    assert table.refused().learned == pytest.approx(0.7 * 15), "as far as it was seen"
    table.now += 1
    grant = table.refused()
    assert grant.learned == pytest.approx(0.95 * 60 / 60)
    assert 55 <= grant.pause <= LONGEST_PAUSE, "until the minute that is full has gone by"


def test_refused_after_a_minute_of_full_use_it_goes_a_twentieth_below_what_went_through() -> None:
    table = Table()
    table.used(80, 15)
    assert table.refused().learned == pytest.approx(0.95 * 15, rel=0.1)


def test_a_rate_that_had_risen_was_only_just_too_high() -> None:
    table = Table(ceiling=600)
    table.used(3, 10)
    table.refused()
    table.used(40, 5)
    risen = table.bucket.learned.rate
    assert risen is not None
    assert risen > 5.25
    assert table.refused().learned == pytest.approx(0.9 * risen, rel=0.01)


def test_with_nothing_accepted_at_all_it_ends_at_the_slowest_and_asks_ever_less() -> None:
    table = Table()
    table.ask()
    pauses = []
    for _ in range(10):
        grant = table.refused()
        pauses.append(grant.pause)
        table.now += grant.pause
    assert grant.learned == SLOWEST
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_a_guess_rises_by_two_fifths_a_minute_while_there_is_use_for_more() -> None:
    table = Table(ceiling=15)
    table.used(10, 15)
    learned = table.refused().learned
    assert learned == pytest.approx(10.5)
    rates = [table.used(15, 10).learned for _ in range(4)]
    steps = [b - a for a, b in pairwise(rates)]
    assert steps == pytest.approx([0.1 * learned] * 3, rel=0.02), "the same step each time: additive"
    assert table.used(60, 10).learned is None, "back at what is configured"


def test_a_limit_that_was_measured_is_met_again_slowly() -> None:
    table = Table()
    table.used(80, 15)
    learned = table.refused().learned
    table.used(60, 10)
    rates = [table.used(60, 10).learned for _ in range(3)]
    assert learned is not None
    steps = [b - a for a, b in pairwise(rates)]
    assert steps == pytest.approx([0.02 * learned] * 2, rel=0.02)


def test_once_more_is_accepted_than_was_refused_it_rises_fast() -> None:
    """The limit was raised: from 60 a minute to ten times as much within a quarter of an hour."""
    table = Table()
    table.used(80, 1)
    learned = table.refused().learned
    assert learned == pytest.approx(0.95, rel=0.1)
    minutes = 0
    while learned is not None and learned < 10:
        learned, minutes = table.used(60, learned).learned, minutes + 1
    assert 8 <= minutes <= 15


def test_after_a_lesson_one_job_asks_alone_until_something_is_accepted() -> None:
    table = Table()
    for holder in "abcabc":
        table.ask(holder)
    table.refused(holder="a")
    table.now += 1.5
    for holder in "abc":
        table.ask(holder)
    grants = {holder: table.ask(holder) for holder in "abc"}
    (prover,) = [holder for holder, grant in grants.items() if grant.proves]
    assert grants[prover].share == pytest.approx(PROVER_RATE)
    assert [grant.share for holder, grant in grants.items() if holder != prover] == [0, 0]
    assert {grant.renew_in for holder, grant in grants.items() if holder != prover} == {HURRY_SECONDS}
    table.ask(prover, accepted=1, accepted_of_epoch=1)
    for holder in "abc":
        table.ask(holder)
    shares = [table.ask(holder).share for holder in "abc"]
    assert shares == pytest.approx([14 / 3] * 3, rel=0.01)


def test_a_prover_who_finds_nothing_out_is_relieved() -> None:
    table = Table()
    for holder in "abab":
        table.ask(holder)
    table.refused(holder="a")
    proved = set()
    for _ in range(30):
        table.now += 1
        proved |= {holder for holder in "ab" if table.ask(holder).proves}
    assert proved == {"a", "b"}


def test_between_launches_it_rises_to_what_was_refused_and_no_further() -> None:
    table = Table()
    table.used(9, 2)
    learned = table.refused().learned
    assert learned == pytest.approx(1.4, rel=0.15)
    table.now += 30 * 86400
    assert table.ask("tomorrow").learned == pytest.approx(learned / 0.7, rel=0.01)
    table.now += 86400
    assert table.ask("the day after").learned == pytest.approx(learned / 0.7, rel=0.01)


def test_load_rests_the_cool_down_and_the_day_after_a_second_refusal() -> None:
    table = Table()
    first = table.ask(rest=Refused(Spent.LOAD, 900))
    assert first.rest_seconds == 900
    table.now += 10
    under_way = table.ask("b", rest=Refused(Spent.LOAD, 900))
    assert under_way.rest_seconds == 890, "a question that was under way prolongs nothing"
    table.now += 890
    assert table.ask().rest is None
    second = table.ask(rest=Refused(Spent.LOAD, 900))
    assert second.rest is not None
    assert second.rest.spent is Spent.DAILY_LOAD
    assert second.rest_seconds == 3 * 3600 - 900, "midnight in California"


@pytest.mark.parametrize(
    ("accepted", "idle"), [pytest.param(1, 10, id="load is back"), pytest.param(0, 3700, id="long ago")]
)
def test_a_load_refusal_later_is_a_first_one_again(accepted: int, idle: float) -> None:
    table = Table()
    table.ask(rest=Refused(Spent.LOAD, 60))
    table.now += 61
    table.ask(accepted=accepted)
    table.now += idle
    again = table.ask(rest=Refused(Spent.LOAD, 60))
    assert again.rest is not None
    assert again.rest.spent is Spent.LOAD


def test_a_spent_day_lasts_until_midnight_in_california() -> None:
    table = Table()
    assert table.ask(rest=Refused(Spent.DAILY, 5)).rest_seconds == 3 * 3600


@pytest.mark.parametrize("step", [-86_400.0 * 3650, -3600.0, -1.0, 1.0, 3600.0, 86_400.0 * 3650])
def test_a_step_of_the_databases_clock_closes_nothing_for_long(step: float) -> None:
    table = Table()
    table.used(70, 20)
    table.refused()
    table.ask("b", rest=Refused(Spent.LOAD, 900), accepted=1, accepted_of_epoch=1)
    table.now += step
    grant = table.ask("c")
    assert grant.pause <= LONGEST_PAUSE
    assert grant.rest_seconds <= LONGEST_REST
    assert sum(lease.share for lease in table.bucket.leases) <= 20 + 1e-6
    table.now += LEASE_SECONDS + LONGEST_PAUSE
    grant = table.ask("c")
    assert grant.share > 10, "leases from another time are gone"
    assert table.bucket.minute.total <= 20 * 65
    table.now += LONGEST_REST
    assert table.ask("c").rest is None


def test_leaving_leaves_what_was_learnt() -> None:
    table = Table()
    table.used(5, 20)
    learned = table.refused().learned
    table.ask(leave=True, wants=0.0)
    assert table.bucket.leases == ()
    assert table.ask("next").learned == pytest.approx(learned)
