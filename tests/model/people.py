"""People: everything that a user or an administrator may do next. Each deed costs an edit.

They edit the spec, suspend, and ask by annotation: for a run, for the end of one run, for one more attempt. They set the
switch of the installation. A neighbour's launches come and go in the same queue, and cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.model.records import World
from tests.model.switch import Words, is_neighbour, neighbours_job
from tests.model.witness import running_launches

if TYPE_CHECKING:
    from tests.model.steps import Stage


def deeds(stage: Stage, world: World) -> Iterator[tuple[str, World]]:
    """`world` has paid for it."""
    story, wish = stage.story, world.held.wish
    for number in range(len(story.specs)):
        if number != wish.spec:
            yield f"spec {number}", wishes(stage, world, spec=number)
    if story.suspends:
        yield "resume" if wish.suspend else "suspend", wishes(stage, world, suspend=not wish.suspend)
    yield from _runs(stage, world)
    if story.cancels:
        yield from _cancels(stage, world)
    if story.retries:
        yield from _retries(stage, world)
    for switch in story.switches:
        if switch != world.switch:
            yield str(Words(switch)), world._replace(switch=switch)


def neighbours(world: World) -> Iterator[tuple[str, World]]:
    """The launch of another schedule in the queue, which the limit binds too."""
    theirs = [job for job in world.jobs if is_neighbour(job)]
    if theirs:
        left = tuple(job for job in world.jobs if not is_neighbour(job))
        yield "the neighbour's launch ends", world._replace(jobs=left)
    elif world.switch.limit is None or running_launches(world) < world.switch.limit:
        jobs = (neighbours_job(world.now), *world.jobs)
        yield "a neighbour's launch begins", world._replace(jobs=jobs)


def wishes(stage: Stage, world: World, **values: Any) -> World:
    """The schedule with another spec or annotation."""
    wish = world.held.wish._replace(**values)
    edited = bool(values.keys() & {"spec", "suspend"})
    if edited:
        wish = wish._replace(generation=wish.generation + 1)
    past = world.past
    past = past._replace(
        edited=past.edited or edited,
        most_attempts=max(past.most_attempts, stage.attempts(wish.spec)),
        fewest_attempts=min(past.fewest_attempts, stage.attempts(wish.spec)),
        asked=tuple(sorted({*past.asked, wish.token} - {0})),
    )
    return world._replace(held=world.held._replace(wish=wish, version=world.held.version + 1), past=past)


def _runs(stage: Stage, world: World) -> Iterator[tuple[str, World]]:
    story, wish = stage.story, world.held.wish
    if not story.repeats:
        if wish.token < story.tokens:
            yield "run-now", wishes(stage, world, token=wish.token + 1)
        return
    for token in range(story.tokens + 1):
        if token != wish.token:
            what = f"run-now with token {token}" if token else "run-now is taken away"
            yield what, wishes(stage, world, token=token)
    if wish.token:
        how = "plain" if wish.wrapped else "in JSON"
        yield f"run-now with the same token, {how}", wishes(stage, world, wrapped=not wish.wrapped)


def _cancels(stage: Stage, world: World) -> Iterator[tuple[str, World]]:
    """Of a run that is under way, or of the one that ended last."""
    status, standing = stage.book.statuses[world.held.status], world.held.wish.cancel
    named = [run.run_id for run in status.runs] or [record.run_id for record in status.history[:1]]
    for run in named:
        text = f"{run}/2" if standing == run else run
        if text != standing:
            yield f"cancel {text}", wishes(stage, world, cancel=text)
    if standing:
        yield "cancel is taken away", wishes(stage, world, cancel="")


def _retries(stage: Stage, world: World) -> Iterator[tuple[str, World]]:
    """Of a run that ended: by a new token, or by one that was followed before."""
    status, standing = stage.book.statuses[world.held.status], world.held.wish.retry
    for record in status.history[:2]:
        followed = [again.wish for again in world.past.again if again.run == record.run_id]
        for text in (*followed, f"{record.run_id}/{len(followed) + 1}"):
            if text != standing:
                yield f"retry {text}", wishes(stage, world, retry=text)
