"""That a container started may be written a little later; nothing else may."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.act.progress import SECONDS, Patience
from controller.model.decision import Decision, EventReason, JobDeletion, Notice
from controller.model.status import ActiveLaunch, Condition, ConditionType, CurrentRun, RunState, Status
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
