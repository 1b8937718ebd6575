"""The verdict over one launch, one row a story; and what hostile or half-written text does to it: nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import RunSummary, State
from contract.run_summary import FailureClass, WorkspaceFailure
from controller.decide.retry import Close, Relaunch, Wait, after, delay_seconds
from controller.decide.verdict import Verdict, lacks_facts, verdict
from controller.model.bounds import MAX_MESSAGE, MAX_REASON
from controller.model.job import Disruption, JobRecord, JobState, PodFacts, Trouble
from controller.model.schedule import Backoff, BackoffType, RetryPolicy
from controller.model.status import ActiveLaunch, CurrentRun, Outcome, RunState
from controller.model.text import json_bytes
from tests.unit.controller.decide.world import UID, at, summary

CREATED, STARTED, ENDED, NOW = at("04:00"), at("04:00:10"), at("04:05"), at("04:06")
ACTIVE = ActiveLaunch("29551920", 1, 1, "job", "job-1", CREATED, started_at=STARTED)


def job(state: JobState, pod: PodFacts | None, failure: str = "", **values: Any) -> JobRecord:
    finished = ENDED if state is not JobState.ACTIVE else None
    return JobRecord(
        "team", "job", "job-1", "1", UID, "29551920", 29551920, 1, 1, "Cron", CREATED, state, failure, finished, pod=pod, **values
    )  # fmt: skip


def ended(code: int | None, message: str = "", reason: str = "", **facts: Any) -> PodFacts:
    return PodFacts("pod-1", CREATED, STARTED, ENDED, code, reason, message, **facts)


FAILED, COMPLETE = JobState.FAILED, JobState.COMPLETE
PARTIAL = summary(State.PARTIALLY_SUCCEEDED, total_workspaces=2, succeeded_workspaces=1, failed_workspaces=1)
QUOTA = summary(State.SNOOZED, snooze_seconds=900, error_class=FailureClass.LOAD_QUOTA)
LONG = summary(State.SNOOZED, snooze_seconds=10_000_000)
DOWN = summary(
    State.FAILED, error_class=FailureClass.DATABASE_UNAVAILABLE, message="no route to the database"
)

STORIES: dict[str, tuple[JobRecord, Outcome, str, int]] = {
    "success": (job(COMPLETE, ended(0, summary())), Outcome.SUCCEEDED, "Succeeded", 0),
    "R6 success without a summary": (job(COMPLETE, ended(0)), Outcome.SUCCEEDED, "Succeeded", 0),
    "R6 success with an unreadable summary": (job(COMPLETE, ended(0, "{")), Outcome.SUCCEEDED, "Succeeded", 0),
    "partial": (job(COMPLETE, ended(0, PARTIAL)), Outcome.PARTIALLY_SUCCEEDED, "PartiallySucceeded", 0),
    "R1 failure with a class": (job(FAILED, ended(1, DOWN, "Error")), Outcome.FAILED, "DatabaseUnavailable", 0),
    "R1 failure without a word": (job(FAILED, ended(1, "", "Error")), Outcome.FAILED, "ExitCode1", 0),
    "usage": (job(FAILED, ended(2, "", "Error")), Outcome.FAILED, "ExitCode2", 0),
    "killed": (job(FAILED, ended(137, "", "Error")), Outcome.FAILED, "ExitCode137", 0),
    "cannot start": (job(FAILED, ended(128, "no such file", "StartError")), Outcome.FAILED, "StartError", 0),
    "R1 cancelled": (job(FAILED, ended(78)), Outcome.CANCELLED, "Cancelled", 0),
    "snoozed": (job(FAILED, ended(75, QUOTA)), Outcome.SNOOZED, "LoadQuota", 900),
    "snoozed for too long": (job(FAILED, ended(75, LONG)), Outcome.SNOOZED, "Snoozed", 86_400),
    "snoozed without a summary": (job(FAILED, ended(75, "soon")), Outcome.SNOOZED, "Snoozed", 300),
    "continues": (job(FAILED, ended(75, summary(State.CONTINUES))), Outcome.CONTINUES, "Continues", 0),
    "R3 out of memory": (job(FAILED, ended(137, "", "OOMKilled")), Outcome.FAILED, "OOMKilled", 0),
    "R2 evicted": (job(FAILED, ended(143, "", "Error", disruption=Disruption.EVICTED)), Outcome.LOST, "Evicted", 0),
    "evicted unseen": (job(FAILED, ended(None, disruption=Disruption.NODE_LOST)), Outcome.LOST, "NodeLost", 0),
    "evicted, yet done": (job(COMPLETE, ended(0, summary(), disruption=Disruption.EVICTED)), Outcome.SUCCEEDED, "Succeeded", 0),
    "evicted, flushed": (job(FAILED, ended(75, summary(State.CONTINUES), disruption=Disruption.EVICTED)), Outcome.CONTINUES, "Continues", 0),
    "kubelet lost it": (job(FAILED, ended(137, "", "ContainerStatusUnknown")), Outcome.LOST, "NodeLost", 0),
    "refused by the node": (job(FAILED, ended(None, disruption=Disruption.REJECTED)), Outcome.LOST, "NodeRejected", 0),
    "R3 deadline": (job(FAILED, ended(143, disruption=Disruption.DELETED), "DeadlineExceeded"), Outcome.TIMED_OUT, "DeadlineExceeded", 0),
    "deadline, pod gone": (job(FAILED, None, "DeadlineExceeded"), Outcome.TIMED_OUT, "DeadlineExceeded", 0),
    "deadline, yet done": (job(FAILED, ended(0, summary()), "DeadlineExceeded"), Outcome.SUCCEEDED, "Succeeded", 0),
    "failed unseen": (job(FAILED, None, "BackoffLimitExceeded"), Outcome.RESULT_UNKNOWN, "ResultNotSeen", 0),
    "R6 complete unseen": (job(COMPLETE, None), Outcome.RESULT_UNKNOWN, "CompleteUnseen", 0),
    "pod without an end": (job(FAILED, ended(None)), Outcome.RESULT_UNKNOWN, "ResultNotSeen", 0),
}  # fmt: skip


@pytest.mark.parametrize(("story", "outcome", "reason", "snooze"), STORIES.values(), ids=STORIES.keys())
def test_how_it_came_out(story: JobRecord, outcome: Outcome, reason: str, snooze: int) -> None:
    found = verdict(story, ACTIVE, NOW)
    assert found is not None
    assert (found.outcome, found.reason, found.snooze_seconds) == (outcome, reason, snooze)
    assert found.finished_at == ENDED


def test_a_deadline_before_the_start_is_pending_too_long() -> None:
    waiting = PodFacts("pod-1", CREATED, trouble=Trouble.IMAGE, trouble_message='pull "x": not found')
    found = verdict(
        job(FAILED, waiting, "DeadlineExceeded"), ActiveLaunch("r", 1, 1, "job", "u", CREATED), NOW
    )
    assert found is not None
    assert (found.outcome, found.reason) == (Outcome.FAILED, "ImageUnavailable")
    assert "not found; check the image name" in found.message


@pytest.mark.parametrize("pod", [None, PodFacts("pod-1", CREATED), PodFacts("pod-1", CREATED, STARTED)])
def test_what_goes_on_has_no_verdict(pod: PodFacts | None) -> None:
    assert verdict(job(JobState.ACTIVE, pod), ACTIVE, NOW) is None
    assert verdict(job(JobState.ACTIVE, pod, deleting=True), ACTIVE, NOW) is None


def test_a_job_that_completed_before_we_could_delete_it_is_judged_by_its_pod() -> None:
    """Only exit code 0 completes a Job, so the reason we had for deleting it has no say any more."""
    doomed = replace(ACTIVE, doomed="TimedOut", doomed_message="ran too long")
    late = job(COMPLETE, PodFacts("pod-1", CREATED, STARTED))
    assert lacks_facts(late, doomed)
    assert verdict(late, doomed, ENDED) is None
    told = verdict(job(COMPLETE, ended(0, summary())), doomed, NOW)
    unseen = verdict(job(COMPLETE, None), doomed, NOW)
    assert told is not None
    assert unseen is not None
    assert (told.outcome, unseen.outcome) == (Outcome.SUCCEEDED, Outcome.RESULT_UNKNOWN)


def test_an_end_in_the_future_counts_as_now() -> None:
    found = verdict(job(COMPLETE, ended(0, summary())), ACTIVE, ENDED - timedelta(minutes=1))
    assert found is not None
    assert found.finished_at == ENDED - timedelta(minutes=1)


def test_the_message_names_the_first_failing_workspace() -> None:
    failure = WorkspaceFailure(
        workspace="beta", failure_class=FailureClass.PERMISSION_DENIED, message="ask the owner"
    )
    text = summary(
        State.FAILED, total_workspaces=3, failed_workspaces=3, failures=[failure], message="nothing synced"
    )
    found = verdict(job(FAILED, ended(1, text)), ACTIVE, NOW)
    assert found is not None
    assert found.message == "nothing synced; 3 of 3 workspaces failed; beta: PermissionDenied: ask the owner"


@given(
    message=st.text(max_size=5000)
    | st.binary(max_size=500).map(lambda raw: raw.decode("latin-1"))
    | st.recursive(
        st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(str),
    code=st.integers(-1, 260),
    reason=st.text(max_size=100),
)
def test_r6_no_text_of_a_pod_can_do_harm(message: str, code: int, reason: str) -> None:
    found = verdict(job(FAILED, ended(code, message, reason)), ACTIVE, NOW)
    assert found is not None
    assert json_bytes(found.message) - 2 <= MAX_MESSAGE
    assert json_bytes(found.reason) - 2 <= MAX_REASON
    assert all(character.isprintable() for character in found.message + found.reason)


# -- what follows --------------------------------------------------------------------------------------------------------

RUN = CurrentRun("29551920", CREATED, "Cron", RunState.RUNNING, attempt=1, launch=1)
BOUNDS = {
    1: (17, 18),
    2: (19, 20),
    3: (23, 25),
    4: (31, 34),
    5: (47, 51),
    10: (1039, 1142),
    19: (524_303, 576_733),
}


@pytest.mark.parametrize(("attempt", "bounds"), BOUNDS.items())
def test_obans_delays(attempt: int, bounds: tuple[int, int]) -> None:
    found = {delay_seconds(UID, f"run-{number}", attempt, Backoff()) for number in range(300)}
    assert min(found) >= bounds[0]
    assert max(found) <= bounds[1]
    assert len(found) > 1, "schedules that fail together do not retry together"


@given(attempt=st.integers(1, 20), run=st.text(max_size=20))
def test_a_delay_is_bounded_and_the_same_after_a_restart(attempt: int, run: str) -> None:
    delay = delay_seconds(UID, run, attempt, Backoff())
    assert 15 + 2**attempt <= delay <= (15 + 2**attempt) * 1.1
    assert delay == delay_seconds(UID, run, attempt, Backoff())


BACKOFFS = {
    "exponential, first": (Backoff(BackoffType.EXPONENTIAL, 10, 600), 1, 10, 11),
    "exponential, third": (Backoff(BackoffType.EXPONENTIAL, 10, 600), 3, 40, 44),
    "exponential, at its cap": (Backoff(BackoffType.EXPONENTIAL, 10, 600), 19, 600, 660),
    "fixed, first": (Backoff(BackoffType.FIXED, 45), 1, 45, 45),
    "fixed, tenth": (Backoff(BackoffType.FIXED, 45), 10, 45, 45),
}


@pytest.mark.parametrize(("backoff", "attempt", "low", "high"), BACKOFFS.values(), ids=BACKOFFS.keys())
def test_the_other_backoffs(backoff: Backoff, attempt: int, low: int, high: int) -> None:
    found = [delay_seconds(UID, f"run-{number}", attempt, backoff) for number in range(100)]
    assert low <= min(found) <= max(found) <= high


def outcome(kind: Outcome, seconds: int = 60) -> Verdict:
    return Verdict(kind, kind.value, "why", ENDED, snooze_seconds=seconds)


@given(
    kind=st.sampled_from([item for item in Outcome if item is not Outcome.SUPERSEDED]),
    attempt=st.integers(1, 20),
    most=st.integers(1, 20),
    tally=st.integers(0, 1001),
)
def test_attempts_never_exceed_their_limit(kind: Outcome, attempt: int, most: int, tally: int) -> None:
    run = CurrentRun(
        "r", CREATED, "Cron", RunState.RUNNING, attempt, 1,
        snoozes=tally, continues=tally, lost=tally, unknown=tally,
    )  # fmt: skip
    match after(UID, run, outcome(kind), RetryPolicy(max_attempts=most, max_snoozes=50)):
        case Wait(_, next_attempt, state):
            assert next_attempt == attempt + (state is RunState.RETRYING)
            assert state is RunState.SNOOZED or next_attempt <= most
        case Relaunch():
            assert kind in (Outcome.CONTINUES, Outcome.LOST, Outcome.RESULT_UNKNOWN)
            assert tally < {Outcome.CONTINUES: 1000, Outcome.LOST: 5, Outcome.RESULT_UNKNOWN: 1}[kind]
        case Close(result):
            assert result in (
                Outcome.SUCCEEDED,
                Outcome.PARTIALLY_SUCCEEDED,
                Outcome.FAILED,
                Outcome.CANCELLED,
            )


def test_what_continues_for_ever_is_ended() -> None:
    run = CurrentRun("r", CREATED, "Cron", RunState.RUNNING, 1, 1001, continues=1000)
    assert after(UID, run, outcome(Outcome.CONTINUES), RetryPolicy()) == Close(
        Outcome.FAILED, "ContinuedTooOften", "continued 1000 times without an end"
    )


def test_summaries_of_the_contract_are_read() -> None:
    assert RunSummary.from_json(QUOTA).snooze_seconds == 900
