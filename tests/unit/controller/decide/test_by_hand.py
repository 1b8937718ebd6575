"""Stories of people who step in: what a run by hand is to do, cancelling one run, one more attempt of a failed one."""

import pytest

from controller.decide.verdict import CANCELLED
from controller.model.decision import EventReason
from controller.model.names import run_id_of_slot
from controller.model.status import TOKENS_LIMIT, Outcome, RunState
from tests.unit.controller.decide.world import Died, World, at, summary

RUN = run_id_of_slot(at("04:00"))


def served(now: str = "03:35", **spec: object) -> World:
    world = World(now=at(now), spec=dict(spec))
    world.rest()
    return world


def exhausted() -> World:
    """The run of 04:00 used its two attempts."""
    world = served("04:00", retry={"maxAttempts": 2})
    world.finish(1)
    world.go("04:01")
    world.finish(1)
    assert world.status.current is None
    return world


# -- run-now, with what it is to do -------------------------------------------------------------------------------------

WISH = '{"token": "t1", "workspaces": ["acme"], "windowDays": 30, "dryRun": true}'


def test_a_run_by_hand_does_what_it_was_asked_for() -> None:
    world = served()
    world.run_now = WISH
    world.rest()
    [launch] = world.made
    assert (launch.workspaces, launch.window_days, launch.dry_run) == (("acme",), 30, True)


def test_its_retries_do_the_same_after_the_annotation_is_gone() -> None:
    world = served()
    world.run_now = WISH
    world.rest()
    world.run_now = ""
    world.finish(1)
    world.go("03:36")
    assert [item.attempt for item in world.made] == [1, 2]
    assert (world.made[1].workspaces, world.made[1].window_days, world.made[1].dry_run) == (
        ("acme",),
        30,
        True,
    )


def test_an_operator_that_dies_after_the_create_still_knows_what_it_was_asked_for() -> None:
    world = served()
    world.run_now = WISH
    with pytest.raises(Died):
        world.turn(dies="created")
    world.rest()
    assert world.status.current is not None
    assert world.status.current.workspaces == ("acme",)
    assert len(world.made) == 1


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_a_running_launch_is_deleted_and_its_run_is_cancelled() -> None:
    world = served("04:00")
    world.start()
    world.cancel = RUN
    world.rest()
    assert set(world.deleted) == {world.made[0].job_name}
    world.vanish()
    world.rest()
    assert world.status.current is None
    [record] = world.status.history
    assert (record.outcome, record.reason) == (Outcome.CANCELLED, CANCELLED)
    world.go("04:30")
    assert len(world.made) == 1, "a cancelled run is not retried"


def test_a_waiting_retry_is_cancelled_at_once_even_while_suspended() -> None:
    world = served("04:00")
    world.finish(1)
    world.edit(suspend=True)
    world.rest()
    world.cancel = RUN
    world.rest()
    assert world.status.current is None
    assert world.status.history[0].outcome is Outcome.CANCELLED


def test_what_ends_well_while_it_is_being_cancelled_has_succeeded() -> None:
    world = served("04:00")
    world.cancel = RUN
    world.rest()
    world.finish(0, summary())
    assert world.status.history[0].outcome is Outcome.SUCCEEDED


def test_cancelling_what_is_not_under_way_is_refused_once_and_says_what_is() -> None:
    world = served("04:00")
    world.cancel = "12345"
    for _ in range(3):
        world.rest()
    [said] = world.heard(EventReason.CANCEL_REFUSED)
    assert "12345" in said
    assert RUN in said
    assert world.deleted == []


@pytest.mark.parametrize(
    "again", ["", "/again"], ids=["the same words", "another token while the first stand"]
)
def test_a_run_that_was_opened_again_can_be_cancelled_again(again: str) -> None:
    world = served("04:00")
    world.finish(1)
    world.cancel = RUN
    world.rest()
    assert world.status.history[0].outcome is Outcome.CANCELLED
    if not again:
        world.cancel = ""
    world.retry = f"{RUN}/t"
    world.rest()
    assert world.status.launched(RUN), "the wish that stands was followed once"
    world.cancel = f"{RUN}{again}"
    world.rest()
    assert world.status.active[0].doomed == CANCELLED
    assert set(world.deleted) == {world.made[-1].job_name}


