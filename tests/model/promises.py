"""Promises: what must hold in every state, and what must hold once everything has come to rest.

Judged by a witness who sees the API server alone: every Job ever made (those that are gone are written down in `Past`),
every status ever written. The witness never asks the code under test how it counts.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from controller.decide.cron import Cron
from controller.model.names import digest, run_id_of_slot, token_hash
from controller.model.status import RUNS_LIMIT, Counters, Outcome, RunRecord, Status
from tests.model import asks
from tests.model.book import Book
from tests.model.records import BASE, BORN, Gone, Job, Past, World, at
from tests.model.switch import HERE
from tests.model.witness import Broken, counted, generation, hold, meant_to_go, recount, told

FREE = ("snooze", "continue", "evict")
"""Ends that give the attempt back."""
LOSSES_FREE = 5
"""So many evictions of a run cost nothing; then they are its own fault."""
PAUSES = {"fail": 300, "snooze": 300}
"""Seconds until a run may be launched again; the stories' specs and pods say so."""
GIVEN_UP = ("NameConflict", "SnoozedTooOften", "ContinuedTooOften")
_CLOSED = ("succeeded", "partially_succeeded", "failed", "cancelled", "superseded")


# -- in every state: asked at every write -----------------------------------------------------------------------------------


def at_create(book: Book, world: World, job: Job, *, late: bool) -> Past:
    """The promises about one new Job; returns what the witness knows afterwards.

    A create that arrives `late`, when another operator has gone on without it, can be stopped by nobody. It is a stray:
    the database fences it, it is never counted, and the operator in service has to end it.
    """
    try:
        _at_create(book, world, job)
    except Broken:
        if not late:
            raise
        past = world.past._replace(late=tuple(sorted((*world.past.late, job.uid))))
        if any(item.job_name == job.name for item in book.statuses[world.held.status].active):
            # It stands in for a Job that was deleted while it ran, before anybody missed that one.
            gone = (it._replace(told=it.told and it[:2] != (job.run, job.launch)) for it in world.past.gone)
            return past._replace(gone=tuple(sorted(gone)))
        return past._replace(strays=tuple(sorted((*past.strays, job.uid))))
    if not late:
        asks.at_create(_spec(book, world), world, job)
    return world.past


def _at_create(book: Book, world: World, job: Job) -> None:
    known = [gone for gone in world.past.gone if (gone.run, gone.launch) == (job.run, job.launch)]
    hold(
        "one Job per launch", not any(gone.told for gone in known), f"{job.name} was made before, and told of"
    )
    status = book.statuses[world.held.status]
    hold("closed runs stay closed", job.run not in world.past.closed, f"run {job.run} is over")
    if job.trigger == "Cron" and status.watermark is not None and status.run(job.run) is None:
        hold(
            "no slot fires twice",
            run_id_of_slot(status.watermark) < job.run,
            f"slot {job.run} is not newer than the watermark {status.watermark}, and not its current run",
        )
    side_by_side = _side_by_side(book, world)
    running = [
        other.name
        for other in world.jobs
        if other.ours
        and other.uid not in world.past.late
        and not other.end
        and (other.run == job.run or not side_by_side)
    ]
    hold("no two launches run at once", not running, f"{job.name} while {running} runs")
    granted = [again.attempts + 1 for again in world.past.again if again.run == job.run]
    most = max(world.past.most_attempts, *granted, 0)
    hold(
        "attempts within the limit",
        1 <= job.attempt <= most,
        f"{job.name} is attempt {job.attempt} of {most}",
    )

    before = [
        other
        for other in (*world.jobs, *world.past.gone)
        if other.run == job.run and other.launch < job.launch
    ]
    used = sum(
        (other.end not in FREE or meant_to_go(world, other)) and other.uid not in world.past.stopped
        for other in before
    )
    used += max(0, sum(other.end == "evict" for other in before) - LOSSES_FREE)
    hold(
        "only failures use attempts",
        job.attempt <= 1 + used + len(granted),
        f"{job.name} is attempt {job.attempt} after {used} failures",
    )
    for other in world.jobs:
        pause = PAUSES.get(other.end)
        if (
            other.ours
            and other.run == job.run
            and other.launch == job.launch - 1
            and pause
            and generation(world.past, other) == generation(world.past, job)
            and not (meant_to_go(world, other) or world.past.stepped)
            and other.uid not in world.past.late  # the wait began with the launch in whose place it came
        ):
            hold(
                "no retry before its time",
                world.now >= other.ended + pause,
                f"{job.name}, {world.now - other.ended} s after",
            )


