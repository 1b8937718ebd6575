"""Stories of runs: slots, retries, snoozes, losses, and how a run ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract import State
from contract.run_summary import FailureClass, WorkspaceFailure
from controller.model.decision import CreateResult, EventReason
from controller.model.job import Disruption, JobState, PodFacts, Trouble
from controller.model.status import ConditionType, Outcome, RunState
from tests.unit.controller.decide.world import Died, World, at, summary


def due(**spec: Any) -> World:
    """A schedule whose slot of 04:00 has just been launched."""
    world = World(spec=spec)
    world.rest()
    world.go("04:00")
    assert [launch.launch for launch in world.made] == [1]
    return world


def test_a_new_schedule_waits_for_its_first_slot() -> None:
    world = World()
    decision = world.rest()
    assert decision.wake_at == at("04:00")
    assert world.made == []
    assert world.status.next_slot == at("04:00")
    assert world.condition(ConditionType.READY).message == "Next run at 2026-03-10T04:00:00Z."


def test_t11_one_launch_per_slot_neither_early_nor_twice() -> None:
    world = World()
    world.rest()
    assert world.go("03:59:59.950000").wake_at == at("04:00")
    assert world.made == []
    world.go("04:00")
    world.go("04:00:00.050000")
    world.go("04:00:10")
    [launch] = world.made
    assert (launch.slot, launch.trigger, launch.attempt, launch.launch) == (at("04:00"), "Cron", 1, 1)
    assert launch.run_id == str(int(at("04:00").timestamp()) // 60)
    assert world.status.watermark == at("04:00")


def test_a_successful_run_is_recorded_once_with_its_summary() -> None:
    world = due()
    world.start()
    world.go("04:00:02")
    assert world.status.current is not None
    assert world.status.current.state is RunState.RUNNING
    world.now = at("04:01:30")
    world.finish(0, summary())
    world.go("04:05")
    status = world.status
    assert status.current is None
    assert status.active == ()
    assert status.counters.runs == status.counters.succeeded == status.counters.launches == 1
    [record] = status.history
    assert (record.outcome, record.rows_written, record.duration_seconds) == (Outcome.SUCCEEDED, 10, 90)
    assert status.last_run == record
    assert '"rowsWritten":10' in status.last_summary
    assert str(status.newest_final_day) == "2026-03-08"
    assert status.last_success_at == at("04:01:30")
    assert world.condition(ConditionType.SYNCED).reason == "Succeeded"
    assert len(world.heard(EventReason.SUCCEEDED)) == 1
    assert world.body["status"]["workspaces"] == "1/1"
    assert world.body["status"]["lastResult"] == "Succeeded"


def test_failures_wait_as_oban_does_and_end_when_attempts_are_used_up() -> None:
    world = due()
    waits = []
    for _ in range(2):
        ended = world.now
        world.finish(1, "boom")
        run = world.status.current
        assert run is not None
        assert run.state is RunState.RETRYING
        assert run.not_before is not None
        waits.append((run.not_before - ended).total_seconds())
        assert world.go(run.not_before - timedelta(seconds=1)).wake_at == run.not_before
        world.go(run.not_before)
    assert waits[0] in (17, 18)
    assert waits[1] in (19, 20)
    world.finish(1, "boom")
    world.go(timedelta(hours=1))
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (2, 2), (3, 3)]
    status = world.status
    assert status.current is None
    assert status.history[0].outcome is Outcome.FAILED
    assert status.history[0].attempts == 3
    assert status.history[0].message == "exit code 1: boom"
    assert (status.counters.failed, status.counters.retries, status.consecutive_failures) == (1, 2, 1)
    degraded = world.condition(ConditionType.DEGRADED)
    assert (degraded.status, degraded.reason) == ("True", "RunsFailing")
    assert world.condition(ConditionType.READY).status == "True"
    assert len(world.heard(EventReason.RETRYING)) == 2
    assert len(world.heard(EventReason.FAILED)) == 1


def test_r7_a_success_ends_the_row_of_failures() -> None:
    world = due(retry={"maxAttempts": 1})
    world.finish(1)
    assert world.status.consecutive_failures == 1
    world.go("2026-03-11T04:00")
    world.finish(0, summary())
    assert world.status.consecutive_failures == 0
    assert world.condition(ConditionType.DEGRADED).status == "False"


def test_errors_of_the_last_attempts_are_kept_while_the_run_goes_on() -> None:
    world = due(retry={"maxAttempts": 20})
    for number in range(5):
        world.finish(1, f"no {number}")
        assert world.status.current is not None
        assert world.status.current.not_before is not None
        world.go(world.status.current.not_before)
    assert world.status.current is not None
    assert [error.attempt for error in world.status.current.errors] == [3, 4, 5]
    assert world.status.current.errors[-1].message == "exit code 1: no 4"


def test_a_partial_success_is_a_success_with_degraded() -> None:
    world = due()
    failure = WorkspaceFailure(
        workspace="beta", failure_class=FailureClass.CREDENTIALS_REVOKED, message="token revoked; renew it"
    )
    text = summary(
        State.PARTIALLY_SUCCEEDED,
        total_workspaces=2,
        succeeded_workspaces=1,
        failed_workspaces=1,
        failures=[failure],
    )
    world.finish(0, text)
    status = world.status
    assert status.counters.partially_succeeded == 1
    assert status.consecutive_failures == 0
    assert status.last_success_at == at("04:00")
    assert world.condition(ConditionType.SYNCED).status == "True"
    degraded = world.condition(ConditionType.DEGRADED)
    assert degraded.reason == "PartiallySucceeded"
    assert "beta: CredentialsRevoked: token revoked; renew it" in degraded.message
    assert world.body["status"]["workspaces"] == "1/2"


def test_a_cancelled_run_is_not_retried() -> None:
    world = due()
    world.finish(
        78, summary(State.CANCELLED, error_class=FailureClass.CONFIGURATION, message="RunSpec unreadable")
    )
    world.go(timedelta(hours=1))
    assert len(world.made) == 1
    assert world.status.history[0].outcome is Outcome.CANCELLED
    assert world.status.consecutive_failures == 1
    assert world.condition(ConditionType.SYNCED).reason == "Configuration"


def test_a_snooze_gives_its_attempt_back() -> None:
    world = due()
    world.finish(75, summary(State.SNOOZED, snooze_seconds=900, error_class=FailureClass.LOAD_QUOTA))
    run = world.status.current
    assert run is not None
    assert (run.state, run.not_before, run.attempt, run.snoozes) == (RunState.SNOOZED, at("04:15"), 1, 1)
    world.go("04:14:59")
    assert len(world.made) == 1
    world.go("04:15")
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (1, 2)]
    world.finish(0, summary())
    assert world.status.counters.snoozes == 1
    assert world.status.counters.retries == 0
    assert world.status.consecutive_failures == 0


def test_snoozes_are_capped() -> None:
    world = due(retry={"maxAttempts": 3, "maxSnoozes": 2})
    for _ in range(3):
        world.finish(75, summary(State.SNOOZED, snooze_seconds=60))
        world.go(timedelta(seconds=60))
    assert len(world.made) == 3
    assert world.status.current is None
    assert (world.status.history[0].outcome, world.status.history[0].reason) == (
        Outcome.FAILED,
        "SnoozedTooOften",
    )


def test_a_continued_run_goes_on_at_once() -> None:
    world = due()
    world.finish(75, summary(State.CONTINUES, snooze_seconds=0))
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (1, 2)]
    assert world.status.counters.continues == 1
    assert world.heard(EventReason.CONTINUES)


@pytest.mark.parametrize("why", [item for item in Disruption if item])
def test_r2_a_lost_launch_costs_no_attempt(why: Disruption) -> None:
    world = due()
    world.finish(143, disruption=why)
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (1, 2)]
    assert world.status.counters.lost == 1
    assert world.status.current is not None
    assert world.status.current.errors[-1].reason == why.value
    assert world.status.last_failure_at is None


def test_the_sixth_loss_is_a_failure() -> None:
    world = due(retry={"maxAttempts": 2})
    for _ in range(6):
        world.finish(None, disruption=Disruption.EVICTED)
    assert [launch.attempt for launch in world.made] == [1] * 6
    assert world.status.current is not None
    assert (world.status.current.state, world.status.current.attempt) == (RunState.RETRYING, 2)
    world.go(timedelta(minutes=1))
    world.finish(None, disruption=Disruption.EVICTED)
    assert world.status.history[0].outcome is Outcome.FAILED
    assert world.status.history[0].reason == "Evicted"
    assert world.status.counters.lost == 7


def test_a_job_that_vanished_is_launched_once_more_then_failed() -> None:
    world = due(retry={"maxAttempts": 1})
    world.vanish()
    world.rest()
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (1, 2)]
    assert world.status.counters.unknown == 1
    world.vanish()
    world.rest()
    assert len(world.made) == 2
    assert (world.status.history[0].outcome, world.status.history[0].reason) == (
        Outcome.FAILED,
        "JobVanished",
    )


def test_a_complete_job_whose_pod_nobody_saw_is_asked_again_and_then_believed() -> None:
    world = due()
    for _ in range(2):
        world.end(None)
        world.jobs[world.job().name] = replace(world.job(), pod=None, state=JobState.COMPLETE)
        world.go(timedelta(seconds=1))
        assert world.status.active, "the facts of the pod may still come"
        world.go(timedelta(seconds=10))
    assert len(world.made) == 2
    assert (world.status.history[0].outcome, world.status.history[0].reason) == (
        Outcome.SUCCEEDED,
        "CompleteUnseen",
    )


def test_late_facts_of_a_pod_are_waited_for() -> None:
    world = due()
    facts = PodFacts("pod-1", world.now, world.now, world.now, 0, "Completed", summary())
    world.end(None)
    world.jobs[world.job().name] = replace(world.job(), pod=None, state=JobState.COMPLETE)
    decision = world.rest()
    assert decision.wake_at == at("04:00:05")
    world.jobs[world.job().name] = replace(world.job(), pod=facts)
    world.rest()
    assert world.status.history[0].rows_written == 10
    assert len(world.made) == 1


# -- time ------------------------------------------------------------------------------------------------------------

TROUBLES = {
    "image": (Trouble.IMAGE, "ImageUnavailable"),
    "unschedulable": (Trouble.UNSCHEDULABLE, "Unschedulable"),
    "volume": (Trouble.VOLUME, "VolumeUnavailable"),
    "config": (Trouble.CONFIG, "ContainerConfigError"),
    "nothing known": (Trouble.NONE, "PendingTooLong"),
    "no pod": (None, "PodNotCreated"),
}


@pytest.mark.parametrize(("trouble", "reason"), TROUBLES.values(), ids=TROUBLES.keys())
def test_c6_r3_pending_for_ever_fails_with_the_reason(trouble: Trouble | None, reason: str) -> None:
    world = due(retry={"maxAttempts": 1}, pendingDeadlineSeconds=120)
    if trouble is not None:
        pod = PodFacts("pod-1", world.now, trouble=trouble, trouble_message="it is like this")
        world.jobs[world.job().name] = replace(world.job(), pod=pod)
    assert world.go("04:01:59").wake_at == at("04:02")
    assert world.deleted == []
    world.go("04:02")
    assert world.deleted == [world.job().name]
    assert world.status.active[0].doomed == reason
    assert world.status.current is not None, "it is judged when its Job is gone"
    world.vanish()
    world.go("04:02:10")
    [record] = world.status.history
    assert (record.outcome, record.reason) == (Outcome.FAILED, reason)
    assert record.message.startswith(
        ("the container did not start within 120 s", "no pod came up within 120 s")
    )


def test_a_program_that_overruns_is_ended_and_timed_out() -> None:
    world = due(timeoutSeconds=600, retry={"maxAttempts": 1})
    world.go("04:04:00")
    world.start()
    assert world.go("04:04:01").wake_at == at("04:14:30"), "from container start, with 30 s of grace"
    world.go("04:14:29")
    assert world.deleted == []
    world.go("04:14:30")
    assert world.deleted == [world.job().name]
    world.end(143, disruption=Disruption.DELETED)
    world.go("04:14:40")
    [record] = world.status.history
    assert (record.outcome, record.reason) == (Outcome.FAILED, "TimedOut")
    assert world.status.counters.timeouts == 1


def test_a_wrong_clock_ends_no_running_program() -> None:
    world = due(timeoutSeconds=600)
    world.start()
    world.go("04:00:02")
    world.held = "the operator's clock is ahead"
    world.go("2026-03-11T04:00:03")
    assert world.deleted == []
    assert world.condition(ConditionType.READY).reason == "Held"
    world.held = ""
    world.go("04:00:20")
    world.finish(0, summary())
    world.go("04:00:30")
    assert [record.outcome for record in world.status.history] == [Outcome.SUCCEEDED]
    assert world.status.counters.timeouts == 0


@pytest.mark.parametrize("wrong", ["2026-03-09T05:00", "2026-03-12T05:00"], ids=["behind", "ahead"])
def test_an_edit_seen_by_a_wrong_clock_counts_from_when_the_clock_is_right(wrong: str) -> None:
    world = World()
    world.rest()
    world.held = "the operator's clock is wrong"
    world.edit(schedule="0 3 * * *")
    world.go(wrong)
    world.held = ""
    world.go("05:00")
    assert world.made == [], "the slot of 03:00 was before the edit"
    assert world.status.effective_since == at("05:00")
    world.go("2026-03-11T03:00")
    assert [launch.slot for launch in world.made] == [at("2026-03-11T03:00")]


def test_success_in_the_last_moment_beats_our_deletion() -> None:
    world = due()
    world.start()
    world.rest()
    world.go("04:10:40")
    assert world.deleted
    world.end(0, summary())
    world.rest()
    assert world.status.history[0].outcome is Outcome.SUCCEEDED


def test_a_deletion_that_was_not_carried_out_is_carried_out_by_the_next_operator() -> None:
    world = due()
    world.start()
    world.rest()
    world.now = at("04:10:40")
    with pytest.raises(Died):
        world.turn(dies="written")
    assert world.deleted == []
    assert world.status.active[0].doomed == "TimedOut"
    world.rest()
    assert world.deleted == [world.job().name]


def test_the_deadline_of_the_job_is_a_time_out() -> None:
    world = due(retry={"maxAttempts": 1})
    world.start()
    world.rest()
    world.finish(None, reason="DeadlineExceeded", disruption=Disruption.DELETED)
    assert (world.status.history[0].outcome, world.status.history[0].reason) == (
        Outcome.FAILED,
        "DeadlineExceeded",
    )
    assert world.status.counters.timeouts == 1


def test_a_running_job_whose_pod_is_not_yet_known_is_not_taken_for_pending() -> None:
    world = due()
    world.start()
    known = tuple(world.jobs.values())
    world.now = at("04:06")
    world.turn(view=(replace(known[0], pod=None),))
    assert world.deleted == []


def test_c7_a_job_deleted_by_hand_is_judged_by_what_its_pod_said() -> None:
    world = due()
    world.start()
    world.rest()
    pod = world.job().pod
    assert pod is not None
    pod = replace(pod, exit_code=143, disruption=Disruption.DELETED, finished_at=world.now)
    world.jobs[world.job().name] = replace(world.job(), deleting=True, pod=pod)
    world.rest()
    assert world.status.counters.lost == 1
    assert len(world.made) == 2


def test_c7_a_job_that_vanished_while_it_ran_is_counted_and_its_slot_is_not_decided_anew() -> None:
    """The run goes on with its next launch, which asks the database what the one before it did."""
    world = due()
    world.start()
    world.rest()
    world.vanish()
    world.go("04:01")
    assert [(item.run_id, item.attempt, item.launch) for item in world.made] == [
        (world.made[0].run_id, 1, 1),
        (world.made[0].run_id, 1, 2),
    ]
    assert world.status.counters.unknown == 1
    world.finish(0, summary())
    assert (world.status.counters.runs, world.status.counters.launches) == (1, 2)
    world.go("04:30")
    assert len(world.made) == 2


# -- creates that do not succeed -----------------------------------------------------------------------------------------


def test_refused_creates_use_no_attempt_and_back_off() -> None:
    world = World(answer=CreateResult.REFUSED)
    world.rest()
    world.go("04:00")
    waits = []
    for _ in range(7):
        run = world.status.current
        assert run is not None
        assert run.not_before is not None
        waits.append(int((run.not_before - world.now).total_seconds()))
        world.go(run.not_before)
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    run = world.status.current
    assert run is not None
    assert (run.attempt, run.launch, run.refusals) == (1, 0, 8)
    ready = world.condition(ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", "LaunchRefused")
    assert "quota exceeded" in ready.message
    assert world.condition(ConditionType.RECONCILING).status == "True"
    assert len(world.heard(EventReason.LAUNCH_FAILED)) == 1
    world.answer = None
    assert run.not_before is not None
    world.go(run.not_before)
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1)]
    assert world.condition(ConditionType.READY).status == "True"
    assert world.status.counters.launches == 1


def test_a_refused_retry_is_still_counted_as_a_retry() -> None:
    world = due()
    world.finish(1)
    world.answer = CreateResult.REFUSED
    world.go(timedelta(seconds=20))
    world.answer = None
    world.go(timedelta(seconds=20))
    assert [launch.attempt for launch in world.made] == [1, 2]
    assert world.status.counters.retries == 1


def test_c8_a_foreign_job_with_our_name_costs_that_slot_only() -> None:
    world = World()
    world.rest()
    probe = World()
    probe.rest()
    probe.go("04:00")
    foreign = replace(probe.job(), owner_uid="somebody-else")
    world.jobs[foreign.name] = foreign
    world.go("04:00")
    assert world.made == []
    [record] = world.status.history
    assert (record.outcome, record.reason) == (Outcome.FAILED, "NameConflict")
    assert world.condition(ConditionType.DEGRADED).reason == "NameConflict"
    assert "delete or rename it" in world.condition(ConditionType.DEGRADED).message
    assert world.condition(ConditionType.READY).status == "True"
    assert len(world.heard(EventReason.NAME_CONFLICT)) == 1
    world.go("2026-03-11T04:00")
    assert len(world.made) == 1


def test_a_job_that_only_bears_our_labels_is_not_ours() -> None:
    world = World()
    world.rest()
    probe = World()
    probe.go("04:00")
    world.jobs["other"] = replace(probe.job(), name="other", launch=7)
    world.go("04:00")
    assert len(world.made) == 1
    assert world.status.current is not None
    assert world.status.current.launch == 1


def test_lowering_max_attempts_closes_a_run_that_has_none_left() -> None:
    world = due()
    world.finish(1, "boom")
    world.edit(retry={"maxAttempts": 1})
    world.go(timedelta(minutes=1))
    assert len(world.made) == 1
    assert world.status.history[0].outcome is Outcome.FAILED
    assert world.status.history[0].reason == "ExitCode1"


def test_an_edit_of_the_limits_concerns_the_next_launch_and_not_the_one_that_is_there() -> None:
    world = due(timeoutSeconds=3600, pendingDeadlineSeconds=900)
    world.go("04:10")
    world.edit(timeoutSeconds=60, pendingDeadlineSeconds=60)
    world.go("04:14")
    assert world.deleted == [], "it may take a quarter of an hour to start"
    world.start()
    assert world.go("04:50").wake_at == at("05:14:30"), "an hour after it started, with 30 s of grace"
    assert world.deleted == []
    world.go("05:14:30")
    assert world.deleted
    assert "`timeoutSeconds` (3600 s)" in world.status.active[0].doomed_message
