"""Stale: two API servers on one etcd, of which the second is behind; the operator watches there, or is moved there.

A highly available control plane has several behind one address, and each answers from what it remembers. What the
operator did with the first must not be done again, or undone, by what the second still shows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from tests.fault.plan import Fault, Plan
from tests.fault.run import Result

SEED = 20261201
DEAF = 2
"""Seconds during which the second hears nothing, before the operator is moved to it."""
WRITES = ("create jobs", "patch status", "delete jobs")
CHOSEN = 5
"""Of each kind, for each change."""


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    lagging = [
        Plan(f"stale/{workload}/{servers}", workload, servers=servers)
        for workload in sorted(references)
        for servers in ("watches", "turns")
    ]
    moved = [
        Plan(f"stale/{workload}/{do}-at-{on.replace(' ', '-')}-{nth}", workload, (Fault(on, do, nth, value=DEAF),),
             servers="moved", alone=True)
        for workload, result in sorted(references.items())
        for on in WRITES
        for nth in range(1, min(3, result.counts[on]) + 1)
        for do in ("stale", "stale-kill")
    ]  # fmt: skip
    if release:
        return [*lagging, *moved]
    chance = random.Random(SEED)
    return [*chance.sample(lagging, CHOSEN), *chance.sample(moved, CHOSEN)]
