"""Stories of runs by hand: the run-now annotation and `runOnCreate`."""

from datetime import timedelta

import pytest

from controller.model.decision import EventReason
from controller.model.names import run_id_of_creation, run_id_of_token
from controller.model.status import Outcome, RunState
from tests.unit.controller.decide.world import UID, World, at, summary


def served() -> World:
    world = World()
    world.rest()
    return world


def test_c10_a_token_runs_once() -> None:
    world = served()
    world.run_now = "monday"
    world.go("03:35:30")
    world.finish(0, summary())
    world.go("03:36")
    [launch] = world.made
    assert (launch.trigger, launch.run_id, launch.slot) == ("Manual", run_id_of_token("monday"), at("03:35"))
    assert world.status.watermark is None, "a run by hand decides no slot"
    world.go("04:00")
    assert [item.trigger for item in world.made] == ["Manual", "Cron"]


def test_json_carries_a_reason_and_a_name() -> None:
    world = served()
    world.run_now = '{"token": "t1", "reason": "new property", "requestedBy": "ann"}'
    world.rest()
    run = world.status.current
    assert run is not None
    assert (run.token, run.reason, run.requested_by) == ("t1", "new property", "ann")
    world.finish(0, summary())
    world.run_now = "t1"
    world.go(timedelta(hours=2))
    assert [launch.trigger for launch in world.made].count("Manual") == 1, (
        "the same token, however it is wrapped"
    )


REFUSED = {
    "not JSON": ("{token", "not valid JSON"),
    "unknown key": (
        '{"token": "t", "window": 3}',
        "unknown key 'window'; allowed are token, reason, requestedBy, workspaces, windowDays, dryRun",
    ),
    "unknown workspace": ('{"token": "t", "workspaces": ["a"]}', "no workspace 'a'; allowed are acme"),
    "no list of workspaces": ('{"token": "t", "workspaces": "acme"}', "must be a list of at most 20 names"),
    "no days": ('{"token": "t", "windowDays": 0}', "whole number from 1 to 480"),
    "true days": ('{"token": "t", "windowDays": true}', "whole number from 1 to 480"),
    "a dry word": ('{"token": "t", "dryRun": "yes"}', "must be true or false"),
    "no token": ('{"reason": "because"}', "1 to 256 characters"),
    "not a text": ('{"token": 1}', "'token' must be a text"),
    "too long": ("x" * 300, "1 to 256 characters"),
    "far too long": ("x" * 5000, "longer than 1024"),
    "blank": ("   ", "1 to 256 characters"),
    "deep": ("{" * 1000, "not valid JSON"),
}


