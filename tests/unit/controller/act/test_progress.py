"""That a container started may be written a little later; nothing else may."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.act.progress import CROWD, LONGEST_SECONDS, SECONDS, Patience
from controller.model.decision import Decision, EventReason, JobDeletion, Launch, Notice
from controller.model.status import (
    ActiveLaunch,
    Condition,
    ConditionType,
    Counters,
    CurrentRun,
    RunState,
    Status,
)
from tests.unit.controller.conftest import START

SLOT = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
READY = Condition(ConditionType.READY, "True", "Serving", "waiting for its pod to start.", 1, SLOT)
RUN = CurrentRun("29930640", SLOT, "Cron", RunState.PENDING, attempt=1, launch=1)
LAUNCH = ActiveLaunch("29930640", 1, 1, "job-1", "uid-1", SLOT)
PENDING = Status(current=RUN, active=(LAUNCH,), conditions=(READY,))
RUNNING = replace(
    PENDING,
    current=replace(RUN, state=RunState.RUNNING),
    active=(replace(LAUNCH, started_at=SLOT),),
    conditions=(replace(READY, message="running."),),
)


@pytest.fixture
def patience(clock) -> Patience:
    return Patience(clock)


async def test_a_start_waits_and_is_then_written(patience, clock) -> None:
    decision = Decision(status=RUNNING)
    assert patience.until("s1", PENDING, decision) == START + timedelta(seconds=SECONDS)
    await clock.advance(SECONDS - 1)
    assert patience.until("s1", PENDING, decision) == START + timedelta(seconds=SECONDS)
    await clock.advance(1)
    assert patience.until("s1", PENDING, decision) is None


async def test_a_condition_that_says_something_else_waits_for_nothing(patience) -> None:
    """Such as another mode of the kill switch: nothing has started."""
    says = replace(PENDING, conditions=(replace(READY, message="the kill switch is set to 'hold'."),))
    assert patience.until("s1", PENDING, Decision(status=says)) is None


IDLE = Status(conditions=(READY,))
LAUNCHED = Decision(
    status=replace(PENDING, counters=Counters(launches=1), watermark=SLOT),
    launch=Launch("job-1", "29930640", SLOT, "Cron", 1, 1),
    notices=(Notice(EventReason.LAUNCHED, "Launched Job job-1"),),
    entered=(LAUNCH,),
)
"""The first launch of a due slot."""


@pytest.mark.parametrize(
    ("crowd", "seconds"),
    [
        pytest.param(CROWD + 4, SECONDS, id="a few"),
        pytest.param(100, 10, id="a hundred"),
        pytest.param(10_000, LONGEST_SECONDS, id="very many"),
    ],
)
async def test_in_a_crowd_a_launch_waits_longer_the_more_there_are(patience, clock, crowd, seconds) -> None:
    assert patience.until("s1", IDLE, LAUNCHED, crowd=crowd) == START + timedelta(seconds=seconds)
    again = replace(LAUNCHED, launch=None)
    await clock.advance(seconds - 1)
    assert patience.until("s1", IDLE, again) == START + timedelta(seconds=seconds)
    await clock.advance(1)
    assert patience.until("s1", IDLE, again) is None
    assert patience.until("s1", IDLE, again) is None, "once it is to be written it never waits anew"


async def test_alone_a_launch_is_written_at_once(patience) -> None:
    assert patience.until("s1", IDLE, LAUNCHED, crowd=CROWD) is None
    assert patience.until("s1", IDLE, replace(LAUNCHED, launch=None), crowd=100) is None, "nor later"


@pytest.mark.parametrize(
    ("before", "decision"),
    [
        pytest.param(replace(IDLE, current=RUN), LAUNCHED, id="a run was under way"),
        pytest.param(replace(IDLE, active=(LAUNCH,)), LAUNCHED, id="a launch was"),
        pytest.param(IDLE, replace(LAUNCHED, entered=()), id="none was entered"),
        pytest.param(IDLE, replace(LAUNCHED, entered=(replace(LAUNCH, launch=2),)), id="a second launch"),
        pytest.param(IDLE, replace(LAUNCHED, notices=(Notice(EventReason.ADOPTED, "x"),)), id="it was adopted"),
        pytest.param(IDLE, replace(LAUNCHED, deletions=(JobDeletion("j", "u", "x"),)), id="a Job is to go"),
        pytest.param(
            IDLE, replace(LAUNCHED, status=replace(LAUNCHED.status, current=replace(RUN, trigger="Manual"))),
            id="somebody asked for it",
        ),
        pytest.param(
            IDLE,
            replace(LAUNCHED, status=replace(LAUNCHED.status, counters=Counters(launches=1, slots_coalesced=1))),
            id="it stands for other slots",
        ),
        pytest.param(
            IDLE, replace(LAUNCHED, status=replace(LAUNCHED.status, observed_generation=2)), id="an edit was seen"
        ),
        pytest.param(
            IDLE, replace(LAUNCHED, status=replace(LAUNCHED.status, conditions=(replace(READY, status="False"),))),
            id="a condition turned",
        ),
    ],
)  # fmt: skip
async def test_in_a_crowd_all_but_a_plain_first_launch_is_written_at_once(patience, before, decision) -> None:
    assert patience.until("s1", before, decision, crowd=1000) is None


async def test_the_next_start_waits_anew(patience, clock) -> None:
    patience.until("s1", PENDING, Decision(status=RUNNING))
    assert patience.until("s1", PENDING, Decision(status=Status())) is None
    await clock.advance(SECONDS)
    assert patience.until("s1", PENDING, Decision(status=RUNNING)) is not None


@pytest.mark.parametrize(
    "decision",
    [
        pytest.param(Decision(status=PENDING), id="nothing to write"),
        pytest.param(Decision(status=Status()), id="the run is over"),
        pytest.param(Decision(status=replace(RUNNING, watermark=SLOT)), id="a slot was decided too"),
        pytest.param(
            Decision(status=replace(RUNNING, conditions=(replace(READY, status="False"),))), id="a condition turned"
        ),
        pytest.param(Decision(status=replace(RUNNING, observed_generation=2)), id="an edit was seen"),
        pytest.param(
            Decision(status=RUNNING, notices=(Notice(EventReason.LAUNCHED, "x"),)), id="there is something to tell"
        ),
        pytest.param(
            Decision(status=RUNNING, deletions=(JobDeletion("job-0", "uid-0", "History"),)), id="a Job is to go"
        ),
    ],
)  # fmt: skip
async def test_all_else_is_written_at_once(patience, decision) -> None:
    assert patience.until("s1", PENDING, decision) is None
