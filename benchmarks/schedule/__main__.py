"""`python -m benchmarks.schedule [--sizes 1,100,1000,5000] [--parts lag,...] [--out FILE]`; `make bench-schedule`.

Prints what it does, a table, the targets, and as its last line one JSON object with all figures. Figures are kept in
FILE after each part, so that a long run that is broken off is not lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.schedule import figures, lag, order, runs, scale
from benchmarks.schedule.figures import Figures, seconds
from benchmarks.schedule.rig import SETTINGS

PARTS = ("lag", "amid", "order", "runs", "idle", "scale")
SMOKE_BELOW = 100
Peers = bool
MOST_AT_ONCE = 100
"""Measurements of so few are made side by side; larger ones have the machine for themselves."""
RUN_MINUTES = 5
OLD_JOBS = 20_000
"""Kept by ten thousand schedules with two runs a day."""
AMONG = 10_000
"""The largest size is due among so many schedules, if it is 5,000 or more."""


def among(due: int) -> int:
    return AMONG if due >= 5000 else due


async def measure_lag(sizes: list[int], settings: list[str], peers: Peers, keep: Any) -> None:
    rows: list[Figures] = keep("lag", [])
    for setting in settings:
        small = [size for size in sizes if size <= MOST_AT_ONCE]
        groups = [small] if small else []
        for group in (*groups, *([size] for size in sizes if size > MOST_AT_ONCE)):
            say(f"lag: {group} due, controller manager at {setting}")
            together = group is small
            asked: list[Awaitable[Figures]] = [lag.ours(setting, due, among(due)) for due in group]
            if peers:
                asked += [lag.cron_jobs(setting, due, among(due)) for due in group]
            found = await _all(asked, together=together)
            for number, due in enumerate(group):
                row: Figures = {
                    "controller_manager": setting,
                    "due": due,
                    "among": among(due),
                    "ours": found[number],
                }
                if peers:
                    row["cronjob"] = found[len(group) + number]
                rows.append(row)
            keep("lag", rows)


async def _all(asked: list[Awaitable[Figures]], *, together: bool) -> list[Figures]:
    if together:
        return list(await asyncio.gather(*asked))
    return [await one for one in asked]


async def measure_runs(schedules: int, minutes: int, keep: Any) -> None:
    say(
        f"runs: {schedules} schedules, each due every minute, for {minutes} minutes after {runs.WARM_MINUTES}"
    )
    ours, theirs = await asyncio.gather(
        runs.ours(schedules, minutes, "1s"), runs.cron_jobs(schedules, minutes, "1s")
    )
    keep("runs", {"ours": ours, "cronjob": theirs})


async def measure_order(due: int, keep: Any) -> None:
    say(f"order: {due} due in ten namespaces")
    keep("order", await order.of(due))


async def measure_idle(schedules: int, window: float, keep: Any) -> None:
    say(f"idle: {schedules} schedules for {window:.0f} s")
    keep("idle", {str(schedules): await scale.idle(schedules, window)})


async def measure_scale(schedules: int, window: float, keep: Any) -> None:
    say(f"scale: {schedules} schedules: memory, idle, edits, restart, take-over")
    keep("scale", await scale.at(schedules, window))


async def measure(sizes: list[int], settings: list[str], parts: list[str], peers: Peers, keep: Any) -> None:
    largest = max(sizes)
    if largest < SMOKE_BELOW:
        # Everything at once: it shows that the benchmark works, not how fast anything is.
        tasks: list[Awaitable[None]] = []
        if "lag" in parts:
            tasks.append(measure_lag(sizes, settings, peers, keep))
        if "order" in parts:
            tasks.append(measure_order(largest, keep))
        if "runs" in parts:
            tasks.append(measure_runs(largest, 1, keep))
        if "scale" in parts:
            tasks.append(measure_scale(largest, 10, keep))
        await asyncio.gather(*tasks)
        return
    if "lag" in parts:
        await measure_lag(sizes, settings, peers, keep)
    if "amid" in parts:
        say(f"amid: 20 due amid {OLD_JOBS} Jobs of others")
        keep("amid", await lag.amid(20, OLD_JOBS))
    if "order" in parts:
        await measure_order(min(largest, 1000), keep)
    if "runs" in parts:
        await measure_runs(min(largest, 200), RUN_MINUTES, keep)
    if "idle" in parts:
        await measure_idle(100, 60, keep)
    if "scale" in parts:
        await measure_scale(among(largest), 60, keep)


def report(found: Figures) -> str:
    parts = []
    rows: list[list[object]] = []
    for row in found.get("lag", ()):
        for who in ("ours", "cronjob"):
            if who in row:
                one = row[who]
                rows.append(
                    [row["due"], row["among"], row["controller_manager"], who]
                    + [
                        seconds(one[what][share])
                        for what in ("job", "pod")
                        for share in ("p50", "p99", "max")
                    ]
                    + [f"{one['load_before']}-{one['load_after']}"]
                )
    if rows:
        head = [
            "due",
            "among",
            "controller manager",
            "who",
            "Job p50",
            "Job p99",
            "Job max",
            "pod p50",
            "pod p99",
            "pod max",
            "load",
        ]
        parts.append("From the slot, by the audit log of the API server:\n" + figures.table(rows, head))
    if "runs" in found:
        calls = sorted({call for who in found["runs"].values() for call in who["calls_per_run"]})
        rows = [
            [call, *(who["calls_per_run"].get(call, 0) for who in found["runs"].values())] for call in calls
        ]
        rows.append(["all writes", *(who["writes_per_run"] for who in found["runs"].values())])
        parts.append(
            "Calls per successful run, in steady state:\n" + figures.table(rows, ("call", *found["runs"]))
        )
    verdicts = figures.verdicts(found)
    if verdicts:
        parts.append("Targets:\n" + figures.table(verdicts, ("what", "measured", "target", "met")))
    return "\n\n".join(parts)


def machine() -> Figures:
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cpus": os.cpu_count(),
        "cpu": cpu[1] if cpu else platform.machine(),
        "memory_gb": round(int(memory[1]) / 2**20, 1) if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "kubernetes": kubernetes(),
        "pods": "simulated by kwok; everything else of the control plane is real; etcd without fsync",
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def kubernetes() -> str:
    text = (Path(__file__).parents[2] / "devcluster/binaries/controlplane/go.mod").read_text()
    found = re.search(r"k8s.io/kubernetes\s+v(\S+)", text)
    return found[1] if found else "unknown"


def say(text: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)


def words(_: click.Context, __: click.Parameter, value: str) -> list[str]:
    return [word for word in value.replace(" ", ",").split(",") if word]


@click.command()
@click.option("--sizes", default="1,100,1000,5000", callback=words, help="How many are due in one minute.")
@click.option("--settings", default="", callback=words, help="Of the controller manager: default, 200.")
@click.option("--parts", default="", callback=words, help=f"Of {', '.join(PARTS)}.")
@click.option("--peers/--no-peers", default=True, help="Measure CronJobs as well.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to keep the figures.")
def main(sizes: list[str], settings: list[str], parts: list[str], peers: bool, out: Path | None) -> None:  # noqa: FBT001
    """Measure the operator beside CronJobs on a real control plane with simulated pods."""
    numbers = sorted({int(size) for size in sizes})
    smoke = max(numbers) < SMOKE_BELOW
    settings = settings or (["default"] if smoke else list(SETTINGS))
    parts = parts or (["lag", "scale"] if smoke else list(PARTS))
    unknown = {*parts} - {*PARTS} | {*settings} - {*SETTINGS}
    if unknown:
        raise click.UsageError(f"unknown: {', '.join(sorted(unknown))}")
    found: Figures = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}", "machine": machine()}

    def keep(part: str, value: Any) -> Any:
        found[part] = value
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(found, indent=1) + "\n")
        return value

    began = time.monotonic()
    asyncio.run(measure(numbers, settings, parts, peers, keep))
    if "idle" in found and "idle" in (found.get("scale") or {}):
        found["idle"][str(found["scale"]["schedules"])] = found["scale"]["idle"]
    keep("minutes", round((time.monotonic() - began) / 60, 1))
    keep(
        "targets",
        [
            dict(zip(("what", "measured", "target", "met"), row, strict=True))
            for row in figures.verdicts(found)
        ],
    )
    click.echo(report(found))
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
