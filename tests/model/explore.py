"""Explore: breadth first through all states of a story, promises asked at every write, and rest asked at every leaf.

A state is told from another by everything in it; states are *counted* by `shape`, which leaves out the clock, every
time stamp, the counters and texts, and what the operator is in the middle of: what is left is schedule, runs and Jobs.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from controller.act.launcher import Done
from tests.model import asks, promises
from tests.model.book import Essence, essence
from tests.model.changes import change, remove
from tests.model.launches import worst
from tests.model.records import ENDS, Behind, Job, Switch, World, at
from tests.model.steps import Stage, plain, quiet
from tests.model.story import Story
from tests.model.switch import is_neighbour
from tests.model.witness import Broken, counted, hold, told


@dataclass
class Finding:
    """A broken promise, with the way there."""

    promise: str
    detail: str
    way: list[str]

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.promise}: {self.detail}",
                *(f"  {number:2} {step}" for number, step in enumerate(self.way, 1)),
            )
        )


@dataclass
class Report:
    story: str
    shapes: set[int] = field(default_factory=set)
    states: int = 0
    steps: int = 0
    depth: int = 0
    rested: int = 0
    whole: bool = False
    """Every state within the depth was visited."""
    seconds: float = 0
    """Of a processor; what else the machine does does not count."""
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Limits:
    states: int = 1_000_000
    depth: int = 100
    seconds: float = 1e9
    findings: int = 1
    rest_every: int = 1
    """Of the leaves, every n-th is brought to rest."""


def explore(story: Story, limits: Limits) -> Report:
    stage, report, most = Stage(story), Report(story.name), limits.states * story.share
    start, began = stage.opening(), time.process_time()
    came: dict[World, tuple[World | None, str]] = {start: (None, "")}
    best: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    rested: set[World] = set()
    queue = deque([(start, 0)])
    leaves = 0
    report.whole = True
    report.shapes.add(shape(stage, start))
    while queue:
        world, depth = queue.popleft()
        leaf = depth >= limits.depth or len(came) >= most or time.process_time() - began > limits.seconds
        try:
            if leaf:
                report.whole = report.whole and depth >= limits.depth
                leaves += 1
                if leaves % limits.rest_every == 0:
                    report.rested += 1
                    rest(stage, world, rested)
                continue
            report.depth = max(report.depth, depth + 1)
            for label, after in stage.nexts(world):
                report.steps += 1
                if after in came or _worse(stage, best, after):
                    continue
                came[after] = (world, label)
                report.shapes.add(shape(stage, after))
                queue.append((after, depth + 1))
        except Broken as broken:
            report.findings.append(Finding(broken.promise, str(broken), _way(came, world, broken)))
            report.whole = False
            if len(report.findings) >= limits.findings:
                break
    report.states, report.seconds = len(came), time.process_time() - began
    return report


def _worse(stage: Stage, best: dict[tuple[Any, ...], list[tuple[int, int]]], world: World) -> bool:
    """Whether the same state was met before with at least as many faults and edits left."""
    known = best.setdefault(core(stage, world), [])
    left = (world.faults, world.edits)
    if any(faults >= left[0] and edits >= left[1] for faults, edits in known):
        return True
    known.append(left)
    return False


def _way(came: dict[World, tuple[World | None, str]], world: World, broken: Broken) -> list[str]:
    way = []
    at: World | None = world
    while at is not None:
        at, label = came[at]
        if label:
            way.append(label)
    return [*reversed(way), *getattr(broken, "way", ("and then",))]


# -- rest -------------------------------------------------------------------------------------------------------------------

MOST_TURNS, MOST_STEPS = 12, 80
RESTS = "rests"


def rest(stage: Stage, world: World, rested: set[World]) -> None:
    """Once faults stop: everything due gets done, then nothing is written any more."""
    way: list[str] = []
    path: list[World] = []
    try:
        while (world := world._replace(faults=0, edits=0)) not in rested:
            path.append(world)
            hold("comes to rest", len(path) < MOST_STEPS, "there is always something left to do")
            label, world = _towards_rest(stage, world)
            world = plain(world)
            way.append(label)
            if label == RESTS:
                promises.at_rest(stage.book, world)
                break
    except Broken as broken:
        broken.way = ["faults stop", *way]  # type: ignore[attr-defined]
        raise
    rested.update(path)


def _towards_rest(stage: Stage, world: World) -> tuple[str, World]:
    if world.frozen is not None:
        return "the frozen operator goes on", stage.operator.go_on(world).world
    if world.mode != "up" or world.behind != Behind():
        held, jobs = world.behind
        left = stage.operator.resync(
            world.held if held is None else held, world.jobs if jobs is None else jobs, world
        )
        hold("a resync finds everything", left == Behind(), f"{left} was missed")
        return "resync", world._replace(mode="up", behind=left, compared=True, standby=None)
    for _ in range(MOST_TURNS):
        trace = stage.operator.turn(world)
        if quiet(world, trace):
            break
        hold(
            "the operator has no errors of its own", trace.done is not None, "its turn failed without a fault"
        )
        world = plain(trace.world)
    else:
        raise Broken("falls silent", "the operator does not stop writing")
    hold("falls silent", trace.done is Done.QUIET, f"{trace.done}")
    asks.at_silence(stage.book.statuses[world.held.status], world)
    for job in world.jobs:
        if job.ours and job.deleting:
            return f"{job.run}/{job.launch} is gone at last", remove(stage.book, world, job, vanished=False)
        if job.ours and not job.end:
            pods = "+".join(part if part in ENDS else "ok" for part in job.parts)
            end = worst(tuple(pods.split("+")))
            return f"{job.run}/{job.launch} ends: {end}", change(
                world, job, end=end, ended=world.now, pod=pods
            )
    for job in world.jobs:
        if is_neighbour(job):
            return "the neighbour's launch ends", world._replace(
                jobs=tuple(it for it in world.jobs if it != job)
            )
    if world.switch != Switch():
        return "the switch is set back", world._replace(switch=Switch())
    status = stage.book.statuses[world.held.status]
    minute = at(world.now).timestamp() / 60
    ahead = any(job.slot > minute and counted(world, job) and not told(status, job) for job in world.jobs)
    gated = world.held.wish.suspend or promises.elsewhere(stage.book, world)
    if (status.runs and not gated) or status.active or ahead:
        hold("waits for a known time", trace.wake_at is not None, "a run waits for nothing")
        assert trace.wake_at is not None
        return f"the clock ticks by {trace.wake_at - world.now} s", world._replace(
            now=max(trace.wake_at, world.now + 1)
        )
    return RESTS, world


# -- counting -----------------------------------------------------------------------------------------------------------------


def core(stage: Stage, world: World) -> tuple[Any, ...]:
    """All that anything can follow from: states that differ in texts, or in times nobody asks for, are explored once."""
    essence = stage.essence(world.held.status)
    behind, frozen, standby = world.behind, world.frozen, world.standby
    return (
        world.held.wish, world.held.version, essence, _plain_jobs(world.jobs, essence), world.now, world.mode,
        behind.held and (behind.held.wish, behind.held.version, stage.essence(behind.held.status)),
        behind.jobs and _plain_jobs(behind.jobs, essence),
        frozen, world.past, world.switch, world.compared, _plain_owed(stage, world),
        standby and (standby.held and (standby.held, stage.essence(standby.held.status)), standby.jobs),
    )  # fmt: skip


def _plain_owed(stage: Stage, world: World) -> tuple[str, Essence] | None:
    if world.owed is None:
        return None
    work = stage.book.owings[world.owed]
    return work.entry.schedule.resource_version, essence(work.decision.status)


def _plain_jobs(jobs: tuple[Job, ...], essence: Essence) -> tuple[Job, ...]:
    """A Job that was judged is only a name that is taken."""
    return tuple(
        job._replace(created=0, started=-1, ended=0)
        if job.end and not job.deleting and job.name not in essence.active_names
        else job
        for job in jobs
    )


def shape(stage: Stage, world: World) -> int:
    """What makes a state count as another one: the schedule, its runs, its Jobs. No time, no counter, no text."""
    essence = stage.essence(world.held.status)
    wish = world.held.wish
    jobs = tuple(
        sorted(
            (job.run, job.launch, job.ours, job.started >= 0, job.end, job.pod, job.deleting)
            for job in world.jobs
        )
    )
    asked = (wish.token, wish.cancel, wish.retry)
    told = repr((wish.spec, wish.suspend, asked, world.switch, essence.shape, jobs)).encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big")
