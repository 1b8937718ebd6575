"""Stories of who may run here: environments, rollout, the kill switch, queues."""

from itertools import pairwise
from typing import Any

import pytest

from controller.decide.decide import decide
from controller.decide.gates import chosen, in_rollout
from controller.decide.verdict import STOPPED
from controller.model.decision import CreateResult, EventReason
from controller.model.policy import Mode, Policy, Queue, Site, parse_policy
from controller.model.status import ConditionType, Outcome, RunState
from tests.unit.controller.decide.world import World, at, summary

NAMES = [f"w{number:03}" for number in range(400)]


def workspaces(names: list[str]) -> list[dict[str, object]]:
    return [{"name": name, "credentialsSecretRef": {"name": "one"}} for name in names]


def running(**spec: object) -> World:
    world = World(now=at("04:00"), spec=dict(spec))
    world.rest()
    world.start()
    world.rest()
    return world


# -- environments ------------------------------------------------------------------------------------------------------


def test_a_schedule_of_another_environment_does_not_run_and_says_why() -> None:
    world = World(now=at("03:40"), spec={"environments": ["prod"]}, site=Site("staging"))
    world.go("04:00")
    assert world.made == []
    suspended = world.condition(ConditionType.SUSPENDED)
    assert (suspended.status, suspended.reason) == ("True", "OtherEnvironment")
    assert "'staging'" in suspended.message
    assert "prod" in suspended.message
    assert world.status.next_slot is None


def test_moved_into_its_environment_it_runs_from_then_on_and_fires_no_old_slot() -> None:
    world = World(now=at("03:40"), spec={"environments": ["prod"]}, site=Site("staging"))
    world.go("2026-03-12T05:00")
    world.site = Site("prod")
    world.rest()
    assert world.made == []
    world.go("2026-03-13T04:00")
    assert [item.slot.day for item in world.made] == [13]


def test_without_environments_a_schedule_runs_everywhere() -> None:
    world = World(now=at("04:00"), site=Site("staging"))
    world.rest()
    assert len(world.made) == 1


# -- rollout -----------------------------------------------------------------------------------------------------------


def of_rollout(**rollout: object) -> set[str]:
    schedule = World(spec={"workspaces": workspaces(NAMES[:100]), "rollout": rollout}).schedule()
    assert schedule.spec is not None, schedule.problem
    return {workspace.name for workspace in chosen(schedule, schedule.spec)}


def test_a_small_percentage_lies_inside_a_larger_one() -> None:
    sets = [of_rollout(percentOfWorkspaces=percent) for percent in (0, 1, 5, 25, 50, 99, 100)]
    assert sets[0] == set()
    assert len(sets[-1]) == 100
    for small, large in pairwise(sets):
        assert small <= large
    assert 30 <= len(sets[4]) <= 70


ROLLOUTS = {
    "a listed name comes before the percentage": ({"include": ["w001"], "percentOfWorkspaces": 0}, {"w001"}),
    "exclude comes before include": ({"include": ["w001", "w002"], "exclude": ["w001"], "percentOfWorkspaces": 0}, {"w002"}),
    "an unknown name is nobody": ({"include": ["nobody"], "percentOfWorkspaces": 0}, set()),
}  # fmt: skip


@pytest.mark.parametrize(("rollout", "found"), ROLLOUTS.values(), ids=ROLLOUTS.keys())
def test_precedence(rollout: dict[str, object], found: set[str]) -> None:
    assert of_rollout(**rollout) == found


def test_the_slots_of_a_small_percentage_of_time_are_among_those_of_a_larger_one() -> None:
    runs = {}
    for percent in (0, 10, 50, 100):
        schedule = World(spec={"rollout": {"percentOfTime": percent}}).schedule()
        assert schedule.spec is not None
        slots = [at(f"2026-03-{day:02}T{hour:02}:00") for day in range(1, 29) for hour in range(24)]
        runs[percent] = {slot for slot in slots if not in_rollout(schedule, schedule.spec, slot)}
    assert runs[0] < runs[10] < runs[50] < runs[100]


def test_a_slot_outside_the_rollout_is_recorded_as_skipped() -> None:
    world = World(now=at("03:40"), spec={"rollout": {"percentOfTime": 0}})
    world.go("04:00")
    assert world.made == []
    assert world.status.counters.slots_skipped == 1
    assert world.decided()[-1] == "Skipped"
    assert world.status.watermark == at("04:00")


def test_a_person_is_told_when_the_rollout_leaves_nothing_to_run() -> None:
    world = World(now=at("03:40"), spec={"rollout": {"percentOfWorkspaces": 0}})
    world.rest()
    world.run_now = "t"
    world.rest()
    assert world.made == []
    assert "no workspace is in the rollout" in world.said[-1][1]
    world.run_now = '{"token": "u", "workspaces": ["acme"]}'
    world.rest()
    assert world.made[0].workspaces == ("acme",), "who names a workspace means it"


