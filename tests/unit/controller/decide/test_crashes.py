"""Stories of operators that die: before and after the create, before and after the status; and of lost statuses."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract.run_spec import unix_minutes
from controller.decide.decide import after_create, decide
from controller.model.decision import CreateResult, EventReason
from controller.model.job import JobRecord, JobState
from controller.model.names import job_name, run_id_of_slot, run_id_of_token
from controller.model.status import Outcome, RunState, Status
from tests.unit.controller.decide.world import UID, Died, World, at, summary


def dying(world: World, where: str) -> World:
    with pytest.raises(Died):
        world.turn(dies=where)
    return world


def before_slot(**spec: Any) -> World:
    world = World(spec=spec)
    world.rest()
    world.now = at("04:00")
    return world


@pytest.mark.parametrize("where", ["create", "created", "written"])
@pytest.mark.parametrize("restart", ["04:00:05", "04:07", "2026-03-10T23:00"])
def test_d3_d5_wherever_it_dies_there_is_one_job_and_a_right_status(where: str, restart: str) -> None:
    world = dying(before_slot(), where)
    world.go(restart)
    [launch] = world.made
    assert launch.slot == at("04:00")
    assert world.status.watermark == at("04:00")
    assert world.status.counters.launches == 1
    assert [item.launch for item in world.status.active] == [1]
    assert world.heard(EventReason.ADOPTED) or where != "created"


def test_r10_a_job_that_ended_while_the_operator_was_down_is_recorded_once() -> None:
    world = dying(before_slot(), "created")
    world.now = at("04:03")
    world.end(0, summary())
    world.go("04:10")
    world.go("04:11")
    assert len(world.made) == 1
    assert world.status.counters.runs == world.status.counters.succeeded == 1
    assert len(world.status.history) == 1
    assert world.status.last_success_at == at("04:03")


def test_a_job_that_failed_while_the_operator_was_down_is_retried_as_its_second_attempt() -> None:
    world = dying(before_slot(), "created")
    world.end(1, "boom")
    world.go("04:10")
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (2, 2)]
    assert world.status.counters.retries == 1


def test_ended_and_removed_while_down_after_the_status_it_is_asked_once_more() -> None:
    world = dying(before_slot(), "written")
    world.end(0, summary())
    world.vanish()
    world.go("2026-03-10T09:00")
    assert [(launch.attempt, launch.launch) for launch in world.made] == [(1, 1), (1, 2)]
    assert world.status.counters.unknown == 1


def test_d4_ended_and_removed_before_any_status_the_slot_runs_with_the_same_name() -> None:
    """Nobody can know of that launch; the run id is the same, so the database answers that it is done."""
    world = dying(before_slot(), "created")
    world.vanish()
    world.go("2026-03-10T09:00")
    assert [launch.job_name for launch in world.made] == [world.made[0].job_name] * 2


def test_the_second_launch_of_a_run_is_adopted_after_the_first_is_judged() -> None:
    world = before_slot()
    world.rest()
    world.end(1, "boom")
    world.now = at("04:01")
    dying(world, "created")
    assert len(world.jobs) == 2
    world.go("04:02")
    assert [launch.launch for launch in world.made] == [1, 2]
    status = world.status
    assert (status.counters.launches, status.counters.retries) == (2, 1)
    assert [item.launch for item in status.active] == [2]


def test_a_superseding_launch_is_adopted_and_the_old_run_is_closed() -> None:
    world = before_slot(schedule="*/10 * * * *")
    world.rest()
    world.now = at("04:09:58")
    world.finish(1, "boom")
    world.now = at("04:10")
    dying(world, "created")
    world.go("04:11")
    assert world.status.watermark == at("04:10")
    assert [record.outcome for record in world.status.history] == [Outcome.SUPERSEDED]
    assert world.status.current is not None
    assert world.status.current.slot == at("04:10")


def test_a_manual_launch_is_adopted_and_its_token_handled() -> None:
    world = before_slot()
    world.now = at("03:40:20")
    world.run_now = "now"
    dying(world, "created")
    world.go("03:41:10")
    assert len(world.made) == 1
    assert world.status.current is not None
    assert world.status.current.run_id == run_id_of_token("now")
    assert world.status.manual_watermark == at("03:40")
    world.finish(0, summary())
    world.go("03:45")
    assert len(world.made) == 1


def test_of_two_unknown_jobs_of_one_second_the_unfinished_run_has_the_first_word() -> None:
    """Creation times have whole seconds, so they do not always tell which Job was there first."""
    world = before_slot()
    world.rest()
    world.finish(1, "boom")
    world.now = at("04:00:20")
    dying(world, "created")
    world.end(0, summary())
    world.run_now = "now"
    dying(world, "created")
    world.go("04:00:21")
    assert [record.outcome for record in world.status.history] == [Outcome.SUCCEEDED]
    assert [item.run_id for item in world.status.active] == [run_id_of_token("now")]


def test_of_two_unknown_jobs_of_one_second_the_ended_one_came_first() -> None:
    world = before_slot()
    world.run_now = "now"
    dying(world, "created")
    world.end(0, summary())
    dying(world, "created")
    world.go("04:00:01")
    assert [launch.trigger for launch in world.made] == ["Manual", "Cron"]
    assert [record.outcome for record in world.status.history] == [Outcome.SUCCEEDED]
    assert [item.run_id for item in world.status.active] == [world.made[1].run_id]


def test_the_jobs_of_forgotten_tokens_are_not_taken_for_new() -> None:
    world = World(spec={"retry": {"maxAttempts": 1}, "schedule": "0 0 1 1 *"})
    world.rest()
    for number in range(14):
        world.run_now = f"token-{number}"
        world.go(timedelta(minutes=1))
        world.finish(1)
    assert len(world.jobs) == 14
    runs = world.status.counters.runs
    world.go(timedelta(hours=1))
    assert world.status.counters.runs == runs == 14


def test_the_first_visit_launches_nothing_so_that_a_missing_status_is_a_lost_one() -> None:
    world = World(spec={"runOnCreate": True}, now=at("04:20"))
    decision = world.turn()
    assert decision.launch is None
    assert decision.wake_at == at("04:20:01")
    assert world.turn().launch is not None


def test_a_first_run_of_creation_is_adopted() -> None:
    world = World(spec={"runOnCreate": True})
    world.turn()
    dying(world, "created")
    world.go("03:31")
    assert len(world.made) == 1
    assert world.status.counters.launches == 1
    world.finish(0, summary())
    world.go("04:00")
    assert [launch.trigger for launch in world.made] == ["Create", "Cron"]


def test_slots_that_came_due_after_a_crash_at_creation_are_not_lost() -> None:
    world = World(spec={"runOnCreate": True})
    world.turn()
    dying(world, "created")
    world.end(0, summary())
    world.go("04:30")
    assert [launch.trigger for launch in world.made] == ["Create", "Cron"]


# -- lost status ---------------------------------------------------------------------------------------------------------


def lose(world: World) -> None:
    world.body.pop("status")


def test_c3_a_lost_status_is_rebuilt_from_the_jobs_and_nothing_runs_twice() -> None:
    world = before_slot()
    world.rest()
    world.finish(0, summary())
    lose(world)
    world.go("05:00")
    assert len(world.made) == 1
    assert world.status.watermark == at("04:00")
    assert world.status.counters.succeeded == 1
    world.go("2026-03-11T04:00")
    assert len(world.made) == 2


def test_a_lost_status_does_not_take_up_an_old_run_by_hand() -> None:
    """Its failed Job stands there, but a slot superseded it: that it is over was known to the status alone."""
    world = before_slot(retry={"maxAttempts": 2}, concurrencyPolicy="Replace")
    world.now = at("03:59:50")
    world.run_now = "now"
    world.rest()
    world.finish(1, "boom")
    world.go("04:00")
    assert [launch.trigger for launch in world.made] == ["Manual", "Cron"]
    lose(world)
    world.rest()
    world.finish(0, summary())
    world.go("04:30")
    assert len(world.made) == 2
    assert world.status.counters.succeeded == 1


FORGED = {
    "a run by hand of no token": ("Manual", "999999999999"),
    "a run by hand of another form": ("Manual", "m-0123456789AB"),
    "a first run of another object": ("Create", "c-0123456789ab"),
    "a slot that its label does not name": ("Cron", "999999999999"),
}


@pytest.mark.parametrize(("trigger", "run_id"), FORGED.values(), ids=FORGED)
def test_a_job_whose_run_is_not_named_by_its_trigger_is_nobody_s(trigger: str, run_id: str) -> None:
    world = before_slot()
    name = job_name("marketing", UID, run_id, 1)
    world.jobs[name] = JobRecord(
        "team",
        name,
        "forged",
        "1",
        UID,
        run_id,
        unix_minutes(at("03:00")),
        1,
        1,
        trigger,
        world.now,
        JobState.ACTIVE,
    )
    world.rest()
    assert [launch.run_id for launch in world.made] == [run_id_of_slot(at("04:00"))]
    assert world.heard(EventReason.ADOPTED) == []
    assert world.status.counters.launches == 1


def test_a_run_by_hand_is_adopted_with_what_it_was_to_do_though_another_wish_stands_there_by_then() -> None:
    world = before_slot(retry={"maxAttempts": 2})
    world.now = at("03:59:50")
    world.run_now = '{"token": "careful", "workspaces": ["acme"], "windowDays": 30, "dryRun": true}'
    dying(world, "created")
    world.run_now = "another"
    world.rest()
    world.finish(1, "boom")
    world.go("03:59:59")
    world.go("04:20")
    first, second = world.made[:2]
    assert (second.run_id, second.launch) == (first.run_id, 2)
    assert (second.workspaces, second.window_days, second.dry_run) == (("acme",), 30, True)


def test_a_lost_status_finds_the_running_launch() -> None:
    world = before_slot()
    world.rest()
    world.start()
    world.rest()
    lose(world)
    world.go("04:05")
    assert [item.launch for item in world.status.active] == [1]
    assert world.status.current is not None
    assert world.status.current.state is RunState.RUNNING
    world.finish(0, summary())
    assert len(world.made) == 1


def test_a_lost_status_does_not_lose_the_slot_that_came_due_meanwhile() -> None:
    world = before_slot(schedule="0 * * * *")
    world.rest()
    world.finish(0, summary())
    lose(world)
    world.go("05:30")
    assert [launch.slot for launch in world.made] == [at("04:00"), at("05:00")]


def test_a_lost_status_is_never_rebuilt_from_a_watch_that_may_not_know_the_jobs() -> None:
    world = before_slot()
    world.rest()
    lose(world)
    decision = decide(world.schedule(), world.status, (), at("04:05"), jobs_fresh=False)
    assert decision.needs_fresh_jobs


def test_a_status_of_nonsense_counts_as_lost() -> None:
    world = before_slot()
    world.rest()
    world.finish(0, summary())
    world.body["status"] = {
        "counters": "many",
        "history": [1, {"id": 2}],
        "currentRun": [],
        "scheduleHash": 7,
    }
    world.go("05:00")
    assert len(world.made) == 1


def test_a_lost_status_with_a_long_past_goes_on_after_the_newest_run() -> None:
    world = before_slot(schedule="*/10 * * * *", retry={"maxAttempts": 1})
    for minute in range(0, 60, 10):
        world.go(f"04:{minute:02}")
        world.finish(1 if minute == 20 else 0, summary())
    lose(world)
    world.go("04:55")
    assert len(world.made) == 6
    assert world.status.counters.runs == 1, "older ones were counted before the loss"


# -- what the port may answer ----------------------------------------------------------------------------------------------


def test_a_lost_answer_is_decided_again_and_adopted() -> None:
    world = before_slot()
    first = decide(world.schedule(), world.status, (), world.now, jobs_fresh=True)
    assert first.launch is not None
    dying(world, "created")
    again = decide(world.schedule(), world.status, tuple(world.jobs.values()), world.now, jobs_fresh=True)
    assert again.launch is None
    assert [item.job_name for item in again.status.active] == [first.launch.job_name]


def test_a_name_that_is_taken_by_our_own_job_is_adopted() -> None:
    world = before_slot()
    schedule = world.schedule()
    decision = decide(schedule, world.status, (), world.now, jobs_fresh=True)
    dying(world, "created")
    job = replace(world.job(), state=JobState.COMPLETE, finished_at=world.now)
    done = after_create(decision, schedule, CreateResult.ADOPTED, job, "", world.now)
    assert [item.job_uid for item in done.status.active] == [job.uid]
    assert done.wake_at is not None
    assert done.wake_at <= world.now + timedelta(seconds=5)
    assert EventReason.ADOPTED in [notice.reason for notice in done.notices]


def test_without_a_launch_there_is_nothing_to_add() -> None:
    world = World()
    decision = decide(world.schedule(), Status(), (), world.now, jobs_fresh=True)
    assert after_create(decision, world.schedule(), CreateResult.CREATED, None, "", world.now) is decision


def test_a_missing_launch_is_not_judged_from_the_watch_alone() -> None:
    world = before_slot()
    world.rest()
    assert decide(world.schedule(), world.status, (), world.now, jobs_fresh=False).needs_fresh_jobs


def test_slots_that_went_with_a_launch_nobody_recorded_are_counted_when_it_is_adopted() -> None:
    world = World(spec={"schedule": "*/10 * * * *"})
    world.rest()
    world.now = at("05:05")
    dying(world, "created")
    world.go("05:06")
    assert [launch.slot for launch in world.made] == [at("05:00")]
    assert world.status.counters.slots_coalesced == 8


# -- strangers ---------------------------------------------------------------------------------------------------------


def stranger(world: World, of: str, launch: int) -> JobRecord:
    """A Job that a frozen operator created after another had gone on without it."""
    run_id = run_id_of_slot(at(of))
    job = replace(
        world.job(),
        name=job_name("marketing", UID, run_id, launch),
        uid=f"late-{of}",
        run_id=run_id,
        slot_minutes=unix_minutes(at(of)),
        launch=launch,
        created_at=world.now,
        state=JobState.ACTIVE,
        finished_at=None,
        pod=None,
    )
    world.jobs[job.name] = job
    return job


def test_a_job_that_arrives_when_its_run_is_over_is_ended_and_nothing_starts_beside_it() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.finish(0, summary())
    late = stranger(world, "04:00", 2)
    world.rest()
    assert world.deleted == [late.name]
    world.go("2026-03-11T04:00")
    assert len(world.made) == 1, "its program may still be running"
    del world.jobs[late.name]
    world.rest()
    assert len(world.made) == 2
    assert world.status.counters.launches == 2


def test_a_job_of_a_time_to_come_is_waited_for_and_not_deleted() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.finish(0, summary())
    stranger(world, "2026-03-11T04:00", 1)
    world.run_now = "t"
    world.rest()
    assert world.deleted == []
    assert [item.trigger for item in world.made] == ["Cron"], "nothing is launched beside it"


def test_somebody_elses_job_with_our_labels_holds_nobody_up() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.finish(0, summary())
    odd = replace(stranger(world, "04:00", 2), name="odd")
    world.jobs = {name: job for name, job in world.jobs.items() if job.launch == 1} | {"odd": odd}
    world.go("2026-03-11T04:00")
    assert world.deleted == []
    assert len(world.made) == 2