# -- retry -------------------------------------------------------------------------------------------------------------


def test_a_failed_run_gets_one_more_attempt() -> None:
    world = exhausted()
    world.retry = f"{RUN}/again"
    world.go("05:00")
    newest = world.made[-1]
    assert (newest.run_id, newest.attempt, newest.launch, newest.slot) == (RUN, 3, 3, at("04:00"))
    assert world.status.counters.retries == 2
    world.finish(1)
    assert world.status.current is None, "one more, not three"
    world.go("05:30")
    assert len(world.made) == 3


@pytest.mark.parametrize("policy", ["Forbid", "Replace"])
def test_one_more_attempt_is_launched_though_a_slot_waits_for_the_same_moment(policy: str) -> None:
    world = served("04:00", schedule="0 4-5 * * *", retry={"maxAttempts": 1}, concurrencyPolicy=policy)
    world.finish(1)
    world.now = at("05:00")
    world.retry = f"{RUN}/again"
    world.rest()
    assert [(launch.run_id, launch.attempt) for launch in world.made[:2]] == [(RUN, 1), (RUN, 2)]
    world.finish(0, summary())
    world.rest()
    slots = [record.slot for record in world.status.history if record.outcome is Outcome.SUCCEEDED]
    assert slots == ([at("04:00")] if policy == "Forbid" else slots)
    assert world.made[-1].slot == at("05:00")


def test_it_is_followed_once_and_again_with_another_token() -> None:
    world = exhausted()
    world.retry = f"{RUN}/again"
    world.go("05:00")
    world.finish(1)
    world.rest()
    assert len(world.made) == 3
    world.retry = f"{RUN}/once more"
    world.rest()
    assert world.made[-1].attempt == 4
    world.finish(0, summary())
    assert world.status.history[0].outcome is Outcome.SUCCEEDED
    assert world.status.consecutive_failures == 0


def test_an_operator_that_dies_around_the_create_does_not_give_a_second_one() -> None:
    world = exhausted()
    world.retry = f"{RUN}/again"
    world.now = at("05:00")
    world.turn()
    assert len(world.made) == 2, "first the status says that the run is open again"
    with pytest.raises(Died):
        world.turn(dies="created")
    world.rest()
    assert [item.launch for item in world.made] == [1, 2, 3]
    assert world.deleted == []
    assert world.status.current is not None
    assert world.status.current.state is RunState.PENDING


REFUSED = {
    "no token": (RUN, "must be '<run id>/<token>'"),
    "unknown run": ("777/t", "not among the last runs"),
    "unfinished run": (f"{run_id_of_slot(at('2026-03-11T04:00'))}/t", "is not finished"),
}


@pytest.mark.parametrize(("annotation", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_retried_is_refused_once(annotation: str, says: str) -> None:
    world = exhausted()
    world.go("2026-03-11T04:00")
    world.retry = annotation
    world.rest()
    world.rest()
    [said] = world.heard(EventReason.RETRY_REFUSED)
    assert says in said


def test_what_succeeded_is_not_retried() -> None:
    world = served("04:00")
    world.finish(0, summary())
    world.retry = f"{RUN}/t"
    world.rest()
    assert "ended as Succeeded" in world.heard(EventReason.RETRY_REFUSED)[0]
    assert len(world.made) == 1


def test_a_wish_stays_known_as_long_as_its_annotation_stands() -> None:
    world = exhausted()
    world.retry = f"{RUN}/again"
    world.go("05:00")
    world.finish(1)
    for number in range(TOKENS_LIMIT + 5):
        world.run_now = f"token-{number}"
        world.go(f"2026-03-{11 + number // 8:02}T{number % 8 * 2 + 6:02}:00")
        world.finish(1)
        world.finish(1) if world.status.active else None
    assert sum(item.run_id == RUN for item in world.made) == 3
    assert len(world.status.tokens) == TOKENS_LIMIT


def test_wishes_that_came_along_with_a_copied_object_are_not_followed() -> None:
    world = World(now=at("03:35"), retry=f"{RUN}/t", cancel=RUN, run_now="t")
    world.rest()
    world.go("03:40")
    assert world.made == []
    assert world.said == []