# -- kill switch -------------------------------------------------------------------------------------------------------


def test_drain_lets_runs_end_with_their_retries_and_begins_none() -> None:
    world = running(schedule="* 4 * * *")
    world.site = Site(mode=Mode.DRAIN)
    world.finish(1)
    world.go("04:01")
    assert [(item.slot, item.attempt) for item in world.made] == [(at("04:00"), 1), (at("04:00"), 2)]
    world.finish(0, summary())
    world.go("04:05")
    assert len(world.made) == 2
    world.site = Site()
    world.rest()
    assert world.made[-1].slot == at("04:05")
    assert world.status.counters.slots_coalesced == 4


def test_drain_lets_a_launch_go_on_that_the_next_run_would_replace() -> None:
    world = running(schedule="* 4 * * *", concurrencyPolicy="Replace")
    world.site = Site(mode=Mode.DRAIN)
    world.go("04:01")
    assert world.deleted == [], "what comes after it must wait anyway"
    world.site = Site()
    world.rest()
    assert set(world.deleted) == {world.made[0].job_name}


NEVER_LAUNCHED: dict[str, dict[str, object]] = {
    "it was queued": {"queued": "queue 'gsc-sync' is full"},
    "its Job was refused": {"answer": CreateResult.REFUSED},
    "it is the first of a new schedule": {"spec": {"runOnCreate": True}, "now": at("03:30")},
}


@pytest.mark.parametrize("values", NEVER_LAUNCHED.values(), ids=NEVER_LAUNCHED.keys())
def test_drain_begins_no_run_that_was_never_launched(values: dict[str, Any]) -> None:
    world = World(**{"now": at("04:00")} | values)
    if "spec" in values:
        world.site = Site(mode=Mode.DRAIN)
    world.rest()
    world.site = Site(mode=Mode.DRAIN)
    world.queued, world.answer = "", None
    before = len(world.made)
    world.go("04:30")
    assert len(world.made) == before
    world.site = Site()
    world.rest()
    assert world.made[before:]


