"""Asks: what must hold of the wishes of people, of the switch, and of the shards of a launch.

Cancelled is cancelled; one wish gives one run, or one more attempt; what is paused, full, held, suspended or for another
environment starts nothing; a run has succeeded only when a launch of it has, with every pod it had.
"""

from __future__ import annotations

from typing import Any

from controller.decide.verdict import CANCELLED, REPLACED, STOPPED
from controller.model.status import Outcome, RunRecord, Status
from tests.model.records import Again, Job, Past, World
from tests.model.switch import HERE
from tests.model.witness import generation, hold, openings, running_launches

_GOOD = {Outcome.SUCCEEDED: ("ok", "partial"), Outcome.PARTIALLY_SUCCEEDED: ("partial",)}


def at_create(spec: dict[str, Any], world: World, job: Job) -> None:
    """The promises about a Job that is made in time."""
    mode, limit, paused = world.switch
    hold("a switch that holds starts nothing", mode not in ("hold", "stop"), f"{job.name} under '{mode}'")
    hold("drain begins no run", mode != "drain" or job.launch > 1, f"{job.name} begins its run")
    hold("a paused queue starts nothing", not paused, f"{job.name}")
    running = running_launches(world)
    hold(
        "a queue keeps its limit",
        limit is None or running < limit,
        f"{job.name} beside {running}, allowed are {limit}",
    )
    if world.behind.held is None or not world.compared:
        hold("suspended starts nothing", not world.held.wish.suspend, f"{job.name}")
        here = HERE in spec.get("environments", (HERE,))
        hold("another environment starts nothing", here, f"{job.name}")
    opened = openings(world.past, job.run)
    hold("cancelled runs are launched no more", (job.run, opened) not in world.past.cancelled, f"{job.name}")
    if job.trigger == "Manual":
        runs = {it.run for it in (*world.jobs, *world.past.gone) if it.run.startswith("m-")} | {job.run}
        asked = world.past.asked
        hold(
            "one wish makes one run",
            len(runs) <= len(asked),
            f"{sorted(runs)} for {len(asked)} tokens",
        )


def at_write(world: World, new: Status, fresh: list[RunRecord]) -> Past:
    """The promises about one status write; returns what the witness knows afterwards."""
    world = world._replace(past=_opened(world, new, {record.run_id for record in fresh}))
    world = world._replace(past=_cancelled(world, new, fresh))
    for record in fresh:
        _true(world, record)
    past, mode = world.past, world.switch.mode
    meant = {it.job_uid: it.doomed for it in new.active if it.doomed and it.job_uid not in past.doomed}
    stopped = {uid for uid, why in meant.items() if why == STOPPED}
    hold(
        "the switch ends nothing but by stop",
        (mode == "run" or REPLACED not in meant.values()) and (mode == "stop" or not stopped),
        f"{meant} under '{mode}'",
    )
    if REPLACED in meant.values():
        _, limit, paused = world.switch
        own = sum(job.ours and not job.end for job in world.jobs)
        room = limit is None or running_launches(world) - own < limit
        hold("a queue without a place ends nothing", not paused and room, f"{meant} under {world.switch}")
    return past._replace(stopped=tuple(sorted({*past.stopped, *stopped}))) if stopped else past


def at_silence(status: Status, world: World) -> None:
    """The operator has nothing more to say: then what people asked for was done or refused."""
    text = world.held.wish.cancel
    run = text.partition("/")[0]
    if text and text not in world.past.spent and status.run(run) is not None:
        followed = (run, openings(world.past, run)) in world.past.cancelled
        hold("a wish to cancel is followed", followed, f"run {run} goes on")
    if world.switch.mode == "stop":
        on = [job.name for job in world.jobs if job.ours and not job.end and not job.deleting]
        hold("stop ends what runs", not on, f"{on}")


def _opened(world: World, new: Status, fresh: set[str]) -> Past:
    """A run that was over, or is over by this very write, is under way again: by a person's wish, and once by each."""
    past, wish = world.past, world.held.wish
    for run in new.runs:
        if run.run_id not in past.closed and run.run_id not in fresh:
            continue
        named = wish.retry.partition("/")[0] == run.run_id
        hold("closed runs stay closed", named, f"run {run.run_id} is opened again and nobody asked")
        known = {again.wish for again in past.again}
        hold("one wish makes one attempt", wish.retry not in known, f"'{wish.retry}' is followed again")
        record = next(it for it in new.history if it.run_id == run.run_id)
        again = Again(run.run_id, record.launches, record.attempts, wish.retry)
        standing = {wish.cancel} if wish.cancel.partition("/")[0] == run.run_id else set()
        past = past._replace(
            again=(*past.again, again),
            closed=tuple(it for it in past.closed if it != run.run_id),
            spent=tuple(sorted({*past.spent, *standing})),
        )
    return past


def _cancelled(world: World, new: Status, fresh: list[RunRecord]) -> Past:
    """Runs that a written status cancels: by the wish that stands, or because their program said so."""
    past, wish = world.past, world.held.wish
    runs = {item.run_id for item in new.active if item.doomed == CANCELLED}
    runs |= {record.run_id for record in fresh if record.outcome is Outcome.CANCELLED}
    known = set(past.cancelled)
    for run in runs:
        key = (run, openings(past, run))
        if key in known:
            continue
        by_wish = wish.cancel.partition("/")[0] == run
        hold("only wishes and programs cancel", by_wish or _ended(world, run, ("cancel",)), f"run {run}")
        if by_wish:
            known.add(key)
    return past._replace(cancelled=tuple(sorted(known))) if len(known) > len(past.cancelled) else past


def _true(world: World, record: RunRecord) -> None:
    """What the history says of a run is what became of its Jobs."""
    run = record.run_id
    if record.outcome in _GOOD:
        well = _ended(world, run, _GOOD[record.outcome])
        hold("a run succeeds only when all its pods do", well, f"run {run} is told as {record.outcome}")
    elif (run, openings(world.past, run)) in world.past.cancelled:
        cancelled = record.outcome is Outcome.CANCELLED
        hold("a cancelled run ends as cancelled", cancelled, f"run {run} is told as {record.outcome}")


def _ended(world: World, run: str, ends: tuple[str, ...]) -> bool:
    """Whether a launch of that run, since it was opened last, came out so."""
    jobs = (job for job in (*world.jobs, *world.past.gone) if job.run == run)
    return any(job.end in ends for job in jobs if generation(world.past, job) == openings(world.past, run))
