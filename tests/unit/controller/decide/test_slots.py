"""Stories of slots: catch-up, overlap, suspension, edits. Every due slot ends as ran, coalesced, missed or skipped."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract import State
from controller.decide.cron import Cron
from controller.decide.decide import decide
from controller.decide.slots import Due, due
from controller.model.decision import CreateResult, EventReason
from controller.model.names import run_id_of_slot
from controller.model.schedule import CatchUp, CatchUpPolicy
from controller.model.status import ConditionType, Outcome, RunState
from tests.unit.controller.decide.world import BORN, Died, World, at, summary

WEEK = CatchUp()
DAILY = "0 6 * * *"

# the cases in which CronJob's estimate finds nothing, and others
CATCH_UP = {
    "D2 weekdays, Wednesday to Sunday": (
        "0 6 * * 1-5",
        "2026-03-11T06:00",
        "2026-03-15T12:00",
        "2026-03-13T06:00",
        2,
    ),
    "D2 every 4 h on weekdays": (
        "30 6-16/4 * * 1-5",
        "2026-03-13T06:30",
        "2026-03-15T12:00",
        "2026-03-13T14:30",
        2,
    ),
    "D2 two a day": ("0 9,10 * * *", "2026-03-11T10:00", "2026-03-14T05:00", "2026-03-13T10:00", 4),
    "D2 every 5 min by day": (
        "*/5 8-17 * * *",
        "2026-03-11T08:00",
        "2026-03-14T05:00",
        "2026-03-13T17:55",
        359,
    ),
    "daily": ("0 6 * * *", "2026-03-10T06:00", "2026-03-14T12:00", "2026-03-14T06:00", 4),
    "exactly now": ("0 6 * * *", "2026-03-10T06:00", "2026-03-11T06:00", "2026-03-11T06:00", 1),
    "ten thousand": ("* * * * *", "2026-03-08T01:20", "2026-03-15T00:00", "2026-03-15T00:00", 10_000),
}


@pytest.mark.parametrize(
    ("schedule", "last", "back", "newest", "count"), CATCH_UP.values(), ids=CATCH_UP.keys()
)
def test_the_newest_due_slot_is_found_and_the_others_counted(
    schedule: str, last: str, back: str, newest: str, count: int
) -> None:
    found = due(Cron.parse(schedule, "Etc/UTC"), at(last), at(back), WEEK)
    assert found == Due(at(newest), coalesced=count - 1)


def test_nothing_is_due_before_the_next_slot() -> None:
    assert due(Cron.parse("0 6 * * *", "Etc/UTC"), at("06:00"), at("2026-03-11T05:59:59"), WEEK) == Due()


def test_all_too_old_is_missed() -> None:
    found = due(
        Cron.parse(DAILY, "Etc/UTC"), at("06:00"), at("2026-03-12T05:00"), CatchUp(max_age_seconds=3600)
    )
    assert found == Due(missed=1, missed_until=at("2026-03-11T06:00"))


def test_a_gap_of_decades_is_counted_from_below() -> None:
    found = due(Cron.parse("0 6 * * *", "Etc/UTC"), at("1990-01-01T00:00"), at("12:00"), WEEK)
    assert found.counted(found.coalesced) == "at least 3659"


ALL_THREE = CatchUp(CatchUpPolicy.ALL, max_runs=3)
NONE = CatchUp(CatchUpPolicy.NONE)
POLICIES: dict[str, tuple[CatchUp, str, tuple[str, ...], Due]] = {
    "All: oldest first, the rest follow": (
        ALL_THREE, "2026-03-13T12:00", (),
        Due(at("2026-03-11T06:00"), following=(at("2026-03-12T06:00"), at("2026-03-13T06:00"))),
    ),
    "All: beyond maxRuns the oldest go with the first that runs": (
        ALL_THREE, "2026-03-16T12:00", (),
        Due(at("2026-03-14T06:00"), coalesced=3, following=(at("2026-03-15T06:00"), at("2026-03-16T06:00"))),
    ),
    "All: what is too old is missed, not coalesced": (
        CatchUp(CatchUpPolicy.ALL, max_runs=10, max_age_seconds=2 * 86_400), "2026-03-16T12:00", (),
        Due(at("2026-03-15T06:00"), missed=4, missed_until=at("2026-03-14T06:00"), following=(at("2026-03-16T06:00"),)),
    ),
    "All: too many and too old": (
        CatchUp(CatchUpPolicy.ALL, max_runs=1, max_age_seconds=2 * 86_400), "2026-03-16T12:00", (),
        Due(at("2026-03-16T06:00"), coalesced=1, missed=4, missed_until=at("2026-03-14T06:00")),
    ),
    "None: in time it runs": (NONE, "2026-03-11T06:04", (), Due(at("2026-03-11T06:00"))),
    "None: late it is missed": (
        NONE, "2026-03-11T06:06", (), Due(missed=1, missed_until=at("2026-03-11T06:00")),
    ),
    "None: late because a launch ran, it runs": (
        NONE, "2026-03-11T06:06", (run_id_of_slot(at("2026-03-11T06:00")),), Due(at("2026-03-11T06:00")),
    ),
    "None: in time, but the ones before were missed": (
        NONE, "2026-03-13T06:00", (),
        Due(at("2026-03-13T06:00"), missed=2, missed_until=at("2026-03-12T06:00")),
    ),
    "Latest: one stands for all": (CatchUp(), "2026-03-13T12:00", (), Due(at("2026-03-13T06:00"), coalesced=2)),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "now", "waited", "found"), POLICIES.values(), ids=POLICIES.keys())
def test_catch_up_policies(policy: CatchUp, now: str, waited: tuple[str, ...], found: Due) -> None:
    assert due(Cron.parse(DAILY, "Etc/UTC"), at("06:00"), at(now), policy, waited) == found


def test_all_runs_each_slot_after_downtime_oldest_first() -> None:
    world = World(now=at("04:00"), spec={"catchUp": {"policy": "All", "maxRuns": 3}})
    world.rest()
    world.finish(0, summary())
    world.go("2026-03-14T05:00")
    for _ in range(3):
        world.rest()
        world.finish(0, summary())
        world.rest()
    days = [launch.slot.day for launch in world.made]
    assert days == [10, 12, 13, 14]
    counters = world.status.counters
    assert (counters.succeeded, counters.slots_coalesced, counters.slots_missed) == (4, 1, 0)
    assert world.status.watermark == at("2026-03-14T04:00")


def test_all_waits_for_a_retry_instead_of_passing_a_slot_over() -> None:
    world = World(now=at("04:00"), spec={"schedule": "* 4 * * *", "catchUp": {"policy": "All"}})
    world.rest()
    world.finish(1)
    world.go("04:01")
    assert world.status.current is not None
    assert world.status.current.slot == at("04:00")
    assert [launch.attempt for launch in world.made] == [1, 2]
    world.finish(0, summary())
    world.go("04:02")
    assert [launch.slot for launch in world.made] == [at("04:00"), at("04:00"), at("04:01")]
    assert world.status.counters.superseded == 0


def test_none_runs_nothing_that_passed_while_the_operator_was_down() -> None:
    world = World(now=at("04:00"), spec={"catchUp": {"policy": "None"}})
    world.rest()
    world.finish(0, summary())
    world.go("2026-03-12T05:00")
    assert len(world.made) == 1
    assert world.status.counters.slots_missed == 2
    world.go("2026-03-13T04:00")
    assert [launch.slot.day for launch in world.made] == [10, 13]


# -- downtime ----------------------------------------------------------------------------------------------------------


def test_d10_created_while_the_operator_was_down_the_due_slot_runs() -> None:
    world = World(now=at("04:20"))
    world.rest()
    assert [launch.slot for launch in world.made] == [at("04:00")]
    assert world.status.effective_since == BORN


def test_after_downtime_the_newest_runs_and_the_rest_is_coalesced_with_one_event() -> None:
    world = World(spec={"schedule": "0 * * * *"})
    world.rest()
    world.go("2026-03-12T10:30")
    assert [launch.slot for launch in world.made] == [at("2026-03-12T10:00")]
    assert world.status.counters.slots_coalesced == 54
    assert world.status.current is not None
    assert world.status.current.coalesced == 54
    world.go("2026-03-12T10:31")
    assert world.heard(EventReason.SLOTS_COALESCED) == ["54 older slots go with 2026-03-12T10:00Z"]


def test_what_is_too_old_is_missed_with_one_event_for_the_gap() -> None:
    world = World(spec={"schedule": "0 4 * * *", "catchUp": {"maxAgeSeconds": 3600}})
    world.rest()
    world.go("2026-03-13T10:00")
    world.go("2026-03-13T11:00")
    assert world.made == []
    assert world.status.counters.slots_missed == 4
    assert world.status.watermark == at("2026-03-13T04:00")
    assert len(world.heard(EventReason.SLOTS_MISSED)) == 1
    assert world.decided() == ["Missed"]


def test_t10_an_object_from_the_future_neither_fires_nor_stalls() -> None:
    world = World(now=BORN - timedelta(hours=2), spec={"schedule": "*/5 * * * *"})
    world.rest()
    assert world.made == []
    world.go(BORN + timedelta(minutes=5))
    assert len(world.made) == 1


# -- overlap -----------------------------------------------------------------------------------------------------------


def test_a_due_slot_waits_for_the_running_launch_and_says_so_once() -> None:
    world = World(spec={"schedule": "*/10 * * * *"}, now=at("03:31"))
    world.rest()
    world.go("03:40")
    world.start()
    for minute in range(50, 56):
        world.go(f"03:{minute}")
    assert len(world.made) == 1
    assert len(world.heard(EventReason.OVERLAP)) == 1
    assert world.status.watermark == at("03:40")
    world.finish(0, summary())
    assert [launch.slot for launch in world.made] == [at("03:40"), at("03:50")]
    assert world.status.waiting == ()


def test_older_waiting_slots_go_with_the_newest() -> None:
    world = World(spec={"schedule": "*/10 * * * *", "timeoutSeconds": 7200})
    world.rest()
    world.go("03:40")
    world.start()
    for moment in ("03:50", "04:00", "04:10", "04:12"):
        world.go(moment)
    assert len(world.heard(EventReason.OVERLAP)) == 3
    world.finish(0, summary())
    assert [launch.slot for launch in world.made] == [at("03:40"), at("04:10")]
    assert world.status.counters.slots_coalesced == 2


def test_a_run_that_waits_for_its_retry_is_superseded() -> None:
    world = World(spec={"schedule": "*/10 * * * *"})
    world.rest()
    world.go("03:40")
    world.now = at("03:49:55")
    world.finish(1, "boom")
    world.go("03:50")
    assert [launch.slot for launch in world.made] == [at("03:40"), at("03:50")]
    assert [launch.attempt for launch in world.made] == [1, 1]
    [record] = world.status.history
    assert (record.outcome, record.attempts) == (Outcome.SUPERSEDED, 2)
    assert world.status.consecutive_failures == 1, "a schedule faster than its retries must not look healthy"
    assert len(world.heard(EventReason.SUPERSEDED)) == 1
    assert world.status.last_run is None


def test_a_superseding_slot_inherits_the_time_of_a_snooze() -> None:
    world = World(spec={"schedule": "*/10 * * * *"})
    world.rest()
    world.go("03:40")
    world.finish(75, summary(State.SNOOZED, snooze_seconds=1500))
    world.go("03:50")
    run = world.status.current
    assert run is not None
    assert (run.slot, run.state, run.not_before, run.launch) == (
        at("03:50"),
        RunState.SNOOZED,
        at("04:05"),
        0,
    )
    assert world.status.history[0].outcome is Outcome.SUPERSEDED
    assert world.status.consecutive_failures == 0
    world.go("04:00")
    assert world.status.current is not None
    assert (world.status.current.slot, world.status.current.coalesced) == (at("04:00"), 1)
    assert len(world.status.history) == 1, "a slot that never came to a launch is coalesced, not superseded"
    world.go("04:05")
    assert [launch.slot for launch in world.made] == [at("03:40"), at("04:00")]
    assert world.status.counters.slots_coalesced == 1


# -- suspension and edits --------------------------------------------------------------------------------------------------


def test_l6_resume_fires_no_old_slot() -> None:
    world = World()
    world.rest()
    world.edit(suspend=True)
    world.go("03:50")
    assert world.status.next_slot is None
    assert world.condition(ConditionType.SUSPENDED).status == "True"
    assert world.condition(ConditionType.READY).reason == "Suspended"
    world.go("2026-03-12T10:00")
    world.edit(suspend=False)
    world.go("2026-03-12T10:01")
    assert world.made == []
    world.go("2026-03-13T04:00")
    assert [launch.slot for launch in world.made] == [at("2026-03-13T04:00")]


def test_l6_suspension_leaves_the_running_job_and_holds_the_retry() -> None:
    world = World()
    world.rest()
    world.go("04:00")
    world.start()
    world.edit(suspend=True)
    world.go("04:01")
    assert world.deleted == []
    world.finish(1, "boom")
    assert world.go("05:00").wake_at is None
    assert len(world.made) == 1
    assert world.status.current is not None
    assert world.status.current.state is RunState.RETRYING
    assert "waits" in world.condition(ConditionType.READY).message
    world.edit(suspend=False)
    world.go("05:01")
    assert [launch.attempt for launch in world.made] == [1, 2]


def test_l4_an_edit_to_a_time_already_past_fires_nothing_today() -> None:
    world = World(now=at("03:45"))
    world.rest()
    world.edit(schedule="35 3 * * *")
    world.go("03:46")
    assert world.made == []
    assert world.status.next_slot == at("2026-03-11T03:35")


@pytest.mark.parametrize("edit", [{"schedule": "0 4 * * *"}, {"timeZone": "Etc/UTC"}, {"timeoutSeconds": 30}])
def test_an_edit_that_changes_no_slot_loses_none(edit: dict[str, object]) -> None:
    world = World()
    world.rest()
    world.edit(**edit)
    world.go("04:30")
    assert [launch.slot for launch in world.made] == [at("04:00")]


def test_a_slot_that_waited_when_the_schedule_was_edited_is_skipped_with_a_reason() -> None:
    world = World(spec={"schedule": "*/10 * * * *"})
    world.rest()
    world.go("03:40")
    world.go("03:50")
    world.edit(schedule="0 12 * * *")
    world.go("03:51")
    world.finish(0, summary())
    assert len(world.made) == 1
    assert world.status.counters.slots_skipped == 1
    assert "Skipped" in world.decided()


def test_l7_an_invalid_edit_stops_the_schedule_and_says_what_is_allowed() -> None:
    world = World()
    world.rest()
    world.edit(timeZone="Mars/Base")
    world.go("04:30")
    world.go("04:31")
    assert world.made == []
    stalled = world.condition(ConditionType.STALLED)
    assert stalled.status == "True"
    assert (
        stalled.message
        == "Time zone 'Mars/Base' is unknown; use an IANA name such as 'Europe/Berlin' or 'Etc/UTC'."
    )
    assert world.condition(ConditionType.READY).status == "False"
    assert len(world.heard(EventReason.INVALID)) == 1
    world.edit(timeZone="Europe/Berlin")
    world.go("05:00")
    assert world.made == []
    assert world.condition(ConditionType.STALLED).status == "False"
    world.go("2026-03-11T03:00")
    assert len(world.made) == 1


def test_first_seen_invalid_nothing_old_fires_once_it_is_mended() -> None:
    world = World(spec={"workspaces": []}, now=at("04:30"))
    world.rest()
    assert "at least one entry" in world.condition(ConditionType.STALLED).message
    world.edit(workspaces=[{"name": "acme", "credentialsSecretRef": {"name": "acme-google"}}])
    world.go("04:31")
    assert world.made == []


def test_a_job_that_ends_while_the_spec_is_invalid_is_still_recorded() -> None:
    world = World()
    world.rest()
    world.go("04:00")
    world.edit(workspaces=[])
    world.go("04:01")
    world.finish(0, summary())
    assert world.status.counters.succeeded == 1


# -- held ----------------------------------------------------------------------------------------------------------------


def test_a_held_operator_launches_nothing_and_says_why() -> None:
    world = World()
    world.rest()
    world.held = "the clocks differ by 90 s"
    world.go("04:00")
    assert world.made == []
    assert world.status.watermark is None
    ready = world.condition(ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", "Held")
    assert world.condition(ConditionType.RECONCILING).message == "The clocks differ by 90 s."
    world.held = ""
    world.go("04:02")
    assert [launch.slot for launch in world.made] == [at("04:00")]


def test_an_object_being_deleted_is_left_alone() -> None:
    world = World()
    gone = replace(world.schedule(), deleting=True)
    decision = decide(gone, world.status, (), at("04:00"), jobs_fresh=False)
    assert decision.status == world.status
    assert decision.launch is None


NOT_LAUNCHED = {
    "its Job was refused": {"answer": CreateResult.REFUSED},
    "it waits in its queue": {"queued": "queue 'gsc-sync' is full"},
}


@pytest.mark.parametrize("why", NOT_LAUNCHED.values(), ids=NOT_LAUNCHED)
def test_a_run_that_was_never_launched_goes_with_the_schedule_that_is_suspended(why: dict[str, Any]) -> None:
    """Its slot is as old as any other when the schedule is resumed."""
    world = World(spec={"schedule": "0 4 * * *"}, **why)
    world.rest()
    world.go("04:00")
    assert world.made == []
    world.edit(suspend=True)
    world.go("04:01")
    assert world.status.runs == ()
    assert world.status.counters.slots_skipped == 1
    assert world.condition(ConditionType.READY).reason == "Suspended"
    assert world.condition(ConditionType.RECONCILING).status == "False"
    world.answer, world.queued = None, ""
    world.edit(suspend=False)
    world.go("09:01")
    assert world.made == []


def test_a_job_that_nobody_has_seen_yet_is_found_before_its_run_is_dropped() -> None:
    world = World(spec={"schedule": "0 4 * * *"}, answer=CreateResult.REFUSED)
    world.rest()
    world.go("04:00")
    world.answer = None
    world.now = at("04:30")
    with pytest.raises(Died):
        world.turn(dies="created")
    world.edit(suspend=True)
    world.turn(view=())
    assert [item.launch for item in world.status.active] == [1]
    assert world.status.counters.slots_skipped == 0
