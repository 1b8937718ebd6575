"""Stories of a Job that was deleted and does not go: its node is out of reach, so its pod cannot be removed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from controller.decide.conditions import STUCK
from controller.decide.decide import decide
from controller.decide.hindrance import STUCK_AFTER
from controller.model.decision import EventReason
from controller.model.job import JobState, PodFacts
from controller.model.policy import Mode, Site
from controller.model.status import ConditionType
from tests.unit.controller.decide.world import World, at, summary

MINUTELY = "* 4 * * *"


def running(**spec: object) -> World:
    """The slot of 04:00 runs, on node n1."""
    world = World(now=at("04:00"), spec={"schedule": MINUTELY, "timeoutSeconds": 60} | spec)
    world.rest()
    world.start()
    pod = world.job().pod
    assert pod is not None
    world._change(pod=replace(pod, node="n1"))
    world.rest()
    return world


def overruns(world: World) -> None:
    world.go("04:01:30")


def is_replaced(world: World) -> None:
    world.edit(concurrencyPolicy="Replace")
    world.go("04:01")


def is_cancelled(world: World) -> None:
    world.cancel = world.made[0].run_id
    world.rest()


def is_stopped(world: World) -> None:
    world.site = Site(mode=Mode.STOP)
    world.rest()


def is_deleted_by_hand(world: World) -> None:
    world._change(deleting=True, deleting_since=world.now)
    world.rest()


WAYS = (overruns, is_replaced, is_cancelled, is_stopped, is_deleted_by_hand)


def deleted_at(world: World) -> datetime:
    job = next(iter(world.jobs.values()))
    assert job.deleting_since is not None
    return job.deleting_since


def told(world: World) -> list[str]:
    """The conditions that speak of it."""
    return [item.type for item in world.status.conditions if item.reason == STUCK]


@pytest.mark.parametrize("comes_to_its_end", WAYS)
def test_it_is_told_after_a_bound_once_until_it_is_gone_and_nothing_runs_beside_it(
    comes_to_its_end: Callable[[World], None],
) -> None:
    world = running()
    comes_to_its_end(world)
    since = deleted_at(world)
    decision = world.go(since + STUCK_AFTER / 2)
    assert told(world) == []
    while decision.wake_at is not None and decision.wake_at < since + STUCK_AFTER:
        decision = world.go(decision.wake_at)
        assert told(world) == []
    assert decision.wake_at == since + STUCK_AFTER, "the turn of that moment happens"

    world.go(since + STUCK_AFTER)
    assert told(world) == [ConditionType.READY, ConditionType.RECONCILING]
    ready, reconciling = world.condition(ConditionType.READY), world.condition(ConditionType.RECONCILING)
    assert (ready.status, reconciling.status) == ("False", "True")
    for words in (
        world.made[0].job_name,
        f"{since:%Y-%m-%dT%H:%M:%SZ}",
        "node n1",
        "`kubectl delete pod --force`",
    ):
        assert words in ready.message
    assert not ready.message.endswith("…")
    writes = world.writes
    for minute in range(20, 59, 7):
        world.go(f"04:{minute}")
    assert len(world.heard(EventReason.STUCK)) == 1
    assert world.writes - writes <= 6, "its slots wait, and nothing else is written"
    assert len(world.made) == 1, "two launches never run at once"

    world.vanish()
    world.site = Site()
    world.rest()
    assert told(world) == []
    assert world.condition(ConditionType.READY).status == "True"
    assert len(world.made) == 2, "what waited goes on"


def test_a_job_without_a_known_node_is_told_of_too() -> None:
    world = World(now=at("04:00"), spec={"schedule": MINUTELY})
    world.rest()
    is_deleted_by_hand(world)
    world.go(world.now + STUCK_AFTER)
    assert "on a node that is not known" in world.condition(ConditionType.READY).message


def test_beside_a_stuck_job_others_go_on_where_they_are_allowed() -> None:
    world = running(concurrencyPolicy="Allow")
    is_deleted_by_hand(world)
    world.go(world.now + STUCK_AFTER)
    assert told(world) == [ConditionType.RECONCILING]
    assert len(world.heard(EventReason.STUCK)) == 1
    assert len(world.made) > 1
    assert world.condition(ConditionType.READY).status == "True"


def test_a_job_that_belongs_to_no_run_is_told_of_too_since_all_wait_for_it() -> None:
    world = running()
    stray = replace(world.job(), created_at=at("03:59"))
    world.finish(0, summary())
    world.jobs[stray.name] = replace(stray, deleting=True, deleting_since=world.now, state=JobState.ACTIVE)
    world.rest()
    world.go(world.now + STUCK_AFTER)
    assert told(world) == [ConditionType.READY, ConditionType.RECONCILING]


def test_a_suspended_schedule_says_so_and_stays_suspended() -> None:
    world = running()
    is_deleted_by_hand(world)
    world.edit(suspend=True)
    world.go(world.now + STUCK_AFTER)
    assert told(world) == [ConditionType.RECONCILING]
    assert world.condition(ConditionType.READY).reason == "Suspended"


def test_a_wrong_clock_takes_no_job_for_stuck() -> None:
    world = running()
    is_deleted_by_hand(world)
    world.held = "the operator's clock is ahead"
    world.go("2026-03-11T04:30")
    assert told(world) == []


def test_a_job_whose_container_has_ended_hinders_nobody_and_is_not_told_of() -> None:
    world = running()
    is_deleted_by_hand(world)
    pod = world.job().pod
    assert pod is not None
    world._change(pod=replace(pod, exit_code=143, finished_at=world.now))
    world.go(world.now + STUCK_AFTER)
    assert told(world) == []
    assert len(world.made) == 2


def test_another_launch_beside_it_does_not_make_it_forgotten() -> None:
    """A create that is answered settles the status without seeing the other Jobs."""
    world = running(concurrencyPolicy="Allow")
    is_deleted_by_hand(world)
    world.go(world.now + STUCK_AFTER)
    since = world.condition(ConditionType.RECONCILING).last_transition_time
    made = len(world.made)
    world.finish(0, summary())
    world.go("04:20")
    assert len(world.made) > made
    assert world.condition(ConditionType.RECONCILING).last_transition_time == since
    assert len(world.heard(EventReason.STUCK)) == 1


def test_the_longest_names_leave_room_for_the_next_step() -> None:
    world = running()
    pod = PodFacts("pod-1", world.now, started_at=world.now, node="n" * 253)
    name = "j" * 63
    schedule = world.schedule()
    job = replace(world.job(), name=name, pod=pod, deleting=True, deleting_since=world.now)
    active = replace(world.status.active[0], job_name=name)
    status = replace(world.status, active=(active,))
    decision = decide(schedule, status, (job,), world.now + STUCK_AFTER, jobs_fresh=True)
    ready = decision.status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.message.endswith("fences.")
