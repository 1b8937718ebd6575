"""Sweep: first each workload without faults, then every plan that follows from what was seen there, many at a time."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from tests.fault import faketime
from tests.fault.families import clock, crash, load, outage, replicas, requests, stale, upheaval, watch
from tests.fault.plan import Plan
from tests.fault.report import RESULTS, begin, record, table
from tests.fault.rig import Rig, a_rig
from tests.fault.run import Result, run
from tests.fault.workloads import WORKLOADS

References = Mapping[str, Result]
GRAVE = ("O1:", "O5:", "O7:", "O11:", "RIG:")
"""Jobs lost or doubled, counters wrong, launches side by side, a process that ended by itself: never by chance."""


class Family(Protocol):
    """What was seen without faults -> the plans that follow from it."""

    def __call__(self, references: References, *, release: bool) -> Sequence[Plan]: ...


FAMILIES: Mapping[str, Family] = {
    "crash": crash.plans,
    "watch": watch.plans,
    "requests": requests.plans,
    "outage": outage.plans,
    "replicas": replicas.plans,
    "stale": stale.plans,
    "clock": clock.plans,
    "upheaval": upheaval.plans,
    "load": load.plans,
}


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Part:
    """Of every `of` plans those at the given places, so that any parts together are a fair choice of a family.

    Several in one sweep share its undisturbed runs, which take the release size three minutes.
    """

    places: frozenset[int]
    of: int

    @classmethod
    def read(cls, text: str) -> Self:
        """`3/16`, or `3,5,6/16`; a place may be larger than there are, and begins anew then. Raises ValueError."""
        places, _, of = text.partition("/")
        numbers = places.split(",")
        if not (all(it.isdecimal() for it in numbers) and of.isdecimal() and int(of)):
            raise ValueError(f"{text!r} is not of the form K/N or K,K/N, such as 1/4 or 3,5,6/16")
        return cls(frozenset(int(it) % int(of) for it in numbers), int(of))

    def choose(self, plans: Sequence[Plan]) -> list[Plan]:
        return [plan for place, plan in enumerate(plans) if place % self.of in self.places]


WHOLE = Part(frozenset({0}), 1)


async def sweep(
    size: str, families: Iterable[str], only: str, width: int, failures: Path, part: Part = WHOLE
) -> int:
    families = tuple(families)
    begin(failures)
    if "clock" in families:
        await faketime.ensure()
    async with a_rig() as rig:
        references = await refer(rig, width, failures, quiet=60.0 if size == "release" else 3.0)
        results = list(references.values())
        chosen = {
            family: part.choose(
                [
                    plan
                    for plan in FAMILIES[family](references, release=size == "release")
                    if only in plan.name
                ]
            )
            for family in families
        }
        together = [plan for plans in chosen.values() for plan in plans]
        results += await run_all(rig, together, references, width, failures)
        failed = await failing(rig, results, references, failures)
    say(table([failures / RESULTS]))
    if rig.left_over:
        say(f"O6: these namespaces did not go away: {rig.left_over}")
    return 1 if rig.left_over or failed else 0


async def failing(
    rig: Rig, results: Sequence[Result], references: References, failures: Path
) -> list[Result]:
    """Those that fail the sweep: at once when something was lost, doubled or miscounted, else when it happens again.

    What concerns only time or the log may come of a machine that stood still for a moment; it is told all the same.
    """
    grave = [result for result in results if any(it.startswith(GRAVE) for it in result.violations)]
    doubted = [
        result.plan.named(f"{result.plan.name}#{time_}")
        for result in results
        if result.violations and result not in grave
        for time_ in (2, 3)
    ]
    again = await run_all(rig, doubted, references, 2, failures, say_all=True) if doubted else []
    return grave + [result for result in again if result.violations]


async def repeat(plans: Sequence[Plan], times: int, width: int, failures: Path) -> int:
    """Run given plans, each so often, against their references."""
    async with a_rig() as rig:
        names = {plan.workload for plan in plans} & set(WORKLOADS)
        references = await refer(rig, width, failures, names=names)
        many = [plan.named(f"{plan.name}#{time_}") for plan in plans for time_ in range(1, times + 1)]
        results = await run_all(rig, many, references, width, failures, say_all=True)
    return 1 if any(result.violations for result in results) else 0


async def refer(
    rig: Rig, width: int, failures: Path, *, names: Iterable[str] = tuple(WORKLOADS), quiet: float = 2.0
) -> dict[str, Result]:
    """Each workload twice without faults: what differs between the two is no measure of anything."""
    plans = [
        Plan(f"reference/{name}/{number}", name, quiet=quiet) for name in sorted(names) for number in (1, 2)
    ]
    results = await run_all(rig, plans, {}, width, failures)
    found: dict[str, Result] = {}
    for first, second in zip(results[::2], results[1::2], strict=True):
        if first.shape != second.shape:
            second.violations.append(f"O2: two undisturbed runs differ: {first.shape} and {second.shape}")
            say(f"VIOLATED {second.plan.name}: {second.violations[-1]}")
        second.violations += first.violations
        second.counts = Counter(
            {on: min(number, second.counts[on]) for on, number in first.counts.items() if second.counts[on]}
        )
        found[second.plan.workload] = second
    return found


async def run_all(
    rig: Rig,
    plans: Sequence[Plan],
    references: References,
    width: int,
    failures: Path,
    *,
    say_all: bool = False,
) -> list[Result]:
    gate, began, done = asyncio.Semaphore(width), time.monotonic(), 0

    async def one(plan: Plan) -> Result:
        nonlocal done
        reference = references.get(plan.workload)
        async with gate:
            try:
                result = await run(rig, plan, reference.shape if reference else None, failures)
            except Exception:  # noqa: BLE001 - a plan that breaks the rig must be told like one that fails
                result = Result(plan, [f"RIG: {traceback.format_exc()}"], 0.0)
        done += 1
        record(failures / RESULTS, result)
        if result.violations or say_all:
            word = "VIOLATED" if result.violations else "held"
            say(f"{word} {plan.name} ({result.seconds:.1f} s, {result.struck} struck)")
            for sentence in result.violations:
                say(f"    {sentence[:1500]}")
        if done % 25 == 0 or done == len(plans):
            say(f"... {done}/{len(plans)} plans in {time.monotonic() - began:.0f} s")
        return result

    # Those that wait longest begin first, so that the end is not spent on waiting for one of them.
    together = sorted((plan for plan in plans if not plan.alone), key=lambda plan: -plan.waits)
    results = list(await asyncio.gather(*(one(plan) for plan in together)))
    return results + [await one(plan) for plan in plans if plan.alone]
