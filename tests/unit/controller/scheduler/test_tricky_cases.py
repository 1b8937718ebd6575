"""The tricky cases that need the whole operator around a cluster in memory; names carry the numbers of the catalogue."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from controller.cluster.memory import SCHEDULE, Fault
from controller.cluster.port import Conflict, NotFound, Refused, Throttled, Unavailable
from controller.model.status import ConditionType
from tests.unit.controller.house import CrashError, House

EVERY_FIVE = "*/5 * * * *"
MANY = 300
"""More than are started in a second."""


@pytest.fixture
def house(cluster, clock) -> House:
    return House(cluster, clock)


def slots(house: House, name: str = "marketing") -> list[str]:
    """The slots of all its Jobs, as times of the day."""
    labels = [job["metadata"]["labels"] for job in house.jobs()]
    minutes = [int(it["gscsync.io/slot"]) for it in labels if it["gscsync.io/schedule"] == name]
    return [f"{datetime.fromtimestamp(minute * 60, UTC):%H:%M}" for minute in minutes]


# -- T7, T9 ----------------------------------------------------------------------------------------------------------------


async def test_t7_t9_a_loop_that_sleeps_finds_within_30_seconds_that_the_time_is_another(house) -> None:
    """Its own clock stood still or the wall clock was put forward: no alarm rings, the sleep is short all the same."""
    house.apply(schedule="0 12 * * *")
    await house.settle()
    task = asyncio.create_task(house.scheduler.run())
    await house.clock.advance(1)
    house.clock.step(9 * 3600)
    await house.clock.advance(29.5)
    assert slots(house) == ["12:00"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# -- D6: the status write fails ---------------------------------------------------------------------------------------------

TROUBLES = {
    "D6 conflict": (Conflict("somebody wrote"), False, 1),
    "D6 throttled": (Throttled("slow down", 1), False, 2),
    "D6 server error": (Unavailable("500"), False, 2),
    "D6 no answer, not applied": (Unavailable("time-out"), False, 1),
    "D6 no answer, applied": (Unavailable("time-out"), True, 1),
}


@pytest.mark.parametrize(("error", "applied", "times"), TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("moment", ["launch", "result"])
async def test_a_status_that_cannot_be_written_is_written_later_and_the_job_is_not_made_again(
    house, error, applied, times, moment
) -> None:
    house.apply()
    await house.settle()
    if moment == "result":
        await house.at(4)
        house.finish(house.jobs()[0], 0)
    house.cluster.faults = [Fault("patch_status", error, after=applied, times=times)]
    await house.at(4, 0, 2)
    for _ in range(4):
        await house.wait(2)
    assert len(house.jobs()) == 1
    assert house.cluster.calls.count("create_job") == 1
    if moment == "launch":
        assert house.status().active
        house.finish(house.jobs()[0], 0)
        await house.settle()
    counters = house.status().counters
    assert (counters.launches, counters.runs, counters.succeeded) == (1, 1, 1)


# -- D8: two leaders --------------------------------------------------------------------------------------------------------


async def test_d8_two_operators_that_both_lead_make_one_job_a_slot(house, cluster, clock) -> None:
    other = House(cluster, clock)
    cluster.subscribers[:] = [house._see, other._see]
    house.apply(schedule=EVERY_FIVE)
    for minute in (0, 5, 10):
        moment = datetime(2026, 11, 26, 4, minute, 1, tzinfo=UTC)
        await clock.advance((moment - clock.now()).total_seconds())
        for _ in range(6):
            await asyncio.gather(house.scheduler.turn(), other.scheduler.turn())
            await clock.advance(2)
        house.finish(house.jobs()[-1], 0)
        for _ in range(4):
            await asyncio.gather(house.scheduler.turn(), other.scheduler.turn())
            await clock.advance(2)
    assert slots(house) == ["04:00", "04:05", "04:10"]
    counters = house.status().counters
    assert (counters.launches, counters.runs, counters.succeeded) == (3, 3, 3)


# -- D10, D12, D13: away and back -----------------------------------------------------------------------------------------------


async def test_d10_what_was_made_edited_and_deleted_meanwhile_is_as_it_should_be(house) -> None:
    for name in ("edited", "deleted"):
        house.apply(name)
    await house.settle()
    house.cluster.subscribers.clear()  # nobody is there
    house.apply("made")
    house.apply("edited", schedule="10 4 * * *")
    house.cluster.remove(SCHEDULE, "team", "deleted")
    await house.clock.advance(5 * 60)
    await house.restart()
    await house.settle()
    await house.at(4, 11)
    assert slots(house, "made") == ["04:00"], "it was due since it was made"
    assert slots(house, "edited") == ["04:10"], (
        "what the new schedule names is to come, what the old one named is not"
    )
    assert slots(house, "deleted") == []
    assert len(house.table) == 2
    assert all(not body["metadata"].get("finalizers") for body in house.cluster.all(SCHEDULE))


async def test_d12_a_schedule_made_after_the_start_is_served(house) -> None:
    await house.restart()
    await house.settle()
    house.apply("late")
    await house.at(4)
    assert slots(house, "late") == ["04:00"]


@pytest.mark.parametrize("seed", range(5))
async def test_d13_twenty_restarts_in_five_minutes_double_and_lose_nothing(house, seed) -> None:
    """At each start, or a little later, it dies around some write; in the end all is as if it had lived."""
    chance = Random(seed)
    names = [f"s{number}" for number in range(4)]
    for name in names:
        house.apply(name, schedule="* * * * *")
    await house.settle()
    for _ in range(20):
        await house.clock.advance(chance.uniform(1, 28))
        call = chance.choice(["create_job", "patch_status", "list_jobs"])
        house.cluster.faults = [Fault(call, CrashError(), after=chance.random() < 0.5)]
        try:
            for _ in range(chance.randrange(1, 8)):
                await house.scheduler.turn()
        except CrashError:
            pass
        house.cluster.faults = []
        for job in house.jobs():
            if not job.get("status", {}).get("conditions") and chance.random() < 0.5:
                house.finish(job, 0)
        await house.restart()
    await house.settle()
    for _ in range(3):
        for job in house.jobs():
            if not job.get("status", {}).get("conditions"):
                house.finish(job, 0)
        await house.settle()
    for name in names:
        made = slots(house, name)
        assert made == sorted(set(made)), "each slot once, none out of its order"
        status = house.status(name)
        assert status.counters.launches == len(made) == status.counters.succeeded
        assert status.counters.unknown == status.counters.lost == 0
        first = house.cluster._get(SCHEDULE, "team", name)["metadata"]["creationTimestamp"]
        born = datetime.fromisoformat(first)
        passed = int((status.watermark - born) / timedelta(minutes=1)) + (born.second > 0)
        assert len(made) + status.counters.slots_coalesced == passed, (
            "every slot ran or went with one that did"
        )


# -- C1, C9, C11: what others see and do ----------------------------------------------------------------------------------------


async def test_c1_while_the_watch_does_not_show_our_own_write_nothing_is_decided_from_the_old_state(
    house,
) -> None:
    house.apply(schedule=EVERY_FIVE)
    await house.settle()
    old = house.cluster.all(SCHEDULE)[0]
    house.cluster.subscribers.clear()  # the watch is late
    await house.at(4)
    house._see(SCHEDULE, "MODIFIED", old)  # and then brings what was before our write
    await house.at(4, 1)
    assert slots(house) == ["04:00"]
    assert house.status().counters.launches == 1
    assert house.cluster.calls.count("create_job") == 1


async def test_c9_deleted_and_made_anew_in_the_same_minute_it_is_another_one(house) -> None:
    house.apply()
    await house.at(4)
    (old,) = house.jobs()
    house.cluster.remove(SCHEDULE, "team", "marketing")
    house.apply(schedule="0 4,5 * * *")
    await house.settle()
    assert house.jobs() == [], "the slot of 04:00 was due before it was made"
    assert house.status().counters.launches == 0
    await house.at(5)
    (new,) = house.jobs()
    assert new["metadata"]["name"] != old["metadata"]["name"]
    assert slots(house) == ["05:00"], "its timer is its own"


async def test_c11_of_many_due_at_once_half_are_refused_and_the_others_do_not_feel_it(house) -> None:
    names = [f"s{number:03}" for number in range(MANY)]
    for name in names:
        house.apply(name)
    await house.settle()
    house.cluster.faults = [Fault("create_job", Refused("denied by a webhook"), times=MANY // 2)]
    await house.clock.advance(30)
    await settle_meanwhile(house, 5)  # so many starts a second, no more
    assert len(house.jobs()) == MANY // 2
    runs = [house.status(name).current for name in names]
    refused = [run for run in runs if run is not None and run.refusals]
    assert len(refused) == MANY // 2
    assert house.cluster.calls.count("create_job") == MANY, "each was asked for once"
    await settle_meanwhile(house, 4)
    assert house.cluster.calls.count("create_job") == MANY, "the refused wait, each for itself"
    await settle_meanwhile(house, 10)
    await settle_meanwhile(house, 5)
    made = house.jobs()
    assert len(made) == len({job["metadata"]["labels"]["gscsync.io/schedule"] for job in made}) == MANY
    assert all(house.status(name).condition(ConditionType.READY).status == "True" for name in names)


async def settle_meanwhile(house: House, seconds: float) -> None:
    task = asyncio.create_task(house.settle())
    await house.clock.advance(seconds)
    await task


# -- L5, L9: edits and ends --------------------------------------------------------------------------------------------------


async def test_l5_edited_three_times_within_a_second_the_last_one_counts(house) -> None:
    house.apply()
    await house.settle()
    for schedule, zone in (
        ("1 4 * * *", "Etc/UTC"),
        ("3 5 * * *", "Europe/Berlin"),
        ("2 6 * * *", "Africa/Cairo"),
    ):
        house.apply(schedule=schedule, timeZone=zone)
        await house.wait(0.3)
    for minute in range(6):
        await house.at(4, minute)
    assert slots(house) == ["04:02"], "06:02 in Cairo; neither 04:00, 04:01 nor 04:03"


async def test_l9_in_a_namespace_that_ends_it_asks_ever_more_seldom_and_says_so_once(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", NotFound("namespace team is being terminated"), times=10_000)]
    await house.at(4)
    for _ in range(60):
        await house.wait(60)
    assert house.cluster.calls.count("create_job") < 20, "in an hour"
    assert house.reasons().count("LaunchFailed") <= 1
    house.cluster.remove(SCHEDULE, "team", "marketing")
    await house.settle()
    asked = house.cluster.calls.count("create_job")
    await house.wait(3600)
    assert house.cluster.calls.count("create_job") == asked


async def test_l12_a_definition_without_a_status_subresource_is_named_and_once_mended_all_goes_on(
    house, caplog
) -> None:
    """The API server then answers as if the schedule were gone: it must not be forgotten for that."""
    house.cluster.faults = [Fault("patch_status", NotFound("the resource was not found"), times=4)]
    house.apply()
    await house.wait(4)
    reasons = {getattr(record, "why", "") for record in caplog.records}
    assert any("no status subresource; apply the definition of this release" in why for why in reasons)
    assert house.jobs() == [], "nothing starts whose status cannot be written"
    house.cluster.faults.clear()
    await house.wait(300)
    await house.at(4)
    assert slots(house) == ["04:00"]


async def test_r7_failures_in_a_row_are_told_by_condition_event_and_metric_until_a_success(house) -> None:
    house.apply(schedule="0 * * * *", retry={"maxAttempts": 1})

    def told() -> tuple[str, str, float | None, int]:
        degraded = house.status().condition(ConditionType.DEGRADED)
        row = house.metric("schedule_consecutive_failures", namespace="team", schedule="marketing")
        return degraded.status, degraded.message[:24], row, house.reasons().count("SyncFailed")

    for number, many in (
        (1, "1 run in a row has not s"),
        (2, "2 runs in a row have not"),
        (3, "3 runs in a row have not"),
    ):
        await house.at(3 + number)
        house.finish(house.jobs()[-1], 1, message="database down")
        await house.settle()
        assert told() == ("True", many, number, number)
    await house.at(7)
    assert len(house.jobs()) == 4, "it goes on: nobody has to resume it when the cause is mended"
    house.finish(house.jobs()[-1], 0)
    await house.settle()
    assert told() == ("False", "", 0, 3)
