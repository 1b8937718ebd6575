"""The test kit, and with it the six tests that the worker of the first design was accepted by."""

from datetime import UTC, datetime

import pytest
import yaml

from contract import FailureClass, State
from controller.cluster.memory import LEASE
from controller.model.policy import Mode, Policy
from controller.model.status import Outcome, RunState
from controller.testkit import Kit

MARKETING = """
apiVersion: gscsync.io/v1beta1
kind: GscSyncSchedule
metadata: {name: marketing}
spec:
  schedule: "0 4 * * *"
  workspaces:
    - {name: acme, credentialsSecretRef: {name: acme-google}}
    - {name: beta, credentialsSecretRef: {name: beta-google}}
  destination: {secretRef: {name: warehouse}}
"""


@pytest.fixture
async def kit() -> Kit:
    made = Kit(datetime(2026, 11, 26, 3, 59, tzinfo=UTC))
    made.apply(yaml.safe_load(MARKETING))
    await made.drain()
    return made


# -- the six worker tests -----------------------------------------------------------------------------------------------


async def test_1_a_run_covers_fourteen_days_that_end_with_the_slots_pacific_day(kit: Kit) -> None:
    await kit.advance(minutes=2)
    order = kit.work_order(kit.assert_job_created("marketing", trigger="Cron"))
    assert order.window.days == 14
    assert order.slot == datetime(2026, 11, 26, 4, tzinfo=UTC)
    assert [workspace.name for workspace in order.workspaces] == ["acme", "beta"]


async def test_2_a_fatal_error_is_not_swallowed_it_fails_the_attempt_and_is_retried(kit: Kit) -> None:
    await kit.advance(minutes=2)
    job = kit.assert_job_created("marketing", attempt=1)
    kit.finish(job, 1, errorClass=FailureClass.DATABASE_UNAVAILABLE.value, message="the database is down")
    await kit.drain()
    run = kit.status("marketing").current
    assert run is not None
    assert (run.state, run.attempt, run.errors[-1].reason) == (RunState.RETRYING, 2, "DatabaseUnavailable")


async def test_3_what_a_run_did_is_told_as_event_and_metric(kit: Kit) -> None:
    await kit.advance(minutes=2)
    kit.finish(kit.assert_job_created("marketing"), 0, rowsWritten=42)
    await kit.drain()
    where = {"namespace": "default", "schedule": "marketing"}
    assert kit.registry.get_sample_value("gsc_sync_rows_written_total", where) == 42
    runs = {**where, "trigger": "Cron", "outcome": "Succeeded"}
    assert kit.registry.get_sample_value("gsc_sync_runs_total", runs) == 1


async def test_4_some_workspaces_failing_is_a_success_with_details(kit: Kit) -> None:
    await kit.advance(minutes=2)
    failure = {
        "workspace": "beta",
        "failureClass": FailureClass.CREDENTIALS_REVOKED.value,
        "message": "consent again",
    }
    kit.finish(
        kit.assert_job_created("marketing"), 0, state=State.PARTIALLY_SUCCEEDED, totalWorkspaces=2, succeededWorkspaces=1,
        failedWorkspaces=1, failures=[failure],
    )  # fmt: skip
    await kit.drain()
    status = kit.status("marketing")
    assert status.history[0].outcome is Outcome.PARTIALLY_SUCCEEDED
    assert status.consecutive_failures == 0
    assert "beta" in next(item.message for item in status.conditions if item.type == "Degraded")


async def test_5_queue_and_priority_have_their_defaults(kit: Kit) -> None:
    spec = next(kit.table.entries()).schedule.spec
    assert spec is not None
    assert (spec.queue, spec.priority) == ("gsc-sync", 1)


async def test_6_three_attempts_of_ten_minutes_then_failed_for_good(kit: Kit) -> None:
    await kit.advance(minutes=2)
    for attempt in (1, 2, 3):
        job = kit.assert_job_created("marketing", attempt=attempt, launch=attempt)
        assert kit.work_order(job).timeout_seconds == 600
        kit.finish(job, 1)
        await kit.drain()
        await kit.advance(minutes=1)
    status = kit.status("marketing")
    assert (status.current, status.history[0].outcome, status.counters.retries) == (None, Outcome.FAILED, 2)
    assert len(kit.jobs("marketing")) == 3


# -- the kit itself -----------------------------------------------------------------------------------------------------


async def test_nothing_is_created_before_its_time(kit: Kit) -> None:
    kit.assert_no_job("marketing")
    with pytest.raises(AssertionError, match="no Job of marketing"):
        kit.assert_job_created("marketing")


async def test_one_turn_creates_what_is_due(kit: Kit) -> None:
    await kit.clock.advance(90)
    await kit.run_once()
    kit.assert_job_created("marketing", launch=1)
    with pytest.raises(AssertionError, match="attempt"):
        kit.assert_job_created("marketing", attempt=2)
    with pytest.raises(AssertionError, match="has Jobs"):
        kit.assert_no_job("marketing")


async def test_a_crash_and_a_restart_leave_one_job(kit: Kit) -> None:
    await kit.clock.advance(90)
    await kit.crash("create_job")
    await kit.drain()
    assert len(kit.jobs("marketing")) == 1
    assert "SyncJobAdopted" in kit.events()
    assert kit.cluster.all(LEASE) == []


async def test_the_switch_and_queues_can_be_set(kit: Kit) -> None:
    kit.policy = Policy(Mode.HOLD)
    await kit.advance(minutes=2)
    kit.assert_no_job("marketing")


async def test_what_was_applied_is_not_shared_with_the_caller() -> None:
    kit, body = Kit(datetime(2026, 11, 26, 4, tzinfo=UTC)), yaml.safe_load(MARKETING)
    kit.apply(body)
    assert "namespace" not in body["metadata"]
