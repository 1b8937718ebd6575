"""The controller's stories: from a due slot to a status, through every place where it can die or be told a lie."""

import asyncio

import pytest
from prometheus_client import generate_latest

from controller.cluster.memory import JOB, SCHEDULE, Fault
from controller.cluster.port import (
    Conflict,
    NotFound,
    NotLeader,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from controller.model.names import job_name
from controller.model.status import ConditionType, Outcome, RunState
from tests.unit.controller.house import House


@pytest.fixture
def house(cluster, clock) -> House:
    return House(cluster, clock)


async def test_a_due_slot_becomes_a_job_then_a_status_then_a_result(house) -> None:
    house.apply()
    await house.settle()
    assert house.jobs() == []
    assert house.status().next_slot.hour == 4
    await house.at(4)
    (job,) = house.jobs()
    assert job["metadata"]["labels"]["gscsync.io/trigger"] == "Cron"
    assert house.status().current.state is RunState.PENDING
    house.finish(job, 0)
    await house.settle()
    status = house.status()
    assert status.current is None
    assert status.history[0].outcome is Outcome.SUCCEEDED
    assert status.counters.runs == status.counters.succeeded == status.counters.launches == 1
    assert (
        house.metric(
            "runs_total", namespace="team", schedule="marketing", trigger="Cron", outcome="Succeeded"
        )
        == 1
    )
    assert house.metric("launches_total", result="Created") == 1


async def test_nothing_is_due_and_nothing_is_written(house) -> None:
    house.apply()
    await house.settle()
    writes = house.cluster.calls.count("patch_status")
    for _ in range(10):
        await house.wait(2)
        house.scheduler.look_at_everything()
        await house.settle()
    assert house.cluster.calls.count("patch_status") == writes


async def test_r4_a_failure_is_retried_after_its_delay(house) -> None:
    house.apply()
    await house.at(4)
    house.finish(house.jobs()[0], 1, message="database down")
    await house.settle()
    assert house.status().current.state is RunState.RETRYING
    assert len(house.jobs()) == 1
    await house.wait(25)
    assert len(house.jobs()) == 2
    house.finish(house.jobs()[1], 0)
    await house.settle()
    status = house.status()
    assert status.history[0].outcome is Outcome.SUCCEEDED
    assert (status.history[0].attempts, status.counters.retries) == (2, 1)
    assert house.metric("run_attempts_sum", outcome="Succeeded") == 2


@pytest.mark.parametrize("call", ["create_job", "patch_status"])
@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
async def test_dying_around_any_write_of_a_launch_leaves_one_job_and_a_right_status(
    house, call, after
) -> None:
    house.apply()
    await house.settle()
    await house.clock.advance(31)
    await house.crash(call, after=after)
    await house.settle()
    (job,) = house.jobs()
    status = house.status()
    assert status.counters.launches == 1
    assert status.current.launch == 1
    assert [launch.job_uid for launch in status.active] == [job["metadata"]["uid"]]
    house.finish(job, 0)
    await house.settle()
    assert house.status().counters.succeeded == 1


@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
async def test_dying_while_a_result_is_recorded_counts_it_once(house, after) -> None:
    house.apply()
    await house.at(4)
    house.finish(house.jobs()[0], 0)
    await house.crash("patch_status", after=after)
    await house.settle()
    counters = house.status().counters
    assert (counters.runs, counters.succeeded, counters.launches) == (1, 1, 1)
    assert len(house.jobs()) == 1


async def test_d7_a_lost_answer_to_a_create_makes_no_second_job(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", Unavailable("connection lost"), after=True)]
    await house.at(4)
    assert len(house.jobs()) == 1
    assert house.status().counters.launches == 1
    assert house.cluster.calls.count("create_job") == 1


async def test_a_create_that_never_arrived_is_made_later(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", Unavailable("connection refused"))]
    await house.clock.advance(31)
    await house.scheduler.turn()
    assert house.jobs() == []
    await house.wait(2)
    assert len(house.jobs()) == 1
    assert house.status().counters.launches == 1


async def test_a_create_whose_fate_cannot_be_learnt_is_decided_again(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [
        Fault("create_job", Unavailable("lost"), after=True),
        Fault("get_job", Unavailable("down")),
    ]
    await house.at(4)
    assert house.metric("operator_errors_total", where="create") == 1
    await house.wait(2)
    assert len(house.jobs()) == 1
    assert house.cluster.calls.count("create_job") == 1
    assert house.status().counters.launches == 1


async def test_a_lost_answer_to_a_status_write_counts_once(house) -> None:
    house.apply()
    await house.at(4)
    house.finish(house.jobs()[0], 0)
    house.cluster.faults = [Fault("patch_status", Unavailable("lost"), after=True)]
    await house.settle()
    counters = house.status().counters
    assert (counters.runs, counters.succeeded) == (1, 1)


async def test_somebody_writing_in_between_is_read_and_decided_again(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.subscribers.clear()  # the watch is late
    house.cluster.change(SCHEDULE, "team", "marketing", {"metadata": {"labels": {"team": "x"}}})
    await house.at(4)
    assert len(house.jobs()) == 1
    assert house.status().counters.launches == 1
    assert house.status().active


async def test_repeated_conflicts_do_not_spin(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("patch_status", Conflict("again"), times=1000)]
    await house.clock.advance(31)
    for _ in range(30):
        await house.scheduler.turn()
    assert house.cluster.calls.count("patch_status") < 15
    assert len(house.jobs()) == 1
    house.cluster.faults = []
    await house.wait(10)
    assert house.status().active


async def test_twenty_conflicts_in_a_row_cost_half_a_minute_at_most(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("patch_status", Conflict("again"), times=20)]
    await house.clock.advance(31)
    for _ in range(15):
        await house.wait(2)
    assert house.status().active
    house.finish(house.jobs()[0], 1)
    await house.settle()
    assert house.status().current.state is RunState.RETRYING
    await house.wait(20)
    assert len(house.jobs()) == 2, "and nothing of it lasts"


async def test_after_a_long_outage_it_goes_on_within_half_a_minute(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [
        Fault("create_job", Unavailable("connection refused"), times=10_000),
        Fault("get_job", Unavailable("connection refused"), times=10_000),
    ]
    await house.clock.advance(31)
    for _ in range(120):
        await house.wait(10)
    assert house.jobs() == []
    house.cluster.faults = []
    await house.wait(31)
    assert len(house.jobs()) == 1


async def test_a_foreign_job_with_our_name_is_left_alone_and_told_about(house) -> None:
    house.apply()
    await house.settle()
    uid = house.cluster.all(SCHEDULE)[0]["metadata"]["uid"]
    slot = house.status().next_slot
    run = str(int(slot.timestamp()) // 60)
    name = job_name("marketing", uid, run, 1)
    house.cluster.apply(JOB, {"metadata": {"name": name, "namespace": "team", "labels": {"whose": "theirs"}}})
    house.apply("other")
    await house.at(4)
    foreign = next(job for job in house.jobs() if job["metadata"]["name"] == name)
    assert foreign["metadata"]["labels"] == {"whose": "theirs"}
    assert house.status().history[0].reason == "NameConflict"
    assert house.metric("launches_total", result="NameConflict") == 1
    assert house.status("other").counters.launches == 1, "others are served"


async def test_a_refused_create_is_shown_and_tried_again_without_using_an_attempt(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", Refused("exceeded quota: jobs"))]
    await house.at(4)
    status = house.status()
    assert house.jobs() == []
    assert status.current.refusals == 1
    assert "exceeded quota: jobs" in status.current.refusal
    await house.wait(15)
    assert len(house.jobs()) == 1
    assert (house.status().current.attempt, house.status().counters.launches) == (1, 1)


async def test_a_create_that_a_busy_api_server_puts_off_is_tried_again_and_costs_no_write(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", Throttled("slow down", 5))]
    house.cluster.calls.clear()
    await house.at(4)
    assert (house.jobs(), house.status().current) == ([], None)
    assert {"patch_status", "create_event"} & set(house.cluster.calls) == set()
    await house.wait(15)
    assert len(house.jobs()) == 1
    assert house.status().current.refusals == 0


async def test_a_deleted_namespace_is_a_refusal_too(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", NotFound("namespace team not found"))]
    await house.at(4)
    assert house.status().current.refusals == 1


async def test_an_expired_token_delays_and_loses_nothing(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [
        Fault("list_jobs", Unauthorized("expired")),
        Fault("create_job", Unauthorized("expired")),
    ]
    await house.at(4)
    assert house.jobs() == []
    assert house.metric("operator_errors_total", where="list") == 1
    for _ in range(2):  # set back once for each refusal
        await house.wait(5)
    assert len(house.jobs()) == 1


async def test_one_odd_schedule_does_not_stop_the_others(house) -> None:
    house.apply("odd", timeZone="Mars/Olympus")
    house.apply("fine")
    await house.at(4)
    (job,) = house.jobs()
    assert job["metadata"]["labels"]["gscsync.io/schedule"] == "fine"
    assert house.status("odd").condition(ConditionType.READY).status == "False"
    assert house.metric("schedules", phase="Stalled") == 1


async def test_a_bug_that_only_one_schedule_meets_is_its_own(house) -> None:
    sound = house.scheduler._decide

    def buggy(schedule, *arguments, **options):
        if schedule.name == "odd":
            raise ZeroDivisionError
        return sound(schedule, *arguments, **options)

    house.scheduler._decide = buggy
    house.apply("odd")
    house.apply("fine")
    await house.at(4)
    assert len(house.jobs()) == 1
    errors = house.metric("operator_errors_total", where="decide")
    assert 1 <= errors <= 8, "set back further each time"
    house.scheduler._decide = sound
    await house.wait(300)
    assert house.status("odd").counters.launches == 1


async def test_a_failure_of_one_is_its_own(house) -> None:
    for name in ("a", "b", "c"):
        house.apply(name)
    await house.settle()
    house.cluster.faults = [Fault("create_job", Unavailable("lost")), Fault("get_job", Unavailable("down"))]
    await house.at(4)
    assert len(house.jobs()) == 2
    await house.wait(2)
    assert len(house.jobs()) == 3


async def test_many_that_are_due_share_one_list_and_get_their_jobs_before_their_statuses(house) -> None:
    for number in range(20):
        house.apply(f"s{number}")
    await house.settle()
    house.cluster.calls.clear()
    await house.clock.advance(31)
    await house.scheduler.turn()
    calls = house.cluster.calls
    assert len(house.jobs()) == 20
    assert calls.count("list_jobs") == 1
    assert calls.count("create_job") == calls.count("patch_status") == 20
    assert calls.index("patch_status") > max(
        index for index, call in enumerate(calls) if call == "create_job"
    )


async def test_a_held_operator_launches_nothing_and_says_why(house) -> None:
    house.apply()
    await house.settle()
    house.held = "the operator's clock is wrong"
    await house.at(4)
    assert house.jobs() == []
    assert any("clock is wrong" in condition.message for condition in house.status().conditions)
    house.held = ""
    await house.wait(30)
    assert len(house.jobs()) == 1


async def test_a_job_that_vanished_unseen_is_asked_for_once_more(house) -> None:
    house.apply()
    await house.at(4)
    house.cluster.subscribers.clear()
    house.cluster.remove(JOB, "team", house.jobs()[0]["metadata"]["name"])
    await house.restart()
    await house.settle()
    assert house.status().counters.unknown == 1
    assert [job["metadata"]["labels"]["gscsync.io/launch"] for job in house.jobs()] == ["2"]
    assert house.metric("rescues_total", namespace="team", schedule="marketing", reason="ResultUnknown") == 1


async def test_an_overdue_job_is_deleted_after_its_intent_is_written(house) -> None:
    house.apply()
    await house.at(4)
    (job,) = house.jobs()
    house.cluster.calls.clear()
    await house.wait(301)
    assert house.cluster.calls.index("patch_status") < house.cluster.calls.index("delete_job")
    assert house.jobs()[0]["metadata"]["deletionTimestamp"]
    house.cluster.sweep()
    await house.settle()
    assert house.status().active == ()
    assert house.status().counters.timeouts + len(house.status().current.errors) >= 1
    assert job["metadata"]["uid"]


@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
async def test_dying_around_a_delete_deletes_in_the_end(house, after) -> None:
    house.apply()
    await house.at(4)
    await house.clock.advance(301)
    await house.crash("delete_job", after=after)
    await house.settle()
    assert house.jobs()[0]["metadata"]["deletionTimestamp"]


@pytest.mark.parametrize("error", [NotFound("gone"), Conflict("another")], ids=["not found", "conflict"])
async def test_a_job_that_is_only_said_to_be_gone_is_deleted_all_the_same(house, error) -> None:
    house.apply()
    await house.at(4)
    house.cluster.faults.append(Fault("delete_job", error))
    await house.wait(301)
    await house.wait(5)
    assert house.jobs()[0]["metadata"]["deletionTimestamp"]


async def test_a_deleted_schedule_is_forgotten_with_its_series(house) -> None:
    house.apply()
    await house.at(4)
    assert house.metric(
        "schedule_info",
        namespace="team",
        schedule="marketing",
        queue="gsc-sync",
        cron="0 4 * * *",
        time_zone="Etc/UTC",
    )
    house.cluster.remove(SCHEDULE, "team", "marketing")
    await house.settle()
    assert 'schedule="marketing"' not in _exposition(house)
    assert house.jobs() == []


async def test_a_schedule_deleted_while_its_status_is_written_is_forgotten(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.subscribers.clear()
    house.cluster.remove(SCHEDULE, "team", "marketing")
    await house.at(4)
    assert len(house.table) == 0


async def test_without_the_lease_nothing_is_written(house) -> None:
    house.apply()
    await house.settle()
    house.cluster.faults = [Fault("create_job", NotLeader("lost it"))]
    await house.at(4)
    assert house.jobs() == []
    assert house.metric("operator_errors_total", where="create") is None


async def test_the_loop_wakes_for_the_slot_by_itself(house) -> None:
    house.apply()
    await house.settle()
    task = asyncio.create_task(house.scheduler.run())
    await house.clock.advance(29.5)
    assert house.jobs() == []
    await house.clock.advance(1)
    assert len(house.jobs()) == 1
    house.apply("new", runOnCreate=True)
    await house.clock.advance(0.1)
    assert len(house.jobs()) == 2, "a change wakes it"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stepped_wall_clock_is_checked_before_anything_is_decided(house) -> None:
    checked = []

    async def check() -> None:
        checked.append(house.clock.now())
        house.held = "the clock is wrong"

    house.scheduler._clock_stepped = check
    house.apply()
    await house.settle()
    assert checked == []
    house.clock.step(3600)
    await house.settle()
    assert len(checked) == 1
    assert house.jobs() == []


async def test_a_replica_that_may_not_run_idles_without_spinning(house) -> None:
    house.scheduler._may_run = lambda: False
    house.apply(runOnCreate=True)
    task = asyncio.create_task(house.scheduler.run())
    await house.clock.advance(60)
    assert house.scheduler.turns == 0
    assert house.jobs() == []
    assert house.clock.monotonic() - house.scheduler.last_turn <= 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _exposition(house: House) -> str:
    return generate_latest(house.registry).decode()
