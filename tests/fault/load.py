"""Load: five schedules with four overdue slots each, while the operator is killed at random instants again and again.

No place in the traffic is chosen, unlike in the crash plans: the instants come from a seed, so they also fall between
two writes, into a start, into a list. It has no undisturbed reference: what must come of each schedule stands here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.fault.scene import Scene
from tests.fault.workloads import Expected, Run, by_the_model, done, past_minute

RUNS = 4
SHORTEST, LONGEST = 0.05, 3.0
"""Seconds from the start of an operator to its death: it takes half a second until it is at work."""
SOON = {"backoff": {"type": "Fixed", "baseSeconds": 1}}
LAUNCHES = {"ok": 1, "slow": 1, "fail-once": 2, "fail-twice": 3, "snooze-once": 2}
"""Name of a schedule -> launches of each of its runs, by what its pods do."""
COUNTERS = {"fail-once": "retries", "fail-twice": "retries", "snooze-once": "snoozes"}


async def load(scene: Scene) -> dict[str, Expected]:
    chance = random.Random(int(scene.plan.settings["SEED"]))
    slot = past_minute()
    hourly, since = f"{slot.minute} * * * *", slot - timedelta(hours=RUNS - 1, minutes=1)
    catch_up = {"policy": "All", "maxRuns": RUNS}
    for name in LAUNCHES:
        await scene.apply(name, schedule=hourly, catchUp=catch_up, retry=SOON, history={"successfulLimit": 2})
    for name in LAUNCHES:
        await scene.known(name)
    expected = by_the_model(hourly, since, "All", RUNS)
    killing = asyncio.create_task(_kill(scene, chance, int(scene.plan.settings["KILLS"])))
    for name in LAUNCHES:
        await scene.backdate(name, since)
    await killing
    for name in LAUNCHES:
        await scene.until(name, done(RUNS))
    return {name: _expected(name, launches, expected.run) for name, launches in LAUNCHES.items()}


async def _kill(scene: Scene, chance: random.Random, kills: int) -> None:
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(SHORTEST, LONGEST))
        await scene.operators[0].kill()
        scene.proxy.struck[-1] += 1


def _expected(name: str, launches: int, slots: Any) -> Expected:
    counters: Mapping[str, int] = {COUNTERS[name]: RUNS * (launches - 1)} if launches > 1 else {}
    return Expected(tuple(Run("Cron", launches, slot) for slot in slots), counters)
