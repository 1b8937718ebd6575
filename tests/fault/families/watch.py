"""Watches: every event of every reference run withheld, lost, doubled, late or out of order; and broken streams.

The operator of the rig compares its table with the server every 5 s (300 s in production), which is what heals an event
that is lost for ever; late ones are 0.1, 6 and 90 s late, below and far beyond that.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from tests.fault.plan import EVENTS, Fault, Plan
from tests.fault.run import Result

SEED = 20261129
SINGLE: tuple[tuple[str, str, object], ...] = (
    ("withhold", "withhold", None),
    ("drop", "drop", None),
    ("duplicate", "duplicate", 1),
    ("swap", "swap", None),
    ("delay-0.1", "delay", 0.1),
    ("delay-6", "delay", 6),
    ("delay-90", "delay", 90),
)
"""Name, what is done, how much: to one event."""

STREAMS: tuple[tuple[str, str, object], ...] = (
    ("gone-in-stream", "error", 410),
    ("error-429", "error", 429),
    ("error-500", "error", 500),
    ("error-504", "error", 504),
    ("null-object", "null", None),
    ("garbage", "garbage", None),
    ("unknown-type", "unknown", None),
    ("two-megabytes", "big", None),
    ("cut", "cut", None),
    ("half-a-line-cut", "half-cut", None),
    ("half-a-line-end", "half-end", None),
    ("silent", "silent", 20),
    ("replayed-50-times", "duplicate", 50),
)


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    single = [
        Plan(f"event/{workload}/{on.split()[1]}-{nth}/{name}", workload, (Fault(on, do, nth, value=value),),
             patience=240.0 + (value if isinstance(value, int) else 0))
        for workload, result in sorted(references.items())
        for on in EVENTS
        for nth in range(1, result.counts[on] + 1)
        for name, do, value in SINGLE
    ]  # fmt: skip
    streams = [
        Plan(f"stream/{workload}/{on.split()[1]}-{nth}/{name}", workload, (Fault(on, do, nth, value=value),))
        for workload in ("first-slot", "retry", "overlap")
        for on in EVENTS
        for nth in ((1, 2, 3) if release else (2,))
        for name, do, value in STREAMS
        if references[workload].counts[on] >= nth
    ]
    every = [
        Plan(f"stream/{workload}/every-{on.split()[1]}/cut", workload, (Fault(on, "cut", 1, times=1000),))
        for workload in sorted(references)
        for on in EVENTS
    ]
    if release:
        return [*single, *streams, *every]
    chance = random.Random(SEED)
    quick = [plan for plan in single if not plan.name.endswith("delay-90")]
    picked = chance.sample(quick, min(80, len(quick)))
    return [
        *sorted(picked, key=lambda plan: plan.name),
        *chance.sample(streams, min(26, len(streams))),
        *every[:6],
    ]
