"""Metrics: counted from what was written, bounded in labels, gone with their schedule."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from contract import Dependency, RunSummary, State
from controller.model.bounds import short_summary
from controller.model.decision import CreateResult, Launch
from controller.model.job import JobRecord, JobState
from controller.model.parse import parse_schedule
from controller.model.status import (
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
    after = Status(history=(record("1"),), last_summary=short_summary(summary))
    metrics.wrote(schedule(), Status(), after)
    metrics.wrote(schedule(), after, replace(after, consecutive_failures=1))
    assert value(registry, "api_requests_total", **WHERE) == 40
    assert value(registry, "api_refusals_total", **WHERE) == 3
    assert value(registry, "quota_wait_seconds_total", **WHERE) == 2
    assert value(registry, "circuit_trips_total", **WHERE, dependency="google-api") == 1
    assert value(registry, "circuit_trips_total", **WHERE, dependency="postgres") == 0
    assert value(registry, "schedule_open_circuits", **WHERE) == 1
    repeated = short_summary(summary.model_copy(update={"from_earlier_launch": True, "open_circuits": []}))
    metrics.wrote(schedule(), after, Status(history=(record("1"), record("2")), last_summary=repeated))
    assert value(registry, "api_requests_total", **WHERE) == 40, "counted when it was earned"
    assert value(registry, "schedule_open_circuits", **WHERE) == 0


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


def test_failures_have_a_closed_list_of_classes(metrics, registry) -> None:
    errors = tuple(
        AttemptError(NOW, attempt, attempt, reason, "m")
        for attempt, reason in enumerate(("DatabaseUnavailable", "x" * 99), 1)
    )
    metrics.wrote(schedule(), Status(current=RUN), Status(current=replace(RUN, errors=errors)))
    assert value(registry, "attempt_failures_total", **WHERE, error_class="DatabaseUnavailable") == 1
    assert value(registry, "attempt_failures_total", **WHERE, error_class="Other") == 1


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
