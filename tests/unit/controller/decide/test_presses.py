"""Which schedules go first when thousands are looked at anew: one row a story."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.decide.wake import presses
from controller.model.parse import parse_schedule
from controller.model.schedule import Asks, Schedule
from controller.model.status import Status
from tests.unit.controller.decide.world import BORN, SPEC, UID

SOON = BORN + timedelta(minutes=30)
SEEN = Status(observed_generation=3, next_slots=(SOON,))
BODY = {"metadata": {"name": "marketing", "namespace": "team", "uid": UID, "generation": 3}, "spec": SPEC}
SCHEDULE = parse_schedule(BODY)


@pytest.mark.parametrize(
    ("schedule", "status", "first"),
    [
        pytest.param(SCHEDULE, SEEN, False, id="nothing to do before its next slot"),
        pytest.param(SCHEDULE, replace(SEEN, next_slots=()), False, id="suspended, without a next slot"),
        pytest.param(
            SCHEDULE, replace(SEEN, next_slots=(BORN,)), True, id="its slot is due this very moment"
        ),
        pytest.param(SCHEDULE, Status(), True, id="never seen"),
        pytest.param(replace(SCHEDULE, generation=4), SEEN, True, id="edited while nobody looked"),
        pytest.param(replace(SCHEDULE, asks=Asks(run_now="a")), SEEN, True, id="asked by hand"),
        pytest.param(SCHEDULE, replace(SEEN, waiting=("1",)), True, id="a run waits"),
    ],
)
def test_first_is_who_most_likely_needs_something(schedule: Schedule, status: Status, first: bool) -> None:
    assert presses(schedule, status, BORN) is first
