"""Launches: how the Jobs of the schedule and their pods go on of their own accord."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.model.changes import change, changed, remove, short
from tests.model.records import Behind, Job, World
from tests.model.story import Story

if TYPE_CHECKING:
    from tests.model.steps import Stage

BADNESS = ("ok", "partial", "continue", "snooze", "evict", "fail", "cancel")


def worst(ends: tuple[str, ...]) -> str:
    """How a launch came out, by how its pods did. One that was never seen makes the whole unknown, or lost."""
    if "unseen" in ends:
        return "evict" if "evict" in ends else "unseen"
    return max(ends, key=BADNESS.index)


def goings(stage: Stage, world: World) -> Iterator[tuple[str, World]]:
    """Starts, ends, and what is gone at last; all of it is free."""
    story = stage.story
    for job in world.jobs:
        if not job.ours:
            continue
        if not job.end:
            if story.starts and job.started < 0 and not job.deleting:
                yield f"{short(job)} starts", change(world, job, started=world.now, pod="runs")
            if job.shards > 1:
                yield from _shards(story, world, job)
            else:
                yield from _ends(story, world, job)
        if job.deleting:
            yield f"{short(job)} is gone at last", remove(stage.book, world, job, vanished=False)


def _ends(story: Story, world: World, job: Job) -> Iterator[tuple[str, World]]:
    for end in ("ok", "fail") if job.deleting else story.ends:
        ended = change(world, job, end=end, ended=world.now, pod=end)
        yield f"{short(job)} ends: {end}", ended
        if world.faults and story.withholds and world.behind == Behind():
            late = ended._replace(faults=world.faults - 1)
            old = change(late, changed(late, job), pod=job.pod).jobs
            yield (
                f"{short(job)} ends: {end}; its pod's facts are late",
                late._replace(behind=Behind(None, old)),
            )


def _shards(story: Story, world: World, job: Job) -> Iterator[tuple[str, World]]:
    """Each pod ends by itself, or the Job meets its deadline; the Job has ended when all its pods have."""
    parts = tuple(part or "runs" for part in job.parts)
    for shard, part in enumerate(parts):
        for end in story.ends if part == "runs" else ():
            after = (*parts[:shard], end, *parts[shard + 1 :])
            whole = "runs" not in after
            values = {"end": worst(after), "ended": world.now} if whole else {}
            text = f"shard {shard} of {short(job)} ends: {end}"
            yield text, change(world, job, pod="+".join(after), **values)
    if story.overruns:
        late = change(world, job, pod="+".join(parts), end="deadline", ended=world.now)
        yield f"{short(job)} meets its deadline", late
