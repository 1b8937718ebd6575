"""Metrics: counted from what was written, bounded in labels, gone with their schedule."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from contract import Dependency, RunSummary, State
from controller.cluster.memory import JOB
from controller.model.bounds import short_summary
from controller.model.decision import CreateResult, Ended, Launch
from controller.model.job import JobRecord, JobState
from controller.model.parse import parse_schedule
from controller.model.policy import DEFAULT_QUEUE, Policy, Queue
from controller.model.status import (
    ActiveLaunch,
    AttemptError,
    Counters,
    CurrentRun,
    Outcome,
    RunRecord,
    RunState,
    Status,
)
from controller.observe.metrics import Metrics
from controller.observe.series import phase_of
from tests.unit.controller.conftest import schedule_body
from tests.unit.controller.house import House

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
RUN = CurrentRun("1", NOW, "Cron", RunState.RUNNING, attempt=1, launch=1)


def schedule(name: str = "marketing", uid: str = "s1", **spec):
    body = schedule_body(name, **spec)
    body["metadata"] |= {
        "uid": uid,
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-11-01T00:00:00Z",
    }
    return parse_schedule(body)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry) -> Metrics:
    return Metrics(registry)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"gsc_sync_{name}", labels)


WHERE = {"namespace": "team", "schedule": "marketing"}


def record(run_id: str, outcome: Outcome = Outcome.SUCCEEDED, **changes) -> RunRecord:
    made = RunRecord(
        run_id, NOW, "Cron", outcome, 1, 1, NOW, 12, workspaces_ok=2, workspaces_total=3, rows_written=7
    )
    return replace(made, **changes)


def test_a_finished_run_is_counted_once_whatever_is_written_after(metrics, registry) -> None:
    before = Status()
    after = Status(history=(record("1"),))
    metrics.wrote(schedule(), before, after)
    metrics.wrote(schedule(), after, replace(after, consecutive_failures=1))
    assert value(registry, "runs_total", **WHERE, trigger="Cron", outcome="Succeeded") == 1
    assert value(registry, "run_duration_seconds_sum", outcome="Succeeded") == 12
    assert value(registry, "workspaces_total", **WHERE, outcome="failed") == 1
    assert value(registry, "rows_written_total", **WHERE) == 7
    assert value(registry, "schedule_consecutive_failures", **WHERE) == 1


def test_what_quotas_and_breakers_cost_comes_from_the_summary_of_the_run(metrics, registry) -> None:
    summary = RunSummary(
        state=State.SUCCEEDED, requests=40, refused_requests=3, quota_wait_ms=2500,
        tripped_circuits=[Dependency.GOOGLE_API], open_circuits=[Dependency.GOOGLE_API],
    )  # fmt: skip
    after = Status(history=(record("1"),), last_run=record("1"), last_summary=short_summary(summary))
    metrics.wrote(schedule(), Status(), after)
    metrics.wrote(schedule(), after, replace(after, consecutive_failures=1))
    assert value(registry, "api_requests_total", **WHERE) == 40
    assert value(registry, "api_refusals_total", **WHERE) == 3
    assert value(registry, "quota_wait_seconds_total", **WHERE) == 2
    assert value(registry, "circuit_trips_total", **WHERE, dependency="google-api") == 1
    assert value(registry, "circuit_trips_total", **WHERE, dependency="postgres") == 0
    assert value(registry, "schedule_open_circuits", **WHERE) == 1
    repeated = short_summary(summary.model_copy(update={"from_earlier_launch": True, "open_circuits": []}))
    metrics.wrote(
        schedule(), after,
        Status(history=(record("2"), record("1")), last_run=record("2"), last_summary=repeated),
    )  # fmt: skip
    assert value(registry, "api_requests_total", **WHERE) == 40, "counted when it was earned"
    assert value(registry, "schedule_open_circuits", **WHERE) == 0


def test_a_run_that_was_superseded_does_not_tell_the_summary_of_another_again(metrics, registry) -> None:
    summary = RunSummary(
        state=State.SUCCEEDED, requests=40, refused_requests=3, tripped_circuits=[Dependency.GOOGLE_API]
    )
    done = Status(history=(record("1"),), last_run=record("1"), last_summary=short_summary(summary))
    metrics.wrote(schedule(), Status(), done)
    superseded = replace(done, history=(record("2", Outcome.SUPERSEDED), record("1")))
    metrics.wrote(schedule(), done, superseded)
    assert value(registry, "runs_total", **WHERE, trigger="Cron", outcome="Superseded") == 1
    assert value(registry, "api_requests_total", **WHERE) == 40
    assert value(registry, "circuit_trips_total", **WHERE, dependency="google-api") == 1


def test_a_run_that_ends_together_with_a_superseded_one_is_summed_once(metrics, registry) -> None:
    summary = short_summary(RunSummary(state=State.SUCCEEDED, requests=40))
    both = (record("2", Outcome.SUPERSEDED), record("1"))
    metrics.wrote(schedule(), Status(), Status(history=both, last_run=record("1"), last_summary=summary))
    assert value(registry, "api_requests_total", **WHERE) == 40


def test_counters_move_by_their_difference_and_never_back(metrics, registry) -> None:
    old = Counters(slots_missed=5, slots_coalesced=1, snoozes=1)
    new = Counters(
        slots_missed=8, slots_skipped=2, slots_coalesced=1, snoozes=2, continues=1, lost=1, unknown=1
    )
    metrics.wrote(schedule(), Status(counters=old), Status(counters=new))
    metrics.wrote(schedule(), Status(counters=new), Status(counters=old))
    assert value(registry, "schedule_missed_total", **WHERE) == 3
    assert value(registry, "schedule_skipped_total", **WHERE) == 2
    assert value(registry, "schedule_caught_up_total", **WHERE) == 0
    assert value(registry, "snoozes_total", **WHERE, reason="Snoozed") == 1
    assert value(registry, "rescues_total", **WHERE, reason="ResultUnknown") == 1


def ended(outcome: Outcome, reason: str) -> Ended:
    return Ended(ActiveLaunch("1", 1, 1, "j", "j1", NOW), outcome, reason, NOW)


CLASSES: dict[str, tuple[Outcome, str, str]] = {
    "what the program said": (Outcome.FAILED, "DatabaseUnavailable", "DatabaseUnavailable"),
    "out of memory": (Outcome.FAILED, "OOMKilled", "OOMKilled"),
    "an exit code": (Outcome.FAILED, "ExitCode3", "Other"),
    "a word of the container's for nothing lost": (Outcome.FAILED, "Lost", "Other"),
    "a node that went": (Outcome.LOST, "NodeLost", "Lost"),
    "an eviction": (Outcome.LOST, "Evicted", "Lost"),
    "a Job that vanished": (Outcome.RESULT_UNKNOWN, "JobVanished", "ResultUnknown"),
    "our deadline": (Outcome.TIMED_OUT, "TimedOut", "TimedOut"),
    "the Job's deadline": (Outcome.TIMED_OUT, "DeadlineExceeded", "TimedOut"),
}


@pytest.mark.parametrize(("outcome", "reason", "error_class"), CLASSES.values(), ids=CLASSES.keys())
def test_a_failure_is_counted_by_how_it_came_out_even_when_its_run_is_over(
    metrics, registry, outcome, reason, error_class
) -> None:
    over = Status(history=(record("1", Outcome.FAILED),))
    metrics.wrote(schedule(), Status(current=RUN), over, [ended(outcome, reason)])
    assert value(registry, "attempt_failures_total", **WHERE, error_class=error_class) == 1
    assert generate_latest(registry).decode().count("gsc_sync_attempt_failures_total{") == 1


@pytest.fixture
def house(cluster, clock) -> House:
    return House(cluster, clock)


async def test_the_only_attempt_of_a_run_counts_when_it_fails(house) -> None:
    house.apply(retry={"maxAttempts": 1})
    await house.settle()
    await house.at(4)
    house.finish(house.jobs()[0], 1, errorClass="DatabaseUnavailable")
    await house.settle()
    assert house.status().last_run.outcome is Outcome.FAILED
    assert house.metric("attempt_failures_total", **WHERE, error_class="DatabaseUnavailable") == 1


async def test_a_job_that_vanished_counts_as_a_result_that_nobody_knows(house) -> None:
    house.apply()
    await house.settle()
    await house.at(4)
    house.cluster.remove(JOB, "team", house.jobs()[0]["metadata"]["name"])
    await house.settle()
    assert house.metric("attempt_failures_total", **WHERE, error_class="ResultUnknown") == 1


def test_a_failure_of_a_run_that_goes_on_is_counted_once(metrics, registry) -> None:
    going = Status(current=replace(RUN, errors=(AttemptError(NOW, 1, 1, "NodeLost", "m"),)))
    metrics.wrote(schedule(), Status(current=RUN), going, [ended(Outcome.LOST, "NodeLost")])
    metrics.wrote(schedule(), going, replace(going, consecutive_failures=1), [])
    assert value(registry, "attempt_failures_total", **WHERE, error_class="Lost") == 1
    assert generate_latest(registry).decode().count("gsc_sync_attempt_failures_total{") == 1


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.SUCCEEDED, Outcome.PARTIALLY_SUCCEEDED, Outcome.SNOOZED, Outcome.CONTINUES, Outcome.CANCELLED,
        Outcome.SUPERSEDED,
    ],
)  # fmt: skip
def test_what_did_not_fail_is_no_failure(metrics, registry, outcome) -> None:
    metrics.wrote(schedule(), Status(current=RUN), Status(), [ended(outcome, "DatabaseUnavailable")])
    assert "gsc_sync_attempt_failures_total{" not in generate_latest(registry).decode()


def test_times_are_unix_seconds_and_unknown_ones_are_absent(metrics, registry) -> None:
    metrics.schedule(
        schedule(), Status(next_slots=(NOW,), last_success_at=NOW, newest_final_day=date(1970, 1, 3))
    )
    assert value(registry, "schedule_next_timestamp_seconds", **WHERE) == NOW.timestamp()
    assert value(registry, "schedule_last_success_timestamp_seconds", **WHERE) == NOW.timestamp()
    assert value(registry, "schedule_newest_final_day_timestamp_seconds", **WHERE) == 2 * 86_400
    metrics.schedule(schedule(suspend=True), Status())
    assert value(registry, "schedule_next_timestamp_seconds", **WHERE) is None


def test_a_changed_cron_leaves_no_old_series(metrics, registry) -> None:
    metrics.schedule(schedule(), Status())
    metrics.schedule(schedule(schedule="5 5 * * *"), Status())
    text = generate_latest(registry).decode()
    assert text.count("gsc_sync_schedule_info{") == 1
    assert 'cron="5 5 * * *"' in text


def test_a_schedule_that_goes_takes_its_series_along_and_leaves_the_others(metrics, registry) -> None:
    for name, uid in (("marketing", "s1"), ("other", "s2")):
        metrics.wrote(schedule(name, uid), Status(), Status(history=(record("1"),), next_slots=(NOW,)))
    metrics.forget("s1")
    metrics.forget("s1")
    metrics.forget("never-known")
    text = generate_latest(registry).decode()
    assert 'schedule="marketing"' not in text
    assert 'schedule="other"' in text
    assert value(registry, "schedules", phase="Idle") == 1


def test_who_does_not_serve_shows_nothing_that_may_have_changed_since(registry) -> None:
    serving = [True]
    metrics = Metrics(registry, serves=lambda: serving[0])
    failed = Status(last_success_at=NOW, consecutive_failures=1, history=(record("1", Outcome.FAILED),))
    metrics.wrote(schedule(), Status(), failed)
    metrics.schedule(schedule("broken", "s2", workspaces=[]), Status())
    metrics.leader.set(1)
    assert value(registry, "schedule_consecutive_failures", **WHERE) == 1
    serving[0] = False
    for name in (
        "last_success_timestamp_seconds",
        "consecutive_failures",
        "newest_final_day_timestamp_seconds",
    ):
        assert value(registry, f"schedule_{name}", **WHERE) is None
    assert "gsc_sync_schedule_info{" not in generate_latest(registry).decode()
    assert value(registry, "schedules", phase="Stalled") is None
    assert value(registry, "operator_leader") == 1, "what tells of the process stays"
    assert value(registry, "runs_total", **WHERE, trigger="Cron", outcome="Failed") == 1, "totals do not fall"
    serving[0] = True
    assert value(registry, "schedule_consecutive_failures", **WHERE) == 1


def test_a_queue_that_nobody_knows_any_more_is_gone_and_the_others_show_zeros(metrics, registry) -> None:
    policy = Policy(queues={"big": Queue(3), "old": Queue(2, paused=True)})
    metrics.policy(policy, {"big": 2, "old": 1, "of-a-user": 1}, {"old": 4, DEFAULT_QUEUE: 1})
    assert value(registry, "queue_waiting", queue="old") == 4
    metrics.policy(Policy(queues={"big": Queue(3)}), {}, {})
    for name in ("limit", "paused", "running", "waiting"):
        for queue in ("old", "of-a-user"):
            assert value(registry, f"queue_{name}", queue=queue) is None
    for queue in ("big", DEFAULT_QUEUE):
        assert (
            value(registry, "queue_running", queue=queue),
            value(registry, "queue_waiting", queue=queue),
        ) == (0, 0)
    assert schedule().spec.queue == DEFAULT_QUEUE


def test_a_namesake_made_anew_keeps_its_series(metrics, registry) -> None:
    metrics.schedule(schedule(uid="old"), Status(next_slots=(NOW,)))
    metrics.schedule(schedule(uid="new"), Status(next_slots=(NOW,)))
    metrics.forget("old")
    assert value(registry, "schedule_next_timestamp_seconds", **WHERE) == NOW.timestamp()
    assert (
        value(registry, "schedule_info", **WHERE, queue="gsc-sync", cron="0 4 * * *", time_zone="Etc/UTC")
        == 1
    )


def test_the_delay_of_a_start_counts_for_slots_and_their_first_launch_only(metrics, registry) -> None:
    job = JobRecord(
        "team", "j", "j1", "1", "s1", "1", 1, 1, 1, "Cron", NOW + timedelta(seconds=3), JobState.ACTIVE
    )
    first = Launch("j", "1", NOW, "Cron", attempt=1, launch=1)
    for launch in (first, replace(first, launch=2), replace(first, trigger="Manual")):
        metrics.launched(schedule(), launch, CreateResult.CREATED, job)
    assert value(registry, "launch_delay_seconds_count") == 1
    assert value(registry, "launch_delay_seconds_sum") == 3


def test_decisions_are_counted_by_what_they_say(metrics, registry) -> None:
    for what in ("Launched", "Launched", "Skipped"):
        metrics.decided(what)
    assert value(registry, "decisions_total", what="Launched") == 2


def test_what_never_happened_is_shown_as_zero(metrics, registry) -> None:
    metrics.schedule(schedule(), Status())
    assert value(registry, "schedule_missed_total", **WHERE) == 0
    assert value(registry, "rescues_total", **WHERE, reason="Lost") == 0
    assert value(registry, "workspaces_total", **WHERE, outcome="failed") == 0
    assert value(registry, "schedules", phase="Stalled") == 0


@pytest.mark.parametrize(
    ("spec", "status", "phase"),
    [
        ({}, Status(), "Idle"),
        ({"suspend": True}, Status(), "Suspended"),
        ({"workspaces": []}, Status(), "Stalled"),
        *[({}, Status(current=replace(RUN, state=state)), state.value) for state in RunState],
    ],
)
def test_each_schedule_is_in_one_phase(metrics, registry, spec, status, phase) -> None:
    assert phase_of(schedule(**spec), status) == phase
    metrics.schedule(schedule(**spec), status)
    metrics.schedule(schedule(**spec), status)
    assert value(registry, "schedules", phase=phase) == 1
