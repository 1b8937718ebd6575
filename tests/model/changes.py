"""Changes: the small ways in which one state becomes another, shared by all that happens."""

from __future__ import annotations

from typing import Any

from tests.model.book import Book
from tests.model.records import Gone, Job, World
from tests.model.witness import told


def mine(world: World) -> tuple[Job, ...]:
    return tuple(job for job in world.jobs if job.ours)


def changed(world: World, job: Job) -> Job:
    return next(it for it in world.jobs if it.uid == job.uid)


def change(world: World, job: Job, **values: Any) -> World:
    return world._replace(jobs=tuple(it._replace(**values) if it == job else it for it in world.jobs))


def remove(book: Book, world: World, job: Job, *, vanished: bool) -> World:
    uncounted = job.uid in world.past.strays
    known = told(book.statuses[world.held.status], job)
    end = "stray" if uncounted else job.end
    gone = Gone(job.run, job.launch, job.attempt, end, known, vanished, job.uid)
    past = world.past._replace(gone=tuple(sorted((*world.past.gone, gone))))
    return forget(world._replace(jobs=tuple(it for it in world.jobs if it != job), past=past))


def forget(world: World) -> World:
    """With the status and the Jobs of a run both gone, only the database knows that the run is over.

    So does it alone when the newest Job is of a run by hand that failed and was then superseded: to whom sees no more
    than Jobs it waits for its retry.
    """
    if not world.past.wiped or world.held.status:
        return world
    newest = max(
        (job for job in world.jobs if job.ours), key=lambda job: (job.created, not job.end), default=None
    )
    open_again = newest.run if newest and newest.end not in ("ok", "partial", "cancel") else ""
    evidence = max((job.run for job in world.jobs if job.ours and job.run.isdigit()), default="")
    done = any(job.run == evidence and job.end in ("ok", "partial", "cancel") for job in world.jobs)
    closed = tuple(
        run
        for run in world.past.closed
        if (run != open_again if not run.isdigit() else run < evidence or (done and run == evidence))
    )
    gone = tuple(it._replace(told=it.told and it.run <= evidence) for it in world.past.gone)
    return world._replace(past=world.past._replace(closed=closed, gone=gone))


def short(job: Job) -> str:
    return f"{job.run}/{job.launch}"
