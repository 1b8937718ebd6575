"""Data that are older than promised: told when the time comes, and taken back when the data are there."""

from __future__ import annotations

from controller.model.status import ConditionType
from tests.unit.controller.decide.world import World, at, summary


def test_data_that_are_late_are_told_until_they_are_there() -> None:
    world = World(now=at("03:40"), spec={"freshnessSeconds": 3 * 86_400})
    world.rest()
    for slot in ("2026-03-10T04:00", "2026-03-11T04:00", "2026-03-12T04:00"):
        world.go(slot)
        decision = world.finish(0, summary(newest_final_day="2026-03-08"))
        assert world.condition(ConditionType.DEGRADED).status == "False"
    # The day ended at midnight in California; nothing else is due before it is three days old.
    assert decision.wake_at == at("2026-03-12T08:00")
    world.go("2026-03-12T08:00")
    degraded = world.condition(ConditionType.DEGRADED)
    assert (degraded.status, degraded.reason) == ("True", "StaleData")
    assert "2026-03-08" in degraded.message
    world.go("2026-03-13T04:00")
    world.finish(0, summary(newest_final_day="2026-03-11"))
    assert world.condition(ConditionType.DEGRADED).status == "False"
