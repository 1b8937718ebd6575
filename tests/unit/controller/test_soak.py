"""Hours of a small house, as `make test-soak` lives through weeks of a bigger one."""

from tests.soak.soak import Soak


async def test_every_slot_and_launch_is_accounted_for(caplog) -> None:
    caplog.set_level("CRITICAL")
    soak = Soak(schedules=8, days=0.2, seed=1)
    await soak.run()
    assert soak.judge() == []
    assert sum(soak.made.values()) > 150
    assert sum(soak.cluster.struck.values()) > 15


async def test_it_can_fail(caplog) -> None:
    caplog.set_level("CRITICAL")
    soak = Soak(schedules=2, days=0.05, seed=3)
    await soak.run()
    lost = next(iter(soak.made))
    soak.made[lost] += 1
    soak.made["s001", "1", 1] += 1
    doubled, launches, runs = soak.judge()
    assert doubled == f"2 Jobs for {lost}"
    assert "launches were made, the status counts" in launches
    assert "runs were made, the status counts" in runs
