"""Stories of what is kept: finished Jobs up to the limits of the history, the rest deleted once it is counted."""

from controller.model.job import JobState
from tests.unit.controller.decide.world import World, at, summary


def ran(exits: list[int], **history: int) -> World:
    """One run after the other, each with one attempt."""
    world = World(
        now=at("04:00"),
        spec={"schedule": "* 4 * * *", "history": history, "retry": {"maxAttempts": 1}},
    )
    for minute, code in enumerate(exits):
        world.go(f"04:{minute:02}")
        world.finish(code, summary() if code == 0 else "")
        for name, job in list(world.jobs.items()):
            if job.deleting:
                del world.jobs[name]
    return world


def kept(world: World) -> list[str]:
    return [
        f"{job.slot_minutes % 60:02}{'+' if job.state is JobState.COMPLETE else '-'}"
        for job in world.jobs.values()
    ]


def test_l11_the_newest_of_each_kind_are_kept() -> None:
    world = ran([0, 1, 0, 0, 1, 1, 0], successfulLimit=2, failedLimit=1)
    assert kept(world) == ["03+", "05-", "06+"]
    assert world.status.counters.succeeded == 4
    assert world.status.counters.failed == 3, "what is deleted stays counted"


def test_l10_a_history_of_none_keeps_none_and_fires_nothing_again() -> None:
    world = ran([0, 1, 0], successfulLimit=0, failedLimit=0)
    assert kept(world) == []
    assert len(world.made) == 3
    world.rest()
    assert len(world.made) == 3


def test_l10_nothing_is_deleted_before_it_is_counted() -> None:
    world = ran([0, 0], successfulLimit=1)
    world.go("04:02")
    world.end(0, summary())
    world.turn()
    counted = {record.run_id for record in world.status.history}
    assert {name.rsplit("-", 2)[1] for name in world.deleted} <= counted


def test_a_job_that_is_going_away_is_not_deleted_twice() -> None:
    world = ran([0, 0], successfulLimit=1)
    deleted = len(world.deleted)
    world.rest()
    assert len(world.deleted) == deleted


def test_age_is_left_to_the_job_itself() -> None:
    spec = World(spec={"history": {"maxAgeSeconds": 3600}}).schedule().spec
    assert spec is not None
    assert spec.history.max_age_seconds == 3600
