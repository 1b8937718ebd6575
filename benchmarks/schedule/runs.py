"""What one successful run costs, once history is pruned and events repeat: calls by verb and resource, CPU.

Every schedule is due each minute and keeps one finished Job. CronJobs with the same Job run on a control plane beside.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterable

from benchmarks.schedule import bodies
from benchmarks.schedule.figures import Figures
from benchmarks.schedule.lag import creations
from benchmarks.schedule.operator import NAMESPACE
from benchmarks.schedule.rig import Rig, next_minute, rig, sleep_until
from benchmarks.schedule.trail import Call

EVERY_MINUTE = "* * * * *"
WARM_MINUTES = 2
"""The second run of a schedule already has a Job to prune."""
HISTORY = {"successfulLimit": 1, "failedLimit": 1}
OWN_AFFAIRS = frozenset({"leases", "selfsubjectaccessreviews", "", "configmaps"})
"""Calls that are made whether anything runs or not."""


async def ours(schedules: int, minutes: int, run_for: str) -> Figures:
    async with rig("200", run_for=run_for) as made:
        with made.running() as operator:
            start = next_minute(5 + schedules / 80).timestamp()
            await made.api.make(
                "gscsyncschedules",
                (
                    bodies.schedule(f"s-{number:05}", NAMESPACE, EVERY_MINUTE, history=HISTORY)
                    for number in range(schedules)
                ),
            )
            begin, end = _window(start, minutes)
            await sleep_until(begin)
            cpu, load = operator.cpu_seconds(), os.getloadavg()[0]
            await sleep_until(end)
            cpu = operator.cpu_seconds() - cpu
            await asyncio.sleep(1)
            made.trail.read()
            figures = _figures(made, made.trail.of_operator(), begin, end)
            return {
                **figures,
                "run_for": run_for,
                "cpu_s_per_1000_runs": round(1000 * cpu / max(1, figures["runs"]), 2),
                "load_before": round(load, 2),
            }


async def cron_jobs(schedules: int, minutes: int, run_for: str) -> Figures:
    async with rig("200", run_for=run_for) as made:
        start = next_minute(5 + schedules / 80).timestamp()
        await made.api.make(
            "cronjobs",
            (
                bodies.cron_job(f"c-{number:05}", NAMESPACE, EVERY_MINUTE, history=HISTORY)
                for number in range(schedules)
            ),
        )
        begin, end = _window(start, minutes)
        await sleep_until(end + 1)
        made.trail.read()
        return {**_figures(made, made.trail.of_cron_jobs(), begin, end), "run_for": run_for}


def _window(start: float, minutes: int) -> tuple[float, float]:
    """Whole minutes, cut where nothing happens."""
    begin = start + 60 * WARM_MINUTES - 5
    return begin, begin + 60 * minutes


def _figures(made: Rig, calls: Iterable[Call], begin: float, end: float) -> Figures:
    runs = sum(begin <= call.answered < end for call in creations(made.trail, "jobs"))
    mine = [call for call in calls if begin <= call.received < end and call.resource not in OWN_AFFAIRS]
    count = Counter(f"{call.verb} {call.resource}" for call in mine)
    per_run = {what: round(number / max(1, runs), 3) for what, number in sorted(count.items())}
    writes = sum(call.writes for call in mine)
    return {
        "runs": runs,
        "writes_per_run": round(writes / max(1, runs), 2),
        "reads_per_run": round((len(mine) - writes) / max(1, runs), 2),
        "refused": sum(not call.good for call in mine),
        "calls_per_run": per_run,
    }
