"""Crashes: the operator dies around every write of every workload, at three positions; then twice; then on SIGTERM."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence

from tests.fault.plan import CRASHES, LEASE_WRITES, WRITES, Fault, Plan
from tests.fault.run import Result

SEED = 20261128
LEASES = 2
"""Renewals go on as long as the plan does; the first ones are like all others."""


def writes_of(result: Result) -> list[tuple[str, int]]:
    """Every write of a reference run, by name and number."""
    found = [(on, nth) for on in WRITES for nth in range(1, result.counts[on] + 1)]
    return found + [(on, nth) for on in LEASE_WRITES for nth in range(1, min(result.counts[on], LEASES) + 1)]


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    chance = random.Random(SEED)
    single, double, orderly = [], [], []
    for workload, result in sorted(references.items()):
        writes = writes_of(result)
        for on, nth in writes:
            what = f"{on.replace(' ', '-')}-{nth}"
            single += [
                Plan(f"crash/{workload}/{what}/{do}", workload, (Fault(on, do, nth),)) for do in CRASHES
            ]
            orderly.append(Plan(f"sigterm/{workload}/{what}", workload, (Fault(on, "term", nth),)))
        for (on, nth), then in itertools.product(writes, writes):
            # The second strikes while the operator that came after the first is still finding its way.
            for do in CRASHES:
                name = f"twice/{workload}/{on.replace(' ', '-')}-{nth}/{do}/{then[0].replace(' ', '-')}-{then[1] + 1}"
                first, second = Fault(on, do, nth), Fault(then[0], chance.choice(CRASHES), then[1] + 1)
                double.append(Plan(name, workload, (first, second)))
    if release:
        return [*single, *orderly, *chance.sample(double, DOUBLES)]
    once = [plan for plan in single if plan.name.endswith(chance.choice(CRASHES))]
    return [*chance.sample(once, min(60, len(once))), *chance.sample(double, 20), *chance.sample(orderly, 10)]


DOUBLES = 240
"""Pairs, of some ten thousand."""
