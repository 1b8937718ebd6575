"""How a launch ended, row by row of the table in docs/contract.md."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contract import ExitCode, FailureClass, Limits, State
from sync.errors import (
    ConfigurationError,
    CredentialsError,
    DailyQuotaError,
    DatabaseIncompatible,
    DatabaseRefused,
    DatabaseUnavailable,
    Interrupted,
    LoadQuotaError,
    PropertyError,
    QuotaError,
    Superseded,
)
from sync.outcomes import Ending, PropertyOutcome, WorkspaceOutcome, conclude
from sync.stop import StopReason
from sync.verdict import Verdict, of_error, of_outcomes

NOW = datetime(2026, 6, 15, 4, 0, tzinfo=UTC)
LOAD = LoadQuotaError("load", 900)
SPENT = LoadQuotaError("load of the day", 10_800, spent=True)
DAILY = DailyQuotaError("daily", 0)
GONE = PropertyError("gone", FailureClass.PROPERTY_GONE)
REVOKED = CredentialsError("revoked", FailureClass.CREDENTIALS_REVOKED)


def a_property(ending: Ending, error: Exception | None = None) -> PropertyOutcome:
    return PropertyOutcome(f"sc-domain:{ending}", ending, error)


SYNCED = a_property(Ending.SYNCED)
FAILED = a_property(Ending.FAILED, GONE)
RESTING = a_property(Ending.POSTPONED, LOAD)
LEFT = a_property(Ending.POSTPONED, SPENT)
CUT = a_property(Ending.UNFINISHED, Interrupted("over"))


def verdict(
    *workspaces: WorkspaceOutcome | tuple[PropertyOutcome, ...], stopped=None, committed=0, ratio=0.0
) -> Verdict:
    outcomes = [
        place if isinstance(place, WorkspaceOutcome) else conclude(f"w{number}", place)
        for number, place in enumerate(workspaces)
    ]
    return of_outcomes(
        outcomes, stopped=stopped, committed=committed, limits=Limits(min_success_ratio=ratio), now=NOW
    )


broken = WorkspaceOutcome("broken", Ending.FAILED, (), REVOKED)


@pytest.mark.parametrize(
    ("found", "state", "code", "error_class"),
    [
        pytest.param(verdict((SYNCED,), (SYNCED,)), State.SUCCEEDED, ExitCode.SUCCESS, None, id="all"),
        pytest.param(verdict((), ()), State.SUCCEEDED, ExitCode.SUCCESS, None, id="no property anywhere"),
        pytest.param(
            verdict((SYNCED,), broken), State.PARTIALLY_SUCCEEDED, ExitCode.SUCCESS, None, id="some"
        ),
        pytest.param(
            verdict(broken), State.FAILED, ExitCode.FAILURE, FailureClass.CREDENTIALS_REVOKED, id="none"
        ),
        pytest.param(
            verdict((SYNCED, FAILED)),
            State.FAILED,
            ExitCode.FAILURE,
            FailureClass.PROPERTY_GONE,
            id="a property of the only workspace",
        ),
        pytest.param(
            verdict((SYNCED,), broken, ratio=0.5),
            State.PARTIALLY_SUCCEEDED,
            ExitCode.SUCCESS,
            None,
            id="just enough",
        ),
        pytest.param(
            verdict((SYNCED,), broken, ratio=0.51),
            State.FAILED,
            ExitCode.FAILURE,
            FailureClass.CREDENTIALS_REVOKED,
            id="too few",
        ),
        pytest.param(
            verdict((RESTING, SYNCED)),
            State.SNOOZED,
            ExitCode.SNOOZED,
            FailureClass.LOAD_QUOTA,
            id="a property rests",
        ),
        pytest.param(
            verdict((RESTING,)),
            State.SNOOZED,
            ExitCode.SNOOZED,
            FailureClass.LOAD_QUOTA,
            id="nothing but rest",
        ),
        pytest.param(
            verdict((RESTING,), broken),
            State.FAILED,
            ExitCode.FAILURE,
            FailureClass.CREDENTIALS_REVOKED,
            id="rest, and all else failed",
        ),
        pytest.param(
            verdict((RESTING,), broken, (SYNCED,)),
            State.SNOOZED,
            ExitCode.SNOOZED,
            FailureClass.LOAD_QUOTA,
            id="rest, failure and success",
        ),
        pytest.param(
            verdict((LEFT, SYNCED)),
            State.PARTIALLY_SUCCEEDED,
            ExitCode.SUCCESS,
            None,
            id="load of the day: left to the next run, which must not wait for midnight",
        ),
        pytest.param(
            verdict((LEFT,)),
            State.SNOOZED,
            ExitCode.SNOOZED,
            FailureClass.LOAD_QUOTA,
            id="load of the day, and nothing else to do",
        ),
        pytest.param(
            verdict((LEFT, RESTING, SYNCED)),
            State.SNOOZED,
            ExitCode.SNOOZED,
            FailureClass.LOAD_QUOTA,
            id="load of the day, and a cool-down that is waited for",
        ),
        pytest.param(
            verdict((CUT, RESTING), stopped=StopReason.SOFT_DEADLINE, committed=3),
            State.CONTINUES,
            ExitCode.SNOOZED,
            None,
            id="deadline with progress",
        ),
        pytest.param(
            verdict((CUT,), stopped=StopReason.SOFT_DEADLINE),
            State.FAILED,
            ExitCode.FAILURE,
            FailureClass.INTERRUPTED,
            id="deadline without",
        ),
        pytest.param(
            verdict((CUT,), stopped=StopReason.SIGNAL, committed=3),
            State.FAILED,
            ExitCode.FAILURE,
            FailureClass.INTERRUPTED,
            id="told to stop",
        ),
        pytest.param(
            verdict((SYNCED,), stopped=StopReason.SIGNAL, committed=3),
            State.SUCCEEDED,
            ExitCode.SUCCESS,
            None,
            id="told to stop after the last cell",
        ),
    ],
)
def test_outcomes_decide(found, state, code, error_class):
    assert (found.state, found.exit_code, found.error_class) == (state, code, error_class)
    assert found.completes_the_run is (code is ExitCode.SUCCESS)


def test_the_earliest_that_can_go_on_sets_the_snooze():
    assert verdict((RESTING,)).snooze_seconds == 901
    assert verdict((LEFT, RESTING)).snooze_seconds == 901
    assert verdict((LEFT,)).snooze_seconds == 10_801
    daily = a_property(Ending.POSTPONED, DAILY)
    assert verdict((daily,)).snooze_seconds == 3 * 3600 + 1
    assert verdict((daily,)).error_class is FailureClass.DAILY_QUOTA
    assert verdict((daily, RESTING)).snooze_seconds == 901
    slow = a_property(Ending.POSTPONED, QuotaError("rate", 2))
    assert verdict((slow,)).snooze_seconds == 30
    assert verdict((a_property(Ending.POSTPONED, LoadQuotaError("load", 5)),)).snooze_seconds == 6, (
        "a shortened cool-down"
    )


def test_continuing_happens_at_once():
    assert verdict((CUT,), stopped=StopReason.SOFT_DEADLINE, committed=1).snooze_seconds == 0


@pytest.mark.parametrize(
    ("error", "state", "code", "error_class"),
    [
        (ConfigurationError("x"), State.CANCELLED, ExitCode.CANCELLED, FailureClass.CONFIGURATION),
        (DatabaseIncompatible("x"), State.CANCELLED, ExitCode.CANCELLED, FailureClass.DATABASE_REFUSED),
        (DatabaseRefused("x"), State.FAILED, ExitCode.FAILURE, FailureClass.DATABASE_REFUSED),
        (DatabaseUnavailable("x"), State.FAILED, ExitCode.FAILURE, FailureClass.DATABASE_UNAVAILABLE),
        (Superseded("x"), State.FAILED, ExitCode.FAILURE, FailureClass.SUPERSEDED),
        (ValueError("secret"), State.FAILED, ExitCode.FAILURE, FailureClass.UNEXPECTED),
    ],
)
def test_errors_of_everybody_decide(error, state, code, error_class):
    found = of_error(error, 7)
    assert (found.state, found.exit_code, found.error_class) == (state, code, error_class)
    assert "secret" not in found.message


def test_what_was_committed_before_an_error_is_mentioned():
    assert "7 cells" in of_error(DatabaseUnavailable("down."), 7).message
    assert "cells" not in of_error(DatabaseUnavailable("down."), 0).message


def test_a_workspace_is_as_good_as_its_worst_property():
    assert conclude("w", (SYNCED, RESTING)).ending is Ending.POSTPONED
    assert conclude("w", (CUT, RESTING)).ending is Ending.UNFINISHED
    assert conclude("w", (CUT, FAILED)).ending is Ending.FAILED
    assert conclude("w", (SYNCED,), REVOKED).ending is Ending.FAILED
    assert conclude("w", ()).ending is Ending.SYNCED
