"""The tricky cases of time, downtime and edits that are not told elsewhere; names carry the numbers of the catalogue.

`test_catalogue.py` lists all numbers and where each is tested.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from controller.decide.cron import Cron
from controller.decide.slots import due
from controller.model.decision import EventReason
from controller.model.job import Disruption, PodFacts
from controller.model.parse import parse_schedule
from controller.model.schedule import CatchUp, CatchUpPolicy
from controller.model.status import Outcome, RunState
from tests.oracle.slots import MINUTE, catch_up
from tests.oracle.slots import Outcome as Expected
from tests.unit.controller.decide.world import BORN, SPEC, World, at, summary

# -- T4: hours in steps and ranges on the days on which the clock is changed ---------------------------------------------

BERLIN = {
    "T4 steps follow real time: none in the gap": ("0 */2 * * *", "2026-03-29", ["00:00 +1", "04:00 +2"]),
    "T4 steps follow real time: both in the overlap": (
        "0 */2 * * *", "2026-10-25", ["00:00 +2", "02:00 +2", "02:00 +1", "04:00 +1"],
    ),
    "T4 a range is fixed times: those in the gap are one, at its end": (
        "0 1-4 * * *", "2026-03-29", ["01:00 +1", "03:00 +2", "04:00 +2"],
    ),
    "T4 a range is fixed times: each once in the overlap": (
        "0 1-4 * * *", "2026-10-25", ["01:00 +2", "02:00 +2", "03:00 +1", "04:00 +1"],
    ),
    "T4 minutes in steps in the gap: none": ("*/20 2 * * *", "2026-03-29", []),
    "T4 minutes in steps in the overlap: in both passes": (
        "*/20 2 * * *", "2026-10-25", ["02:00 +2", "02:20 +2", "02:40 +2", "02:00 +1", "02:20 +1", "02:40 +1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "day", "expected"), BERLIN.values(), ids=BERLIN.keys())
def test_hours_on_the_days_of_change(expression: str, day: str, expected: list[str]) -> None:
    zone = ZoneInfo("Europe/Berlin")
    cron = Cron.parse(expression, zone.key)
    midnight, morning = (datetime.fromisoformat(f"{day}T0{hour}:00").replace(tzinfo=zone) for hour in (0, 5))
    moment, found = cron.next_after(midnight.astimezone(UTC) - MINUTE), []
    while moment < morning:
        found.append(
            f"{moment.astimezone(zone):%H:%M} +{moment.astimezone(zone).utcoffset().seconds // 3600}"
        )
        moment = cron.next_after(moment)
    assert found == expected


# -- T5: a country changes its mind, the time zone data follow -----------------------------------------------------------

WITH_SUMMER, WITHOUT = ZoneInfo("Europe/Athens"), ZoneInfo("Europe/Istanbul")
"""Both are at +3 in summer; since 2016 Istanbul stays there. So they are the same place before and after such a law."""


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        pytest.param(
            WITH_SUMMER, WITHOUT, [], id="T5 winter time is given up: the next day is the next slot"
        ),
        pytest.param(
            WITHOUT,
            WITH_SUMMER,
            [27],
            id="T5 winter time comes back: the day that now is later runs once more",
        ),
    ],
)
def test_new_rules_for_a_zone_lose_no_day(old: ZoneInfo, new: ZoneInfo, again: list[int]) -> None:
    """An operator with new time zone data goes on from the watermark, which is an instant and not a wall time."""
    before = replace(Cron.parse("30 4 * * *", "Etc/UTC"), zone=old)
    after = replace(before, zone=new)
    watermark = before.last_at_or_before(at("2026-10-27T12:00"))
    assert watermark is not None
    days, since = [], watermark
    for now in (at(f"2026-10-{day}T12:00") for day in (27, 28, 29, 30)):
        found = due(after, since, now, CatchUp())
        if found.slot is not None:
            assert found.coalesced == 0
            days.append(found.slot.astimezone(new).day)
            since = found.slot
    assert days == [*again, 28, 29, 30]


# -- T7, T8, T9: the wall clock steps, or the process stands still -----------------------------------------------------------

EVERY_HALF_HOUR = "*/30 * * * *"
AHEAD = {
    "T7 T9 Latest: one run for all": ("Latest", ["05:30"], 3, 0),
    "T7 T9 All: each runs, oldest first": ("All", ["04:00", "04:30", "05:00", "05:30"], 0, 0),
    "T7 T9 None: all are missed": ("None", [], 0, 4),
}


@pytest.mark.parametrize(("policy", "slots", "coalesced", "missed"), AHEAD.values(), ids=AHEAD.keys())
def test_two_hours_are_suddenly_over(policy: str, slots: list[str], coalesced: int, missed: int) -> None:
    """Whether the clock was put forward or the machine slept is the same to whoever looks only at the clock."""
    world = World(spec={"schedule": EVERY_HALF_HOUR, "catchUp": {"policy": policy}}, now=at("03:31"))
    world.rest()
    world.go("05:40")
    for _ in slots:
        world.finish(0, summary())
        world.rest()
    assert [launch.slot for launch in world.made] == [at(slot) for slot in slots]
    assert world.status.counters.slots_coalesced == coalesced
    assert world.status.counters.slots_missed == missed
    assert world.status.watermark == at("05:30")


def test_t8_a_clock_that_is_put_back_fires_nothing_twice() -> None:
    world = World(spec={"schedule": EVERY_HALF_HOUR}, now=at("03:31"))
    world.rest()
    world.go("04:00")
    world.finish(0, summary())
    assert len(world.made) == 1
    world.now = at("02:00")
    world.rest()
    for moment in ("02:30", "03:00", "03:30", "04:00", "04:00:30"):
        world.go(moment)
    assert len(world.made) == 1
    assert world.status.watermark == at("04:00")
    assert world.status.counters.runs == 1
    world.go("04:30")
    assert [launch.slot for launch in world.made] == [at("04:00"), at("04:30")]


def test_t8_a_launch_under_way_when_the_clock_is_put_back_is_left_in_peace() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.start()
    world.rest()
    world.go("02:00")
    assert world.deleted == []
    assert world.status.counters.launches == 1
    world.finish(0, summary())
    assert world.status.history[0].outcome is Outcome.SUCCEEDED
    assert world.status.history[0].duration_seconds == 0, "not less than nothing"


# -- D1: the operator was down ---------------------------------------------------------------------------------------------

DOWN = {
    f"D1 {policy}, {number} slots": (policy, number)
    for policy in ("Latest", "All", "None")
    for number in (1, 5, 101, 10_000)
}


@pytest.mark.parametrize(("policy", "number"), DOWN.values(), ids=DOWN.keys())
@pytest.mark.parametrize("max_age", [timedelta(days=7), timedelta(hours=1)], ids=["a week", "an hour"])
def test_what_was_due_meanwhile_is_run_coalesced_or_missed_and_counted(
    policy: str, number: int, max_age: timedelta
) -> None:
    now = BORN + number * MINUTE + timedelta(seconds=30)
    slots = [BORN + minute * MINUTE for minute in range(1, number + 1)]
    expected = catch_up(slots, now, policy, max_runs=3, max_age=max_age)
    world = down({"policy": policy, "maxRuns": 3, "maxAgeSeconds": int(max_age.total_seconds())}, now)
    assert account(world) == expected
    assert world.status.watermark == slots[-1]
    assert len(world.heard(EventReason.SLOTS_MISSED)) == (expected.missed > 0), "one event for the gap"
    assert len(world.heard(EventReason.SLOTS_COALESCED)) == (expected.coalesced > 0)


def down(policy: dict[str, Any], now: datetime) -> World:
    """Away from the first minute on; back at `now`, and everything it starts succeeds at once."""
    world = World(spec={"schedule": "* * * * *", "catchUp": policy})
    world.rest()
    world.go(now)
    while world.status.active:
        world.finish(0, summary())
        world.rest()
    return world


def account(world: World) -> Expected:
    counters = world.status.counters
    return Expected(
        tuple(launch.slot for launch in world.made), counters.slots_coalesced, counters.slots_missed
    )


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
@pytest.mark.parametrize("late", [20, 299, 301, 90_000], ids="{}s late".format)
def test_d1_irregular_slots_are_shared_out_as_the_model_does(policy: CatchUpPolicy, late: int) -> None:
    """The same of a schedule with uneven gaps, against the model."""
    cron = Cron.parse("13 6,7,19 * * 1-5", "Etc/UTC")
    since = at("2026-03-02T06:13")
    slots = []
    while (slots[-1] if slots else since) < at("2026-03-13T19:13"):
        slots.append(cron.next_after(slots[-1] if slots else since))
    now = slots[-1] + timedelta(seconds=late)
    for age in (600, 86_400, 864_000):
        expected = catch_up(slots, now, policy.value, max_runs=4, max_age=timedelta(seconds=age))
        found = due(cron, since, now, CatchUp(policy, max_runs=4, max_age_seconds=age))
        run = (found.slot, *found.following) if found.slot else ()
        assert Expected(run, found.coalesced, found.missed) == expected


# -- C2, C4: around a running launch --------------------------------------------------------------------------------------


def test_c2_a_launch_that_the_watch_does_not_show_yet_still_runs() -> None:
    world = World(spec={"schedule": "* 4 * * *"}, now=at("04:00"))
    world.rest()
    world.now = at("04:01")
    world.turn(view=())
    world.turn(view=())
    assert [launch.slot for launch in world.made] == [at("04:00")]
    assert world.status.counters.unknown == 0, "it has not vanished, it was only not shown"
    assert [item.launch for item in world.status.active] == [1]


@pytest.mark.parametrize("looked", [False, True], ids=["nobody looked between", "the slot was seen to wait"])
def test_c4_a_launch_that_ends_just_after_the_next_slot_delays_it_and_costs_it_nothing(looked: bool) -> None:
    world = World(spec={"schedule": "* 4 * * *"}, now=at("04:00"))
    world.rest()
    world.start()
    world.rest()
    if looked:
        world.go("04:01:00.005000")
    world.now = at("04:01:00.010000")
    world.finish(0, summary())
    assert [launch.slot for launch in world.made] == [at("04:00"), at("04:01")]
    assert world.status.counters.slots_coalesced == world.status.counters.slots_skipped == 0
    assert len(world.heard(EventReason.OVERLAP)) == looked


# -- C12: Kueue ------------------------------------------------------------------------------------------------------------


def test_c12_a_job_that_kueue_takes_away_for_hours_is_neither_overdue_nor_failed() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.start()
    world.go("04:01")
    pod = world.job().pod
    assert pod is not None
    stopped = replace(pod, exit_code=143, disruption=Disruption.DELETED, finished_at=at("04:02"), gone=True)
    world.now = at("04:02")
    world._change(suspended=True, admitted_at=None, pod=stopped)
    world.rest()
    assert world.status.current is not None
    assert world.status.current.state is RunState.QUEUED, "it waits for its turn, and is shown so"
    assert world.status.active[0].started_at is None
    world.go("09:00")
    assert world.deleted == []
    assert len(world.made) == 1
    assert world.status.counters.timeouts == world.status.counters.lost == 0
    again = PodFacts(uid="pod-again", created_at=at("09:01"))
    world.now = at("09:01")
    world._change(suspended=False, admitted_at=at("09:01"), pod=again)
    world.rest()
    world.go("09:05:59")
    assert world.deleted == [], "its container may take its time anew"
    assert world.status.current.state is RunState.PENDING
    world._change(pod=replace(again, started_at=at("09:05:59")))
    world.go("09:15:59")
    assert world.deleted == [], "and the program has its whole `timeoutSeconds`"
    assert world.status.current.state is RunState.RUNNING
    world.finish(0, summary())
    assert world.status.history[0].outcome is Outcome.SUCCEEDED


def test_c12_let_in_again_its_container_has_a_deadline_of_its_own() -> None:
    world = World(now=at("04:00"))
    world.rest()
    world.start()
    world.go("04:01")
    pod = world.job().pod
    assert pod is not None
    world._change(suspended=True, admitted_at=None, pod=replace(pod, gone=True))
    world.rest()
    world.go("09:01")
    world._change(suspended=False, admitted_at=at("09:01"))
    world.rest()
    world.go("09:05:59")
    assert world.deleted == []
    world.go("09:06:01")
    assert world.deleted, "no pod came up within `pendingDeadlineSeconds` of being let in"


# -- L3, L6, L12: edits -----------------------------------------------------------------------------------------------------


def test_l3_an_edit_leaves_the_running_launch_alone_and_counts_from_the_next() -> None:
    world = World(now=at("04:00"), spec={"schedule": "* 4 * * *"})
    world.rest()
    world.start()
    world.rest()
    before = world.status.active
    world.edit(window={"days": 3}, timeoutSeconds=1200, retry={"maxAttempts": 1})
    world.go("04:00:30")
    assert world.deleted == []
    assert world.status.active == before
    assert len(world.made) == 1
    assert world.status.observed_generation == 2
    world.finish(1)
    assert world.status.history[0].outcome is Outcome.FAILED, "how often it is tried is asked when it ends"
    world.go("04:01")
    assert [launch.slot for launch in world.made] == [at("04:00"), at("04:01")]
    assert (world.status.history[0].generation, world.status.current.generation) == (1, 2), (
        "what each began with"
    )


def test_l3_a_job_that_is_adopted_says_what_spec_it_began_with() -> None:
    world = World(now=at("04:00"), spec={"schedule": "* 4 * * *"})
    world.rest()
    del world.body["status"]
    world.edit(timeoutSeconds=1200)
    world.rest()
    assert (world.status.observed_generation, world.status.current.generation) == (2, 1)


def test_l6_resumed_within_the_minute_of_a_slot_that_slot_has_passed() -> None:
    world = World(spec={"suspend": True})
    world.rest()
    world.now = at("04:00:10")
    world.edit(suspend=False)
    world.rest()
    world.go("04:00:50")
    assert world.made == []
    assert world.status.next_slot == at("2026-03-11T04:00")


def test_l6_resumed_a_second_before_a_slot_that_slot_runs() -> None:
    world = World(spec={"suspend": True})
    world.rest()
    world.now = at("03:59:59")
    world.edit(suspend=False)
    world.rest()
    world.go("04:00")
    assert [launch.slot for launch in world.made] == [at("04:00")]


def test_l12_fields_of_other_releases_are_ignored_in_spec_and_status() -> None:
    world = World(spec={"ofTomorrow": {"deep": [1]}, "retry": {"maxAttempts": 2, "ofTomorrow": True}})
    world.rest()
    world.body["status"] |= {
        "ofTomorrow": {"a": 1},
        "counters": {**world.body["status"]["counters"], "new": 3},
    }
    world.go("04:00")
    world.finish(0, summary())
    assert world.status.counters.succeeded == 1
    body = {"metadata": {"name": "n", "namespace": "team", "uid": "u", "creationTimestamp": BORN.isoformat()}}
    old = parse_schedule(body | {"spec": SPEC | {"catchUp": None, "history": None, "retry": None}})
    assert old.spec is not None, old.problem


# -- R11: late news --------------------------------------------------------------------------------------------------------


def test_r11_an_older_run_that_is_heard_of_late_does_not_move_the_last_success_back() -> None:
    world = World(now=at("04:00"), spec={"schedule": "* 4 * * *", "concurrencyPolicy": "Allow"})
    world.rest()
    world.go("04:01")
    older, newer = list(world.jobs)
    unseen = world.jobs.pop(older)
    world.jobs = {newer: world.jobs[newer], older: unseen}
    world.now = at("04:02")
    world.end(0, summary())  # the older one ends first, and nobody is told
    ended = world.jobs[older]
    world.jobs = {older: unseen, newer: world.jobs[newer]}
    world.now = at("04:05")
    world.finish(0, summary())
    assert world.status.last_success_at == at("04:05")
    world.jobs[older] = ended
    world.go("04:06")
    assert world.status.last_success_at == at("04:05")
    assert world.status.counters.succeeded == 2
    assert {run.state for run in world.status.runs} <= {RunState.PENDING}