def test_hold_launches_nothing_not_even_a_retry_and_lets_run_what_runs() -> None:
    world = running()
    world.site = Site(mode=Mode.HOLD)
    world.rest()
    assert world.deleted == []
    ready = world.condition(ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", "Held")
    assert "kill switch" in ready.message
    world.finish(1)
    world.go("04:30")
    assert len(world.made) == 1
    world.site = Site()
    world.rest()
    assert [item.attempt for item in world.made] == [1, 2]


def test_stop_deletes_what_runs_and_takes_it_up_again_without_using_an_attempt() -> None:
    world = running()
    world.site = Site(mode=Mode.STOP)
    world.rest()
    assert set(world.deleted) == {world.made[0].job_name}
    assert world.status.active[0].doomed == STOPPED
    world.vanish()
    world.rest()
    assert world.status.active == ()
    assert len(world.made) == 1
    world.site = Site()
    world.rest()
    assert [(item.attempt, item.launch) for item in world.made] == [(1, 1), (1, 2)]
    assert world.status.counters.lost == 1


def test_what_succeeds_while_it_is_stopped_has_succeeded() -> None:
    world = running()
    world.site = Site(mode=Mode.STOP)
    world.rest()
    world.finish(0, summary())
    assert world.status.history[0].outcome is Outcome.SUCCEEDED


# -- queues ------------------------------------------------------------------------------------------------------------


def test_a_run_whose_queue_is_full_waits_and_is_launched_when_it_may() -> None:
    world = World(now=at("04:00"), queued="queue 'gsc-sync' is full")
    world.rest()
    assert world.made == []
    run = world.status.current
    assert run is not None
    assert run.state is RunState.QUEUED
    assert "waits in queue 'gsc-sync'" in world.condition(ConditionType.READY).message
    assert world.decided().count("Queued") == 1
    world.queued = ""
    world.rest()
    assert len(world.made) == 1


def test_a_newer_slot_takes_the_place_of_a_run_that_never_left_its_queue() -> None:
    world = World(now=at("04:00"), queued="queue 'gsc-sync' is paused")
    world.rest()
    world.go("2026-03-11T04:00")
    world.queued = ""
    world.rest()
    assert [item.slot.day for item in world.made] == [11]
    assert world.status.counters.slots_coalesced == 1


def test_what_runs_is_not_ended_for_a_run_that_its_queue_would_hold_back() -> None:
    world = running(schedule="* 4 * * *", concurrencyPolicy="Replace")
    world.queued = "queue 'gsc-sync' is paused"
    world.go("04:01")
    assert world.deleted == []
    assert world.status.active[0].doomed == ""
    assert world.heard(EventReason.OVERLAP) == [
        "Slot 2026-03-10T04:01Z waits because queue 'gsc-sync' is paused"
    ]
    world.queued = ""
    world.rest()
    assert set(world.deleted) == {world.made[0].job_name}


def test_a_person_who_asks_for_a_run_ends_nothing_either_while_the_queue_would_hold_it_back() -> None:
    world = running(concurrencyPolicy="Replace")
    world.queued = "queue 'gsc-sync' is full"
    world.run_now = "t"
    world.rest()
    assert world.deleted == []
    world.queued = ""
    world.rest()
    assert world.deleted


def test_a_queued_retry_still_counts_as_one() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.finish(1)
    world.queued = "full"
    world.go("04:01")
    world.queued = ""
    world.rest()
    assert world.status.counters.retries == 1


def test_no_run_is_queued_while_the_jobs_are_not_known() -> None:
    world = World(now=at("04:00"))
    world.turn()
    decision = decide(world.schedule(), world.status, (), world.now, jobs_fresh=False, queued="full")
    assert decision.needs_fresh_jobs


def test_c12_a_job_that_kueue_holds_back_is_queued_and_never_overdue() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world._change(suspended=True)
    decision = world.go("06:00")
    assert world.status.current is not None
    assert world.status.current.state is RunState.QUEUED
    assert world.deleted == []
    assert decision.wake_at == at("2026-03-11T04:00")
    world._change(suspended=False, admitted_at=at("06:10"))
    world.go("06:10")
    assert world.status.current.state is RunState.PENDING
    world.go("06:14:59")
    assert world.deleted == []
    world.go("06:15")
    assert world.deleted, "from then on its container has `pendingDeadlineSeconds` to start"


# -- the ConfigMap -----------------------------------------------------------------------------------------------------

POLICIES: dict[str, tuple[dict[str, object], Policy]] = {
    "nothing": ({}, Policy()),
    "drain": ({"mode": "drain"}, Policy(Mode.DRAIN)),
    "any case": ({"mode": " Stop\n"}, Policy(Mode.STOP)),
    "a limit": ({"queue.big.limit": "3"}, Policy(queues={"big": Queue(3)})),
    "limit and pause": ({"queue.big.limit": "3", "queue.big.paused": "true"}, Policy(queues={"big": Queue(3, paused=True)})),
    "a name with dots": ({"queue.a.b.paused": "true"}, Policy(queues={"a.b": Queue(paused=True)})),
}  # fmt: skip


@pytest.mark.parametrize(("data", "policy"), POLICIES.values(), ids=POLICIES.keys())
def test_the_switch_is_read(data: dict[str, object], policy: Policy) -> None:
    assert parse_policy({"data": data}) == policy


ODD: dict[str, tuple[dict[str, object], Mode, str]] = {
    "an unknown mode holds": ({"mode": "off"}, Mode.HOLD, "allowed are run, drain, hold, stop"),
    "an unknown key": ({"modus": "stop"}, Mode.RUN, "`modus` is not known"),
    "a limit in words": ({"queue.q.limit": "ten"}, Mode.RUN, "limit: 0 to 100000"),
    "a negative limit": ({"queue.q.limit": "-1"}, Mode.RUN, "limit: 0 to 100000"),
    "a limit of more digits than Python reads": (
        {"queue.q.limit": "9" * 5000},
        Mode.RUN,
        "limit: 0 to 100000",
    ),
    "an odd pause": ({"queue.q.paused": "yes"}, Mode.RUN, "paused: true or false"),
    "an unknown rule": ({"queue.q.speed": "1"}, Mode.RUN, "allowed are limit"),
}


@pytest.mark.parametrize(("data", "mode", "says"), ODD.values(), ids=ODD.keys())
def test_what_cannot_be_read_is_said(data: dict[str, object], mode: Mode, says: str) -> None:
    policy = parse_policy({"data": data})
    assert policy.mode is mode
    assert says in policy.problems[0]


def test_no_body_raises() -> None:
    for body in ({}, {"data": None}, {"data": []}, {"data": {"mode": None, "queue.": 5, "queue..limit": {}}}):
        parse_policy(body)


def test_the_identity_of_the_pod_is_only_used_where_the_installation_allows_it() -> None:
    world = World(now=at("03:40"), spec={"workspaces": [{"name": "acme", "credentials": "Ambient"}]})
    world.rest()
    world.go("04:00")
    assert world.made == []
    for kind, state in ((ConditionType.STALLED, "True"), (ConditionType.READY, "False")):
        condition = world.condition(kind)
        assert (condition.status, condition.reason) == (state, "InvalidSpec")
        assert "workspace 'acme' is not allowed" in condition.message
        assert "`sync.ambientCredentials: true`" in condition.message
    assert any("is not allowed" in message for _, message in world.said)
    world.site = Site(ambient=True)
    world.go("04:01")
    assert len(world.made) == 1, "the slot that was due while it was not allowed"
    assert world.condition(ConditionType.STALLED).status == "False"


def test_what_is_not_allowed_is_not_run_by_hand_either() -> None:
    world = World(now=at("03:40"), spec={"workspaces": [{"name": "acme", "credentials": "Ambient"}]})
    world.rest()
    world.run_now = "please"
    world.rest()
    assert world.made == []
