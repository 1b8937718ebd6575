"""A day of a small house, as `make test-soak` lives through weeks of a bigger one."""

import pytest

from tests.soak.soak import Soak


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_slot_and_launch_is_accounted_for(seed: int, caplog) -> None:
    caplog.set_level("CRITICAL")
    soak = Soak(schedules=8, days=0.25, seed=seed)
    await soak.run()
    assert soak.judge() == []
    assert sum(soak.made.values()) > 200
    assert sum(soak.cluster.struck.values()) > 20


async def test_it_can_fail(caplog) -> None:
    caplog.set_level("CRITICAL")
    soak = Soak(schedules=2, days=0.05, seed=3)
    await soak.run()
    lost = next(iter(soak.made))
    soak.made[lost] += 1
    soak.made["s001", "1", 1] += 1
    assert [what.partition(",")[0] for what in soak.judge()] == [
        f"2 Jobs for {lost}",
        f"s001: {sum(key[0] == 's001' for key in soak.made)} launches were made",
        f"s001: {len({key[1] for key in soak.made if key[0] == 's001'})} runs were made",
    ]
