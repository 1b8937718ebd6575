"""What a refusal leads to."""

from __future__ import annotations

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
from sync.google.retry import Again, GiveUp, Policy, react

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
