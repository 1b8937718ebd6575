"""The turn of the model is the turn of the real Scheduler: same writes, same Jobs, same status, from the same state.

Except that the Scheduler is patient with news that a launch has started, and writes them later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.clock import ManualClock
from controller.cluster.memory import JOB, POD, SCHEDULE, MemoryCluster
from controller.model.status import Status
from controller.model.status_io import read_status
from controller.settings import Settings
from controller.testkit import Kit
from tests.model import server
from tests.model.bodies import job_body, pod_bodies
from tests.model.records import NAME, NAMESPACE, Behind, World, at
from tests.model.steps import Stage, plain
from tests.model.stories import STORIES
from tests.model.switch import HERE, is_neighbour, policy

EVERY = 23
STATES = 1_500


def some(stage: Stage) -> Iterator[World]:
    """States in which an operator with a full view would write something, from all over the story."""
    queue, seen = deque([stage.opening()]), {stage.opening()}
    while queue and len(seen) < STATES:
        for _, after in stage.nexts(queue.popleft()):
            if after not in seen:
                seen.add(after)
                queue.append(after)
                if len(seen) % EVERY == 0 and not any(map(is_neighbour, after.jobs)):
                    yield after._replace(mode="up", behind=Behind(), frozen=None)


def as_modelled(status: Status) -> Status:
    """Each cluster gives UIDs of its own, and the model's Jobs do not say which spec they began with."""
    return replace(
        status,
        active=tuple(replace(launch, job_uid="") for launch in status.active),
        current=status.current and replace(status.current, generation=0),
        beside=tuple(replace(run, generation=0) for run in status.beside),
        last_run=status.last_run and replace(status.last_run, generation=0),
        history=tuple(replace(record, generation=0) for record in status.history),
    )


@pytest.mark.parametrize(
    "name",
    [
        "outcomes, broken",
        "crashes",
        "users",
        "allow",
        "replace",
        "catch up on all",
        "cancelled",
        "queued",
        "switched",
        "elsewhere",
    ],
)
async def test_it_is_the_schedulers(name: str) -> None:
    stage = Stage(next(story for story in STORIES if story.name == name))
    compared = 0
    for world in map(plain, some(stage)):
        trace = stage.operator.turn(world)
        clock = ManualClock(at(world.now))
        cluster = MemoryCluster(clock)
        kit = Kit(clock=clock, cluster=cluster, settings=Settings(environment=HERE))
        kit.policy = policy(world.switch)
        cluster.apply(SCHEDULE, stage.book.body(world.held))
        for job in world.jobs:
            cluster.apply(JOB, job_body(job))
            for pod in pod_bodies(job):
                cluster.apply(POD, pod)
        cluster.calls.clear()
        await kit.run_once()

        assert [call for call in cluster.calls if call in server.WRITES] == [
            step.request.call for step in trace.steps
        ]
        status = read_status(cluster._get(SCHEDULE, NAMESPACE, NAME))
        assert as_modelled(status) == as_modelled(stage.book.statuses[trace.world.held.status])
        assert {body["metadata"]["name"] for body in cluster.all(JOB)} == {
            job.name for job in trace.world.jobs
        }
        compared += bool(trace.steps)
    assert compared > 10
