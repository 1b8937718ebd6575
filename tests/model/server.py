"""Server: the API server of the model. A request and a world give an answer and the next world; every write is witnessed.

It does what the real one does for the few calls of the port: numbered versions as preconditions, names that are taken,
deletion with a UID as precondition, merge patches. Answers are slim values; `turn` makes bodies of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from controller.cluster.port import AlreadyExists, ClusterError, Conflict, NotFound
from controller.model import names
from tests.model import promises
from tests.model.book import Book
from tests.model.records import Job, World

WRITES = frozenset({"create_job", "patch_status", "delete_job"})


class Request(NamedTuple):
    call: str
    name: str = ""
    body: Mapping[str, Any] | None = None
    condition: str = ""
    """The resource version or UID given as precondition; '' for none."""


class Wrong(NamedTuple):
    """An answer that is an error."""

    error: type[ClusterError]


def answer(book: Book, world: World, request: Request, *, late: bool = False) -> tuple[Any, World]:
    """What the API server answers, and the world after it. `late`: another operator took over since it was decided."""
    match request.call:
        case "list_jobs" | "list_pods":
            return world.jobs, world
        case "list_schedules" | "get_schedule":
            return world.held, world
        case "get_job":
            found = _find(world, request.name)
            return (found or Wrong(NotFound)), world
        case "create_job":
            return _create(book, world, request, late=late)
        case "patch_status":
            return _patch(book, world, request)
        case "delete_job":
            return _delete(book, world, request)
    raise AssertionError(f"the model's server does not know {request.call}")


def _find(world: World, name: str) -> Job | None:
    return next((job for job in world.jobs if job.name == name), None)


def _create(book: Book, world: World, request: Request, *, late: bool) -> tuple[Any, World]:
    assert request.body is not None
    metadata = request.body["metadata"]
    if _find(world, metadata["name"]) is not None:
        return Wrong(AlreadyExists), world
    labels = metadata["labels"]
    run, launch = labels[names.LABEL_RUN], int(labels[names.LABEL_LAUNCH])
    job = Job(
        run=run,
        slot=int(labels[names.LABEL_SLOT]),
        trigger=labels[names.LABEL_TRIGGER],
        attempt=int(labels[names.LABEL_ATTEMPT]),
        launch=launch,
        copy=sum(gone.run == run and gone.launch == launch for gone in world.past.gone),
        created=world.now,
        shards=int(request.body["spec"]["completions"]),
    )
    assert job.name == metadata["name"]
    past = promises.at_create(book, world, job, late=late)
    return job, world._replace(jobs=tuple(sorted((*world.jobs, job), key=order)), past=past)


def _patch(book: Book, world: World, request: Request) -> tuple[Any, World]:
    held = world.held
    if request.condition and request.condition != str(held.version):
        return Wrong(Conflict), world
    number = book.patched(held.status, request.body or {})
    if number == held.status:
        return held, world
    held = held._replace(status=number, version=held.version + 1)
    past = promises.at_write(book, world, book.statuses[number])
    return held, world._replace(held=held, past=past)


def _delete(book: Book, world: World, request: Request) -> tuple[Any, World]:
    job = _find(world, request.name)
    if job is None:
        return Wrong(NotFound), world
    if request.condition and request.condition != job.uid:
        return Wrong(Conflict), world
    promises.at_delete(book, world, job)
    if job.deleting:
        return None, world
    return None, world._replace(
        jobs=tuple(it._replace(deleting=True) if it == job else it for it in world.jobs)
    )


def order(job: Job) -> tuple[int, str, int, int]:
    return (job.created, job.run, job.launch, job.copy)