def at_write(book: Book, world: World, new: Status) -> Past:
    """The promises about one status write; returns what the witness knows afterwards."""
    old = book.statuses[world.held.status]
    for item in fields(Counters):
        before, after = getattr(old.counters, item.name), getattr(new.counters, item.name)
        hold("counters never fall", after >= before, f"{item.name} fell from {before} to {after}")
    hold(
        "the watermark never goes back",
        _not_before(new.watermark, old.watermark),
        f"{old.watermark} -> {new.watermark}",
    )
    hold("the watermark never goes back", _not_before(new.manual_watermark, old.manual_watermark), "by hand")
    if not _side_by_side(book, world):
        at_once = [item.job_name for item in new.active if item.job_uid not in world.past.late]
        hold("no two launches run at once", len(at_once) <= 1, f"the status calls {at_once} active")
    hold("the status has room", len(new.runs) <= RUNS_LIMIT, f"{len(new.runs)} unfinished runs")
    counters = new.counters
    hold("books balance", counters.runs == sum(getattr(counters, name) for name in _CLOSED), f"{counters}")
    fresh = [record for record in new.history if record not in old.history]
    _retried(world, fresh)
    past = asks.at_write(world, new, fresh)
    recount(world._replace(past=past), counters, at_rest=False)
    over = {it.run_id for it in fresh if new.run(it.run_id) is None}.difference(past.closed)
    meant = {item.job_uid for item in new.active if item.doomed}.difference(past.doomed)
    if not over and not meant:
        return past
    return past._replace(
        closed=tuple(sorted((*past.closed, *over))), doomed=tuple(sorted((*past.doomed, *meant)))
    )


def at_delete(book: Book, world: World, job: Job) -> None:
    hold("deletes only its own", job.ours, f"{job.name} is somebody else's")
    status = book.statuses[world.held.status]
    active = {item.job_name: item for item in status.active}
    doomed = active.get(job.name)
    if job.deleting or job.uid in world.past.strays:
        return
    if job.end and doomed is None:
        hold("no result is deleted unread", told(status, job) or not counted(world, job), f"{job.name}")
    else:
        hold("deletes only what the status dooms", doomed is not None and doomed.doomed, f"{job.name}")


def _retried(world: World, fresh: list[RunRecord]) -> None:
    """A run that failed for good has used its attempts, unless it never got its name or was put off too often."""
    for record in fresh:
        if record.outcome is Outcome.FAILED and record.reason not in GIVEN_UP:
            hold(
                "failures are retried",
                record.attempts >= world.past.fewest_attempts,
                f"run {record.run_id} failed for good after {record.attempts} attempts",
            )


def _not_before(new: datetime | None, old: datetime | None) -> bool:
    return old is None or (new is not None and new >= old)


# -- at rest ----------------------------------------------------------------------------------------------------------------


def at_rest(book: Book, world: World) -> None:
    """All due work is done and told of, and every slot is accounted for."""
    status = book.statuses[world.held.status]
    wish = world.held.wish
    for text in filter(None, (wish.cancel, wish.retry)):
        kind = "cancel" if text == wish.cancel else "retry"
        answered = digest(kind, text) in status.tokens
        hold("all due work is done", answered, f"{kind} was neither followed nor refused")
    hold("all due work is done", not status.active, "a launch is still called active")
    recount(world, status.counters, at_rest=True)
    if wish.suspend or elsewhere(book, world):
        return
    hold(
        "all due work is done",
        status.current is None,
        f"run {status.current and status.current.run_id} is open",
    )
    spec = _spec(book, world)
    cron = Cron.parse(spec["schedule"], "Etc/UTC")
    newest = cron.last_at_or_before(at(world.now))
    since = max((it for it in (status.effective_since, status.watermark) if it is not None), default=BORN)
    hold(
        "all due work is done",
        newest is None or newest <= since,
        f"slot {newest} is due, decided until {since}",
    )
    if wish.token:
        hashed = token_hash(f"token-{wish.token}")
        hold("all due work is done", hashed in status.tokens, "run-now was neither followed nor refused")
    over = {*world.past.closed, *(job.run for job in world.jobs if not counted(world, job))}
    left = {job.run for job in world.jobs if not world.past.wiped} - over
    hold("every run comes to an end", not left, f"nobody says what became of {sorted(left)}")
    if not world.past.wiped and not world.past.edited and status.watermark is not None:
        _slots(cron, world, status, status.watermark)


def _spec(book: Book, world: World) -> dict[str, Any]:
    return {**BASE, **book.specs[0], **book.specs[world.held.wish.spec]}


def elsewhere(book: Book, world: World) -> bool:
    """Whether the schedule is for other installations."""
    return HERE not in _spec(book, world).get("environments", (HERE,))


def _side_by_side(book: Book, world: World) -> bool:
    return bool(_spec(book, world).get("concurrencyPolicy") == "Allow")


def _slots(cron: Cron, world: World, status: Status, watermark: datetime) -> None:
    everything: tuple[Job | Gone, ...] = (
        *(job for job in world.jobs if counted(world, job)),
        *world.past.gone,
    )
    ran = {job.run for job in everything if job.run.isdigit()}
    counters = status.counters
    slots = cron.count_between(BORN, watermark)
    without = slots - counters.slots_coalesced - counters.slots_missed - len(ran)
    untold = sum(not gone.told for gone in world.past.gone)
    never = sum(run.isdigit() and run not in ran for run in world.past.closed)
    hold(
        "every slot is accounted for",
        never - untold <= without <= never,
        f"{slots} slots, {counters.slots_coalesced} coalesced, {counters.slots_missed} missed, {len(ran)} ran",
    )
