"""Load: two schedules with four overdue slots each and three with a run that takes several launches, while the operator is
killed at random instants again and again.

No place in the traffic is chosen, unlike in the crash plans: the instants come from a seed, so they also fall between
two writes, into a start, into a list. It has no undisturbed reference: what must come of each schedule stands here.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from tests.fault.scene import Scene
from tests.fault.workloads import Expected, Run, by_the_model, done, of_slots, past_minute

RUNS = 4
SHORTEST, LONGEST = 0.05, 2.5
"""Seconds from one death to the next: a start takes half a second until it is at work."""
SOON = {"backoff": {"type": "Fixed", "baseSeconds": 1}}
OVERDUE = ("ok", "slow")
ONCE = {
    "fail-once": Expected((Run("Create", 2),), {"retries": 1}),
    "fail-twice": Expected((Run("Create", 3),), {"retries": 2}),
    "snooze-once": Expected((Run("Create", 2),), {"snoozes": 1}),
}


async def load(scene: Scene) -> dict[str, Expected]:
    chance = random.Random(int(scene.plan.settings["SEED"]))
    slot = past_minute()
    hourly, since = f"{slot.minute} * * * *", slot - timedelta(hours=RUNS - 1, minutes=1)
    catch_up = {"policy": "All", "maxRuns": RUNS}
    for name in OVERDUE:
        await scene.apply(name, schedule=hourly, catchUp=catch_up, history={"successfulLimit": 2})
        await scene.known(name)
    expected = by_the_model(hourly, since, "All", RUNS)
    killing = asyncio.create_task(_kill(scene, chance, int(scene.plan.settings["KILLS"])))
    for name in ONCE:
        await scene.apply(name, runOnCreate=True, retry=SOON)
    for name in OVERDUE:
        await scene.backdate(name, since)
    await killing
    for name in ONCE:
        await scene.until(name, done())
    for name in OVERDUE:
        await scene.until(name, done(RUNS))
    return {**ONCE, **dict.fromkeys(OVERDUE, Expected(of_slots(expected)))}


async def _kill(scene: Scene, chance: random.Random, kills: int) -> None:
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(SHORTEST, LONGEST))
        await scene.operators[0].kill()
        scene.proxy.struck[-1] += 1
