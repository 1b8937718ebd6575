"""Stories of overlap: a slot comes due while a launch runs, or waits, under `Forbid`, `Replace` and `Allow`."""

from dataclasses import replace

import pytest

from controller.decide.verdict import REPLACED
from controller.model.decision import EventReason
from controller.model.job import JobState
from controller.model.status import RUNS_LIMIT, Outcome, RunState
from tests.unit.controller.decide.world import Died, World, at, summary

MINUTELY = "* 4 * * *"


def going(policy: str, **spec: object) -> World:
    """The slot of 04:00 runs."""
    world = World(now=at("04:00"), spec={"schedule": MINUTELY, "concurrencyPolicy": policy, **spec})
    world.rest()
    world.start()
    world.rest()
    return world


def job_of(world: World, slot: str, launch: int = 0) -> str:
    return next(item.job_name for item in world.made if item.slot == at(slot) and item.launch >= launch)


def test_forbid_lets_the_next_slot_wait() -> None:
    world = going("Forbid")
    world.go("04:01")
    assert [item.slot for item in world.made] == [at("04:00")]
    assert world.deleted == []
    world.finish(0, summary())
    assert [item.slot for item in world.made] == [at("04:00"), at("04:01")]


def test_c5_replace_deletes_what_runs_and_starts_when_it_is_gone() -> None:
    world = going("Replace")
    world.go("04:01")
    assert world.deleted
    assert set(world.deleted) == {job_of(world, "04:00")}
    assert world.status.active[0].doomed == REPLACED, "the intent stands in the status before the delete"
    assert len(world.made) == 1, "it waits until the Job is gone"
    world.vanish()
    world.rest()
    assert [item.slot for item in world.made] == [at("04:00"), at("04:01")]
    [old] = world.status.history
    assert (old.outcome, old.reason) == (Outcome.SUPERSEDED, REPLACED)
    assert world.status.counters.superseded == 1
    assert world.status.consecutive_failures == 0


def test_what_succeeds_while_it_is_being_replaced_has_succeeded() -> None:
    world = going("Replace")
    world.go("04:01")
    world.finish(0, summary())
    assert world.status.history[0].outcome is Outcome.SUCCEEDED
    assert [item.slot for item in world.made] == [at("04:00"), at("04:01")]


def test_what_flushes_while_it_is_being_replaced_does_not_go_on() -> None:
    world = going("Replace")
    world.go("04:01")
    world.finish(75, summary(state="Continues"))
    assert world.status.history[0].outcome is Outcome.SUPERSEDED
    assert world.status.counters.continues == 0
    assert [item.launch for item in world.made] == [1, 1]


def test_an_operator_that_dies_between_intent_and_delete_deletes_when_it_is_back() -> None:
    world = going("Replace")
    world.now = at("04:01")
    world.turn()
    assert world.deleted == []
    world.rest()
    assert world.deleted


def test_the_new_job_is_found_by_another_operator_while_the_old_one_still_goes() -> None:
    world = going("Replace")
    world.go("04:01")
    world.end(143)
    ending = replace(world.job(), state=JobState.ACTIVE, finished_at=None, deleting=True)
    world.jobs[ending.name] = ending
    with pytest.raises(Died):
        world.turn(dies="created")
    world.jobs[ending.name] = replace(ending, pod=None)
    world.rest()
    assert [item.slot for item in world.made] == [at("04:00"), at("04:01")]
    [old] = world.status.history
    assert (old.outcome, old.reason) == (Outcome.SUPERSEDED, REPLACED)
    assert old.message == f"run {world.made[1].run_id} takes its place"


def test_allow_runs_side_by_side_and_each_retries_by_itself() -> None:
    world = going("Allow")
    world.go("04:01")
    assert len(world.status.active) == 2
    assert [run.slot for run in world.status.runs] == [at("04:00"), at("04:01")]
    first = world.jobs[job_of(world, "04:00")]
    world.jobs[first.name] = world.jobs.pop(first.name)  # the newest is the one that `finish` ends
    world.finish(1)
    states = {run.slot: run.state for run in world.status.runs}
    assert states == {at("04:00"): RunState.RETRYING, at("04:01"): RunState.PENDING}
    world.go("04:01:30")
    assert [(item.slot, item.attempt) for item in world.made] == [
        (at("04:00"), 1), (at("04:01"), 1), (at("04:00"), 2),
    ]  # fmt: skip
    for _ in range(2):
        name = next(name for name, job in world.jobs.items() if job.state == "Active")
        world.jobs[name] = world.jobs.pop(name)
        world.finish(0, summary())
    assert world.status.runs == ()
    assert world.status.counters.succeeded == 2
    assert world.status.counters.superseded == 0


def test_allow_has_a_bound_beyond_which_slots_wait() -> None:
    world = going("Allow")
    for minute in range(1, 8):
        world.go(f"04:0{minute}")
    assert len(world.status.active) == RUNS_LIMIT
    assert len(world.made) == RUNS_LIMIT
    assert world.heard(EventReason.OVERLAP)
    world.finish(0, summary())
    assert len(world.made) == RUNS_LIMIT + 1
    assert world.made[-1].slot == at("04:07")
    assert world.status.counters.slots_coalesced == 3


def test_an_operator_that_dies_after_the_create_adopts_beside_what_runs() -> None:
    world = going("Allow")
    world.now = at("04:01")
    try:
        world.turn(dies="created")
    except Exception:  # noqa: BLE001 - it died
        world.rest()
    assert len(world.made) == 2
    assert len(world.status.active) == 2
    assert [run.slot for run in world.status.runs] == [at("04:00"), at("04:01")]


def test_after_a_change_to_forbid_the_runs_beside_end_and_no_new_one_starts() -> None:
    world = going("Allow")
    world.go("04:01")
    world.edit(concurrencyPolicy="Forbid")
    world.go("04:02")
    assert len(world.made) == 2
    for _ in range(2):
        name = next(name for name, job in world.jobs.items() if job.state == "Active")
        world.jobs[name] = world.jobs.pop(name)
        world.finish(0, summary())
    assert [item.slot for item in world.made] == [at("04:00"), at("04:01"), at("04:02")]


def test_with_allow_each_of_all_slots_is_launched_when_the_queue_has_room_again() -> None:
    world = World(
        now=at("04:00"),
        spec={"schedule": MINUTELY, "concurrencyPolicy": "Allow", "catchUp": {"policy": "All"}},
    )
    world.rest()
    world.queued = "queue 'gsc-sync' is full"
    for minute in ("04:01", "04:02", "04:03"):
        world.go(minute)
    before = len(world.made)
    world.queued = ""
    world.rest()
    assert [item.slot for item in world.made[before:]] == [at("04:01"), at("04:02"), at("04:03")]
    assert world.status.counters.slots_coalesced == 0


def test_a_slot_that_came_in_time_and_waits_is_not_missed_when_the_next_one_waits_with_it() -> None:
    """35 minutes of a launch every ten minutes: nothing was late, so nothing was missed, with `catchUp: None` too."""
    world = World(now=at("04:00"), spec={"schedule": "*/10 4 * * *", "catchUp": {"policy": "None"}})
    world.rest()
    for minute in ("04:10", "04:20", "04:30", "04:35"):
        world.go(minute)
    world.finish(0, summary())
    assert [item.slot for item in world.made] == [at("04:00"), at("04:30")]
    assert world.status.counters.slots_missed == 0
    assert world.status.counters.slots_coalesced == 2
    assert world.heard(EventReason.SLOTS_MISSED) == []
