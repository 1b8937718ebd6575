"""Schedules that no schema would admit, stored all the same: each is told about, and disturbs nobody.

Whole turns of the operator over the in-memory cluster. `make test-inputs` takes 100,000 of them (INPUTS), CI 5,000; the same
values are shown to a real API server by `tests/integration/packaging/test_wrong_inputs.py`.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from controller.cluster.memory import SCHEDULE
from controller.model.parse import parse_schedule
from controller.model.status import ConditionType
from controller.settings import Settings
from controller.testkit import Kit
from tests.inputs.wrong import GOOD, Wrong, one_by_one, several
from tests.unit.packaging.shared import schema

INPUTS = int(os.environ.get("INPUTS", "5000"))
SEED = 20261130
HOUSE = 100
NOW = datetime(2026, 11, 26, 3, 59, 30, tzinfo=UTC)
SPEC = schema()["properties"]["spec"]


def wrongs() -> Iterator[Wrong]:
    chance = random.Random(SEED)
    yield from one_by_one(SPEC)
    while True:
        yield several(SPEC, chance)


def test_what_is_changed_was_right_before() -> None:
    schedule = parse_schedule(Wrong(GOOD, ()).body())
    assert (schedule.problem, schedule.spec is not None) == ("", True)


@pytest.mark.parametrize("part", range(4))
async def test_a_wrong_schedule_is_told_about_and_disturbs_nobody(part: int) -> None:
    mine = itertools.islice(wrongs(), part, INPUTS, 4)
    while batch := list(itertools.islice(mine, HOUSE)):
        kit = Kit(NOW, settings=Settings(environment="production"))
        for number, wrong in enumerate(batch):
            kit.apply(wrong.body(f"wrong-{number}"))
        kit.apply(Wrong(GOOD, ()).body("good"))
        await kit.drain()
        assert [job["metadata"]["labels"]["gscsync.io/schedule"] for job in kit.jobs("good")] == ["good"]
        for number, wrong in enumerate(batch):
            name = f"wrong-{number}"
            schedule = parse_schedule(kit.cluster.get(SCHEDULE, "default", name))
            assert bool(schedule.spec) != bool(schedule.problem), wrong
            assert not schedule.problem or schedule.problem.startswith("`spec"), wrong
            ready = kit.status(name).condition(ConditionType.READY)
            assert ready.message, wrong
            assert not schedule.problem or (ready.status == "False" and schedule.problem in ready.message), (
                wrong
            )
            assert not (schedule.problem and kit.jobs(name)), wrong