@pytest.mark.parametrize(("annotation", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_followed_is_refused_once(annotation: str, says: str) -> None:
    world = served()
    world.run_now = annotation
    world.rest()
    world.go("03:50")
    assert world.made == []
    [message] = world.heard(EventReason.RUN_NOW_REFUSED)
    assert says in message


def test_a_token_found_with_the_object_is_recorded_not_run() -> None:
    world = World(run_now="copied-along")
    world.rest()
    world.go("03:50")
    assert world.made == []
    assert len(world.status.tokens) == 1
    world.run_now = "fresh"
    world.rest()
    assert len(world.made) == 1


def test_a_second_wish_within_the_hour_is_refused_while_the_first_runs_or_after_it_succeeded() -> None:
    world = served()
    world.run_now = "one"
    world.rest()
    world.run_now = "two"
    world.rest()
    assert "is not finished" in world.heard(EventReason.RUN_NOW_REFUSED)[0]
    world.finish(0, summary())
    world.run_now = "three"
    world.rest()
    assert "succeeded" in world.heard(EventReason.RUN_NOW_REFUSED)[1]
    world.run_now = "four"
    world.go("04:31")
    assert [launch.trigger for launch in world.made].count("Manual") == 2


def test_a_second_wish_is_refused_while_the_first_runs_beside_a_slot() -> None:
    world = World(now=at("03:59"), spec={"concurrencyPolicy": "Allow"})
    world.rest()
    world.run_now = "one"
    world.rest()
    world.go("04:00")
    assert [run.trigger for run in world.status.runs] == ["Manual", "Cron"]
    world.run_now = "two"
    world.rest()
    assert "is not finished" in world.heard(EventReason.RUN_NOW_REFUSED)[0]


@pytest.mark.parametrize("exit_code", [1, 78])
def test_after_a_failure_the_next_wish_is_followed(exit_code: int) -> None:
    world = World(spec={"retry": {"maxAttempts": 1}})
    world.rest()
    world.run_now = "one"
    world.rest()
    world.finish(exit_code)
    world.run_now = "two"
    world.rest()
    assert len(world.made) == 2
    assert world.heard(EventReason.RUN_NOW_REFUSED) == []


def test_c10_a_wish_waits_for_the_running_launch_and_goes_before_a_due_slot() -> None:
    world = served()
    world.go("04:00")
    world.start()
    world.run_now = "now"
    world.go("04:01")
    world.go("04:02")
    assert len(world.made) == 1
    assert world.decided().count("Waiting") == 1
    world.finish(0, summary())
    assert [launch.trigger for launch in world.made] == ["Cron", "Manual"]


def test_a_wish_supersedes_a_run_that_waits_for_its_retry() -> None:
    world = served()
    world.go("04:00")
    world.finish(1, "boom")
    world.run_now = "now"
    world.rest()
    assert [launch.trigger for launch in world.made] == ["Cron", "Manual"]
    assert world.status.history[0].outcome is Outcome.SUPERSEDED


def test_a_slot_waits_for_a_run_by_hand_that_goes_on_in_another_launch() -> None:
    """It reads 400 days, the slot would read 14: nothing that the slot does can stand for it."""
    world = World(now=at("03:59"))
    world.rest()
    world.run_now = '{"token": "t", "windowDays": 400}'
    world.rest()
    world.go("04:00")
    world.finish(75, summary(state="Continues"))
    assert [(launch.trigger, launch.launch) for launch in world.made] == [("Manual", 1), ("Manual", 2)]
    assert world.made[1].window_days == 400
    world.finish(0, summary())
    assert [launch.trigger for launch in world.made] == ["Manual", "Manual", "Cron"]
    assert world.status.counters.superseded == 0


def test_a_wish_for_a_suspended_schedule_is_refused_and_does_not_fire_on_resume() -> None:
    world = World(spec={"suspend": True})
    world.rest()
    world.run_now = "now"
    world.rest()
    assert "suspend: false" in world.heard(EventReason.RUN_NOW_REFUSED)[0]
    world.edit(suspend=False)
    world.go("03:50")
    assert world.made == []


def test_a_run_by_hand_is_retried_like_any_other() -> None:
    world = served()
    world.run_now = "now"
    world.rest()
    world.finish(1)
    world.go(timedelta(seconds=20))
    assert [(launch.run_id, launch.attempt) for launch in world.made] == [
        (run_id_of_token("now"), 1),
        (run_id_of_token("now"), 2),
    ]


# -- runOnCreate -------------------------------------------------------------------------------------------------------


def test_run_on_create_runs_once_at_first_sight() -> None:
    world = World(spec={"runOnCreate": True})
    world.rest()
    [launch] = world.made
    assert (launch.trigger, launch.run_id) == ("Create", run_id_of_creation(UID))
    world.finish(0, summary())
    world.go("03:50")
    assert len(world.made) == 1
    world.go("04:00")
    assert [item.trigger for item in world.made] == ["Create", "Cron"]


def test_run_on_create_set_later_runs_nothing() -> None:
    world = served()
    world.edit(runOnCreate=True)
    world.go("03:50")
    assert world.made == []


def test_a_suspended_schedule_keeps_its_first_run_for_later() -> None:
    world = World(spec={"runOnCreate": True, "suspend": True})
    world.rest()
    assert world.made == []
    assert world.status.current is not None
    assert world.status.current.state is RunState.WAITING
    world.edit(suspend=False)
    world.go("03:50")
    assert [launch.trigger for launch in world.made] == ["Create"]


def test_a_slot_due_at_first_sight_stands_for_the_first_run() -> None:
    world = World(spec={"runOnCreate": True}, now=at("04:10"))
    world.rest()
    world.finish(0, summary())
    assert [launch.trigger for launch in world.made] == ["Cron"]
    assert [record.outcome for record in world.status.history] == [Outcome.SUCCEEDED, Outcome.SUPERSEDED]
