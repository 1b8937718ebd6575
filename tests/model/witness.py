"""Witness: counts Jobs by looking at them, and compares with what the status says.

The witness sees the API server alone and never asks the code under test how it counts.
"""

from __future__ import annotations

from collections import Counter

from controller.model.status import Counters, Status
from tests.model.records import Gone, Job, Past, World


class Broken(AssertionError):  # noqa: N818 - a finding
    """A promise was broken; `promise` is its name."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


def hold(promise: str, truth: object, detail: str) -> None:
    if not truth:
        raise Broken(promise, detail)


def meant_to_go(world: World, job: Job | Gone) -> bool:
    """Whether the operator meant to delete it: then it counts by that reason, unless the program did its work."""
    return job.uid in world.past.doomed


def counted(world: World, job: Job) -> bool:
    """Whether it is a Job of ours that the books must know."""
    return job.ours and job.uid not in world.past.strays


def running_launches(world: World) -> int:
    """How many places of the queue are taken: ours and the neighbour's, also those on their way out."""
    return sum(not job.end and (job.ours or job.run == "neighbour") for job in world.jobs)


def openings(past: Past, run: str) -> int:
    """How often that run was opened again by hand."""
    return sum(again.run == run for again in past.again)


def generation(past: Past, job: Job | Gone) -> int:
    """How often its run had been opened again when it was launched."""
    return sum(again.run == job.run and job.launch > again.launches for again in past.again)


def told(status: Status, job: Job) -> bool:
    """Whether the status knows of that launch."""
    runs = status.runs if hasattr(status, "runs") else (status.current,)
    return any(
        item is not None and item.run_id == job.run and item.launch >= job.launch for item in runs
    ) or any(record.run_id == job.run and record.launches >= job.launch for record in status.history)


# -- the recount ------------------------------------------------------------------------------------------------------------


def recount(world: World, counters: Counters, *, at_rest: bool) -> None:
    """The counters against all Jobs that ever were. Exact at rest; before, nothing may be counted that was not.

    What vanished with its result may or may not have been judged in time, so it widens the bounds by one.
    """
    mine = [job for job in world.jobs if counted(world, job)]
    gone = [job for job in world.past.gone if job.end != "stray"]
    made = len(mine) + len(gone)
    _between("launches", counters.launches, made - sum(not job.told for job in gone), made, at_rest, world)
    second = {(job.run, job.attempt) for job in (*mine, *gone) if job.attempt > 1}
    told_of = {(job.run, job.attempt) for job in mine if job.attempt > 1} | {
        (job.run, job.attempt) for job in gone if job.attempt > 1 and job.told
    }
    _between("retries", counters.retries, len(told_of), len(second), at_rest, world)

    sure, maybe = Counter[str](), Counter[str]()
    for job in mine:
        doomed = meant_to_go(world, job)
        maybe[job.end] += 1
        sure[job.end] += not doomed
    for job in gone:
        maybe[job.end] += 1
        maybe["vanished"] += job.vanished
        sure["vanished"] += job.vanished and job.told and not job.end and not meant_to_go(world, job)
    # What the switch stops counts as lost, unless it ended before that.
    maybe["evict"] += len(world.past.stopped)
    for name, end in (("snoozes", "snooze"), ("continues", "continue"), ("lost", "evict")):
        _between(name, getattr(counters, name), sure[end], maybe[end], at_rest, world)
    ended = maybe["deadline"] + len(world.past.doomed)
    _between("timeouts", counters.timeouts, 0, ended, at_rest, world)
    _between("unknown", counters.unknown, sure["unseen"], maybe["unseen"] + maybe["vanished"], at_rest, world)
    for name, end in (("succeeded", "ok"), ("partially_succeeded", "partial"), ("cancelled", "cancel")):
        certain = {(job.run, generation(world.past, job)) for job in mine if job.end == end}
        possible = certain | {(job.run, generation(world.past, job)) for job in gone if job.end == end}
        if end == "cancel":
            possible |= set(world.past.cancelled)
        _between(name, getattr(counters, name), len(certain), len(possible), at_rest, world)


def _between(name: str, number: int, low: int, high: int, at_rest: bool, world: World) -> None:
    if not at_rest or world.past.wiped:
        low = 0
    hold(
        "counters equal a recount",
        low <= number <= high,
        f"{name} is {number}, a recount says {low} to {high}",
    )
