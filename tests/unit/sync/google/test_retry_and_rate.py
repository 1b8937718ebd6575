"""What a refusal leads to, and how the pace is kept."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import FailureClass
from sync.errors import (
    BadAnswer,
    CredentialsError,
    DailyQuotaError,
    GoogleUnavailable,
    LoadQuotaError,
    PropertyError,
    QuotaError,
)
from sync.google.classify import Kind, Verdict
from sync.google.rate import SLOWEST, Bucket, Rates, wait_for
from sync.google.retry import Again, GiveUp, Policy, react
from tests.unit.sync.fakes import clock

POLICY = Policy()


def verdict(
    kind: Kind, error_class: FailureClass = FailureClass.GOOGLE_UNAVAILABLE, retry_after: float | None = None
) -> Verdict:
    return Verdict(kind, error_class, "said", retry_after)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        pytest.param(verdict(Kind.LOAD), LoadQuotaError, id="load"),
        pytest.param(verdict(Kind.DAILY), DailyQuotaError, id="daily"),
        pytest.param(verdict(Kind.ACCOUNT, FailureClass.API_DISABLED), CredentialsError, id="account"),
        pytest.param(verdict(Kind.PROPERTY, FailureClass.PERMISSION_DENIED), PropertyError, id="property"),
        pytest.param(verdict(Kind.REQUEST, FailureClass.BAD_REQUEST), PropertyError, id="request"),
        pytest.param(verdict(Kind.OVERSIZED, FailureClass.BAD_ANSWER), BadAnswer, id="oversized"),
    ],
)
def test_some_refusals_are_not_argued_with(given, error):
    reaction = react(given, Counter({given.kind: 1}), POLICY, lambda: 0.5)
    assert isinstance(reaction, GiveUp)
    assert isinstance(reaction.error, error)


@pytest.mark.parametrize(
    ("kind", "error_class", "tries", "error"),
    [
        (Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, 6, GoogleUnavailable),
        (Kind.RATE, FailureClass.RATE_LIMITED, 8, QuotaError),
        (Kind.UNCLEAR, FailureClass.PERMISSION_DENIED, 3, PropertyError),
        (Kind.UNCLEAR, FailureClass.CREDENTIALS_INVALID, 3, CredentialsError),
        (Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, 3, BadAnswer),
        (Kind.BAD_ANSWER, FailureClass.GOOGLE_UNAVAILABLE, 3, GoogleUnavailable),
        (Kind.BAD_ANSWER, FailureClass.CONFIGURATION, 3, BadAnswer),
        (Kind.UNAUTHORIZED, FailureClass.CREDENTIALS_INVALID, 2, CredentialsError),
    ],
)
def test_others_are_asked_again_a_bounded_number_of_times(kind, error_class, tries, error):
    reactions = [
        react(verdict(kind, error_class), Counter({kind: n + 1}), POLICY, lambda: 0.5) for n in range(tries)
    ]
    assert all(isinstance(reaction, Again) for reaction in reactions[:-1])
    assert isinstance(reactions[-1], GiveUp)
    assert isinstance(reactions[-1].error, error)


def test_pauses_grow_with_full_jitter_up_to_the_cap():
    def pause(times: int, draw: float) -> float:
        reaction = react(verdict(Kind.RATE), Counter({Kind.RATE: times}), Policy(rate_tries=20), lambda: draw)
        assert isinstance(reaction, Again)
        return reaction.after

    assert [pause(times, 1.0) for times in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
    assert pause(5, 0.0) == 0
    assert pause(5, 0.25) == 8


@given(times=st.integers(1, 500), asked=st.floats(0, 1e9), draw=st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_shorter_than_asked_for_nor_beyond_all_bounds(times, asked, draw):
    policy = Policy(transient_tries=1000)
    reaction = react(
        verdict(Kind.TRANSIENT, retry_after=asked), Counter({Kind.TRANSIENT: times}), policy, lambda: draw
    )
    assert isinstance(reaction, Again)
    assert min(asked, policy.retry_after_cap) <= reaction.after <= max(policy.cap, policy.retry_after_cap)


def test_a_load_refusal_rests_at_least_the_cooldown():
    for asked, rest in ((None, 900), (30, 900), (2000, 2000)):
        reaction = react(verdict(Kind.LOAD, retry_after=asked), Counter({Kind.LOAD: 1}), POLICY, lambda: 0.5)
        assert isinstance(reaction, GiveUp)
        assert isinstance(reaction.error, QuotaError)
        assert reaction.error.retry_after == rest


def test_a_bucket_lets_a_burst_through_and_then_keeps_the_rate():
    now = clock()
    bucket = Bucket(5, now)
    waits = [bucket.reserve() for _ in range(8)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 0.2, 0.4, 0.6])
    now.advance(10)
    assert bucket.reserve() == 0


def test_a_slow_bucket_still_lets_one_through():
    bucket = Bucket(0.5, clock())
    assert [bucket.reserve(), bucket.reserve()] == [0, 2]


def test_refusals_halve_the_rate_once_a_second():
    now = clock()
    bucket = Bucket(8, now)
    for _ in range(5):
        bucket.slow_down()
    assert bucket.rate == 4
    now.advance(1)
    bucket.slow_down()
    assert bucket.rate == 2
    for _ in range(20):
        now.advance(1)
        bucket.slow_down()
    assert bucket.rate == SLOWEST


def test_a_rate_below_the_slowest_is_left_alone():
    bucket = Bucket(0.05, clock())
    bucket.slow_down()
    assert bucket.rate == 0.05


def test_buckets_are_shared_by_name():
    rates = Rates(5, clock())
    assert rates.bucket("a") is rates.bucket("a")
    assert rates.bucket("a") is not rates.bucket("b")
    assert rates.bucket("identity", 20).rate == 20


def test_the_slowest_bucket_is_waited_for():
    now = clock()
    fast, slow = Bucket(10, now), Bucket(1, now)
    slow.reserve()
    slept: list[float] = []
    assert wait_for((fast, slow), slept.append) == 1
    assert slept == [1]
    assert wait_for((fast,), slept.append) == 0


def test_many_threads_together_keep_the_rate():
    now = clock()
    bucket = Bucket(10, now)
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.extend(bucket.reserve() for _ in range(100))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(waits) == pytest.approx((800 - 10) / 10)
    assert len({round(wait, 6) for wait in waits if wait > 0}) == 790, "every request has a moment of its own"
