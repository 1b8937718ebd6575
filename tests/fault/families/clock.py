"""Clocks: the operator's wall clock steps by an hour or a day, both ways, and back (libfaketime); the server's is right.

Beyond a minute of skew the operator may decide nothing, and must go on when its clock is right again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fault.plan import Fault, Plan
from tests.fault.run import Result

STEPS = (("hour-ahead", 3600), ("hour-behind", -3600), ("day-ahead", 86400), ("day-behind", -86400),
         ("ten-years-ahead", 315_360_000), ("30-s-ahead", 30), ("30-s-behind", -30))  # fmt: skip


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    workloads = sorted(references) if release else ["first-slot", "overlap"]
    steps = STEPS if release else STEPS[:4]
    made = [
        Plan(f"clock/{workload}/{name}-at-{on.replace(' ', '-')}", workload,
             (Fault(on, "clock-there-and-back", value=seconds),), start="exec")
        for workload in workloads
        for name, seconds in steps
        for on in (("list jobs", "create jobs", "patch status") if release else ("create jobs",))
    ]  # fmt: skip
    made += [
        Plan(f"clock/{workload}/{name}-and-the-server-does-not-tell", workload,
             (Fault("create jobs", "clock-there-and-back", value=seconds), Fault("get version", "status", 2, 4, {"code": 503})),
             start="exec")
        for workload in workloads
        for name, seconds in steps
    ]  # fmt: skip
    return made
