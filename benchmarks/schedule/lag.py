"""How late a Job and its pod are when many are due in one minute: ours and CronJobs, each on a fresh control plane."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from benchmarks.schedule import bodies
from benchmarks.schedule.figures import Figures, spread
from benchmarks.schedule.operator import NAMESPACE
from benchmarks.schedule.rig import Rig, next_minute, rig, sleep_until
from benchmarks.schedule.trail import Trail

PODS_PATIENCE = 400.0
"""Seconds after the slot; pods that are not there by then are reported as missing."""
WRITES_PER_SECOND = 80
"""The slot is chosen so far ahead that this pace suffices to make all schedules and have them looked at once."""


async def ours(setting: str, due: int, among: int) -> Figures:
    async with rig(setting) as made:
        with made.running() as operator:
            slot = next_minute(8 + among / WRITES_PER_SECOND)
            names = [f"s-{number:05}" for number in range(among)]
            await made.api.make(
                "gscsyncschedules",
                (
                    bodies.schedule(name, NAMESPACE, bodies.once(slot) if number < due else bodies.NEVER)
                    for number, name in enumerate(names)
                ),
            )
            settled = await made.settled(names, slot.timestamp() - time.time() - 1)
            await sleep_until(slot.timestamp() - 0.5)
            load, cpu = os.getloadavg()[0], operator.cpu_seconds()
            await made.arrived("jobs", due, slot.timestamp() + PODS_PATIENCE)
            figures = await _figures(made, due, slot.timestamp())
            return {
                **figures,
                "settled_before": settled,
                "load_before": round(load, 2),
                "load_after": round(os.getloadavg()[0], 2),
                "cpu_s": round(operator.cpu_seconds() - cpu, 2),
                "peak_rss_mb": operator.memory_mb()[1],
            }


async def amid(due: int, jobs: int) -> Figures:
    """The same for a few, amid so many Jobs of other schedules; suspended ones stand for those that have ended."""
    async with rig("200") as made:
        await made.api.make("jobs", (bodies.old_job(f"old-{number:06}", NAMESPACE) for number in range(jobs)))
        with made.running() as operator:
            slot = next_minute(30 + jobs / 1000)
            names = [f"s-{number:05}" for number in range(due)]
            await made.api.make(
                "gscsyncschedules", (bodies.schedule(name, NAMESPACE, bodies.once(slot)) for name in names)
            )
            settled = await made.settled(names, slot.timestamp() - time.time() - 1)
            await made.arrived("jobs", jobs + due, slot.timestamp() + PODS_PATIENCE)
            made.trail.read()
            return {
                "due": due,
                "jobs": jobs,
                "job": spread(lags(made.trail, "jobs", slot.timestamp()), due),
                "settled_before": settled,
                "peak_rss_mb": operator.memory_mb()[1],
            }


async def cron_jobs(setting: str, due: int, among: int) -> Figures:
    async with rig(setting) as made:
        slot = next_minute(8 + among / 400)
        await made.api.make(
            "cronjobs",
            (
                bodies.cron_job(
                    f"c-{number:05}", NAMESPACE, bodies.once(slot) if number < due else bodies.NEVER
                )
                for number in range(among)
            ),
        )
        await sleep_until(slot.timestamp() - 0.5)
        load = os.getloadavg()[0]
        await made.arrived("jobs", due, slot.timestamp() + PODS_PATIENCE)
        figures = await _figures(made, due, slot.timestamp())
        return {**figures, "load_before": round(load, 2), "load_after": round(os.getloadavg()[0], 2)}


async def _figures(made: Rig, due: int, slot: float) -> Figures:
    await made.arrived("pods", due, slot + PODS_PATIENCE)
    made.trail.read()
    return {
        "job": spread(lags(made.trail, "jobs", slot), due),
        "pod": spread(lags(made.trail, "pods", slot), due),
    }


def lags(trail: Trail, resource: str, slot: float) -> list[float]:
    """From the slot to the moment the API server had made the object."""
    return [call.answered - slot for call in creations(trail, resource) if call.answered > slot]


def creations(trail: Trail, resource: str) -> list[Any]:
    """Without Jobs that are another launch: when pods take longer than `pendingDeadlineSeconds`, there are some."""
    return [
        call
        for call in trail.calls
        if call.verb == "create"
        and call.resource == resource
        and call.good
        and "dryRun" not in call.uri
        and not (resource == "jobs" and _AGAIN.search(call.name))
    ]


_AGAIN = re.compile(r"^s-\d+-[0-9a-f]+-\d+-(?!1$)\d+$")
"""A Job of ours, but for the first launch of its run."""
