"""When many start at once, their Jobs come first and their statuses a little later; nothing else changes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from controller.act.progress import CROWD, LONGEST_SECONDS
from controller.cluster.memory import JOB, SCHEDULE, Fault
from controller.cluster.port import Unavailable
from controller.model.decision import EventReason
from controller.model.status import Outcome, RunState
from tests.unit.controller.house import House

CROWDED = CROWD + 10
ONE = "s07"
SPEC: dict[str, Any] = {"schedule": "*/5 * * * *", "concurrencyPolicy": "Allow"}


@pytest.fixture
async def house(cluster, clock) -> House:
    """A crowd whose slot has just come: the Jobs exist."""
    made = House(cluster, clock)
    for number in range(CROWDED):
        made.apply(f"s{number:02}", **SPEC)
    await made.settle()
    await made.clock.advance(30.5)
    made.cluster.calls.clear()
    await made.settle()
    return made


def patches(house: House) -> int:
    return house.cluster.calls.count("patch_status")


def job_of(house: House, name: str) -> dict[str, Any]:
    jobs = [job for job in house.jobs() if job["metadata"]["labels"]["gscsync.io/schedule"] == name]
    return jobs[-1]


async def test_the_jobs_are_made_and_no_status_is_in_their_way(house) -> None:
    assert len(house.jobs()) == CROWDED
    assert patches(house) == 0
    assert len(house.scheduler._carrier.owed) == CROWDED


async def test_who_is_over_by_then_is_told_by_one_write(house) -> None:
    for job in house.jobs():
        house.finish(job, 0)
    await house.settle()
    assert patches(house) == CROWDED
    status = house.status(ONE)
    assert (status.counters.launches, status.counters.runs, status.counters.succeeded) == (1, 1, 1)
    assert [note.what for note in status.decisions] == ["Finished", "Launched"]
    assert status.history[0].outcome is Outcome.SUCCEEDED
    assert Counter(house.reasons()) == {EventReason.LAUNCHED: CROWDED, EventReason.SUCCEEDED: CROWDED}


async def test_who_is_not_over_is_written_when_its_time_has_come(house) -> None:
    await house.wait(LONGEST_SECONDS)
    assert patches(house) == CROWDED
    assert all(house.status(f"s{number:02}").current.state is RunState.PENDING for number in range(CROWDED))
    assert Counter(house.reasons()) == {EventReason.LAUNCHED: CROWDED}


async def test_written_late_it_says_what_it_had_said_at_once(house) -> None:
    await house.wait(LONGEST_SECONDS)
    late = house.status(ONE)
    house.apply("alone", **SPEC | {"schedule": "3-59/5 * * * *"})
    await house.settle()
    await house.wait(181 - LONGEST_SECONDS)
    soon = house.status("alone")
    assert soon.active[0].launch == late.active[0].launch == 1
    assert soon.counters == late.counters
    assert late.current.started_at - late.current.slot < timedelta(seconds=1)
    assert soon.watermark - late.watermark == timedelta(minutes=3)
    assert [(note.what, note.why[:4]) for note in soon.decisions] == [
        (note.what, note.why[:4]) for note in late.decisions
    ]


async def test_who_dies_meanwhile_finds_the_jobs_and_counts_them_once(house) -> None:
    house.finish(job_of(house, ONE), 0)
    await house.restart()
    await house.settle()
    await house.wait(LONGEST_SECONDS)
    assert len(house.jobs()) == CROWDED
    assert {house.status(f"s{number:02}").counters.launches for number in range(CROWDED)} == {1}
    assert house.status(ONE).counters.succeeded == 1


async def test_an_edit_meanwhile_is_seen_at_once_and_the_launch_is_not_forgotten(house) -> None:
    house.apply(ONE, **SPEC, suspend=True)
    await house.settle()
    status = house.status(ONE)
    assert (status.counters.launches, status.active[0].launch) == (1, 1)
    assert status.conditions[1].status == "True"
    assert len([job for job in house.jobs() if job["metadata"]["labels"]["gscsync.io/schedule"] == ONE]) == 1


async def test_a_job_that_somebody_deletes_meanwhile_is_lost_and_never_made_twice(house) -> None:
    job = job_of(house, ONE)
    house.cluster.remove(JOB, "team", job["metadata"]["name"])
    await house.settle()
    await house.wait(LONGEST_SECONDS)
    status = house.status(ONE)
    assert (status.counters.launches, status.counters.unknown) == (2, 1)
    assert job_of(house, ONE)["metadata"]["name"] != job["metadata"]["name"]
    assert status.active[0].launch == 2


async def test_the_next_slots_wait_until_the_first_is_written(cluster, clock) -> None:
    """`All` launches one slot after the other, with `Allow` while the first still runs."""
    house = House(cluster, clock)
    for number in range(CROWDED):
        house.apply(f"s{number:02}", **SPEC, catchUp={"policy": "All", "maxRuns": 3})
    await house.settle()
    await clock.advance(11 * 60)
    cluster.calls.clear()
    await house.settle()
    await house.wait(LONGEST_SECONDS)
    writes = [call for call in cluster.calls if call in ("create_job", "patch_status")]
    assert writes[: 2 * CROWDED] == ["create_job"] * CROWDED + ["patch_status"] * CROWDED
    mine = [job for job in house.jobs() if job["metadata"]["labels"]["gscsync.io/schedule"] == ONE]
    assert len(mine) == 3
    assert house.status(ONE).counters.launches == 3
    assert [note.what for note in house.status(ONE).decisions].count("Launched") == 3


async def test_a_write_whose_answer_is_lost_is_settled_by_what_stands_there(house) -> None:
    house.cluster.faults = [Fault("patch_status", Unavailable("connection lost"), times=CROWDED, after=True)]
    await house.wait(LONGEST_SECONDS)
    await house.wait(60)
    assert {house.status(f"s{number:02}").counters.launches for number in range(CROWDED)} == {1}
    assert len(house.jobs()) == CROWDED


async def test_who_is_deleted_meanwhile_owes_nothing(house) -> None:
    house.cluster.remove(SCHEDULE, "team", ONE)
    await house.settle()
    assert len(house.scheduler._carrier.owed) == CROWDED - 1
