"""A launch of several pods, judged as one: it has ended when every shard has, and came out as its worst shard did."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract import State
from contract.run_summary import FailureClass
from controller.decide.verdict import lacks_facts, overdue, verdict
from controller.model.job import Disruption, JobRecord, JobState, PodFacts, Trouble
from controller.model.shards import merged
from controller.model.status import ActiveLaunch, Outcome
from tests.unit.controller.decide.world import UID, World, at, summary

CREATED, STARTED, ENDED, NOW = at("04:00"), at("04:00:10"), at("04:05"), at("04:06")
ACTIVE = ActiveLaunch("29551920", 1, 1, "job", "job-1", CREATED, started_at=STARTED)
OK = summary(rows_written=10, properties=1, total_workspaces=1, succeeded_workspaces=1)
LATER = summary(State.SNOOZED, snooze_seconds=900, error_class=FailureClass.LOAD_QUOTA)
MORE = summary(State.CONTINUES)
DOWN = summary(
    State.FAILED, error_class=FailureClass.DATABASE_UNAVAILABLE, message="no route", rows_written=0
)
PARTIAL = summary(State.PARTIALLY_SUCCEEDED, total_workspaces=1, failed_workspaces=1)


def pod(shard: int, code: int | None = 0, message: str = "", **values: Any) -> PodFacts:
    known = {"finished_at": ENDED if code is not None else None, "exit_code": code}
    return PodFacts(
        f"pod-{shard}", CREATED, STARTED, termination_message=message, shard=shard, **(known | values)
    )


def judged(pods: list[PodFacts], shards: int, state: JobState, failure: str = "FailedIndexes") -> Any:
    finished = ENDED if state is not JobState.ACTIVE else None
    reason = failure if state is JobState.FAILED else ""
    job = JobRecord(
        "team", "job", "job-1", "1", UID, "29551920", 29551920, 1, 1, "Cron", CREATED, state, reason, finished,
        shards=shards, pod=merged(pods, shards),
    )  # fmt: skip
    return verdict(job, ACTIVE, NOW)


STORIES = {
    "all succeed": ([pod(0, 0, OK), pod(1, 0, OK)], Outcome.SUCCEEDED, "Succeeded"),
    "one is partial": ([pod(0, 0, OK), pod(1, 0, PARTIAL)], Outcome.PARTIALLY_SUCCEEDED, "PartiallySucceeded"),
    "one fails": ([pod(0, 0, OK), pod(1, 1, DOWN)], Outcome.FAILED, "DatabaseUnavailable"),
    "one fails without a word": ([pod(0, 0, OK), pod(1, 3, "core dumped")], Outcome.FAILED, "ExitCode3"),
    "one is out of memory": ([pod(0, 0, OK), pod(1, 137, "", termination_reason="OOMKilled")], Outcome.FAILED, "OOMKilled"),
    "one is put off": ([pod(0, 75, LATER), pod(1, 0, OK)], Outcome.SNOOZED, "LoadQuota"),
    "one is put off, one goes on": ([pod(0, 75, MORE), pod(1, 75, LATER)], Outcome.SNOOZED, "LoadQuota"),
    "one goes on": ([pod(0, 75, MORE), pod(1, 0, OK)], Outcome.CONTINUES, "Continues"),
    "one fails, one is put off": ([pod(0, 75, LATER), pod(1, 1, DOWN)], Outcome.FAILED, "DatabaseUnavailable"),
    "one is evicted": ([pod(0, 0, OK), pod(1, 143, "", disruption=Disruption.EVICTED)], Outcome.LOST, "Evicted"),
    "one fails, one is evicted": (
        [pod(0, 143, "", disruption=Disruption.EVICTED), pod(1, 1, DOWN)], Outcome.FAILED, "DatabaseUnavailable"),
    "one is misconfigured": ([pod(0, 78), pod(1, 1, DOWN)], Outcome.CANCELLED, "Cancelled"),
    "one was never seen": ([pod(0, 0, OK)], Outcome.RESULT_UNKNOWN, "ResultNotSeen"),
}  # fmt: skip


@pytest.mark.parametrize(("pods", "outcome", "reason"), STORIES.values(), ids=STORIES.keys())
def test_a_divided_launch_comes_out_as_its_worst_shard(
    pods: list[PodFacts], outcome: Outcome, reason: str
) -> None:
    state = (
        JobState.COMPLETE if all(each.exit_code == 0 for each in pods) and len(pods) == 2 else JobState.FAILED
    )
    for order in itertools.permutations(pods):
        found = judged(list(order), 2, state)
        assert (found.outcome, found.reason) == (outcome, reason)


def test_the_summary_counts_every_shard() -> None:
    found = judged([pod(shard, 0, OK) for shard in range(4)], 4, JobState.COMPLETE)
    assert found.summary is not None
    assert (found.summary.rows_written, found.summary.properties) == (40, 4)


def test_the_failing_shard_is_named() -> None:
    found = judged([pod(0, 0, OK), pod(1, 1, DOWN), pod(2, 0, OK)], 3, JobState.FAILED)
    assert "shard 1 of 3: no route" in found.message
    assert found.summary is not None
    assert found.summary.rows_written == 20, "what the others did is counted"


def test_it_is_not_judged_before_every_shard_has_told() -> None:
    pods = [pod(0, 0, OK), pod(1, None)]
    job = JobRecord(
        "team", "job", "job-1", "1", UID, "29551920", 29551920, 1, 1, "Cron", CREATED, JobState.FAILED, "FailedIndexes",
        ENDED, shards=2, pod=merged(pods, 2),
    )  # fmt: skip
    assert lacks_facts(job, ACTIVE)
    assert verdict(job, ACTIVE, ENDED + timedelta(seconds=1)) is None
    assert judged(pods, 2, JobState.ACTIVE) is None


def test_the_node_that_is_told_is_that_of_a_pod_that_is_still_there() -> None:
    whole = merged([pod(0, node="n1", gone=True), pod(1, node="n2")], 2)
    assert whole is not None
    assert whole.node == "n2"


def test_one_that_waits_for_a_node_is_bounded_by_the_jobs_deadline_alone() -> None:
    waiting = PodFacts("pod-1", CREATED, trouble=Trouble.UNSCHEDULABLE, trouble_message="0/3 nodes", shard=1)
    both = merged([pod(0, None), waiting], 2)
    assert both is not None
    assert both.started_at == STARTED
    assert both.trouble is Trouble.NONE
    alone = merged([replace(waiting, shard=0, uid="pod-0"), waiting], 2)
    assert alone is not None
    assert (alone.started_at, alone.trouble) == (None, Trouble.UNSCHEDULABLE)
    spec = World(spec={"pendingDeadlineSeconds": 60}).schedule().spec
    assert spec is not None
    job = JobRecord(
        "team", "job", "job-1", "1", UID, "29551920", 29551920, 1, 1, "Cron", CREATED, JobState.ACTIVE, shards=2, pod=alone
    )  # fmt: skip
    doom = overdue(job, replace(ACTIVE, started_at=None), spec, at("04:01:01"))
    assert doom is not None
    assert doom.reason == "Unschedulable"


def test_a_pod_of_a_shard_that_there_is_not_is_left_out() -> None:
    assert merged([pod(7)], 2) is None
    assert merged([pod(0, 0, OK), pod(7, 1, DOWN)], 1) == pod(0, 0, OK)
