"""Replicas: two and three at once, with the election and without; leaders that freeze and wake late; rolling updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fault.plan import CRASHES, Fault, Plan
from tests.fault.run import Result

NO_ELECTION = {"LEADER_ELECTION": "false"}
PAST_THE_LEASE = 9
"""Seconds; the rig's Lease lasts 6."""


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    made: list[Plan] = []
    for workload in sorted(references):
        for replicas in (2, 3):
            made.append(Plan(f"replicas/{workload}/{replicas}", workload, replicas=replicas))
            made.append(
                Plan(
                    f"replicas/{workload}/{replicas}-no-election",
                    workload,
                    replicas=replicas,
                    settings=NO_ELECTION,
                )
            )
        for on in ("create jobs", "patch status"):
            what = on.replace(" ", "-")
            for nth in (1, 2) if release else (1,):
                made.append(
                    Plan(f"replicas/{workload}/frozen-at-{what}-{nth}", workload,
                         (Fault(on, "freeze", nth, value=PAST_THE_LEASE),), replicas=2))  # fmt: skip
                made.append(
                    Plan(f"replicas/{workload}/late-{what}-{nth}", workload,
                         (Fault(on, "hold-frozen", nth, value=PAST_THE_LEASE),), replicas=2))  # fmt: skip
                made.append(
                    Plan(f"replicas/{workload}/late-{what}-{nth}-no-election", workload,
                         (Fault(on, "hold", nth, value=4),), replicas=2, settings=NO_ELECTION))  # fmt: skip
                made.extend(
                    Plan(
                        f"replicas/{workload}/{do}-{what}-{nth}", workload, (Fault(on, do, nth),), replicas=2
                    )
                    for do in (CRASHES if release else CRASHES[1:2])
                )
                made.append(
                    Plan(f"replicas/{workload}/roll-at-{what}-{nth}", workload,
                         (Fault(on, "roll", nth),), replicas=2))  # fmt: skip
        made.append(
            Plan(
                f"replicas/{workload}/lease-deleted",
                workload,
                (Fault("patch status", "lease-deleted", 2),),
                replicas=2,
            )
        )
        made.append(
            Plan(
                f"replicas/{workload}/lease-stolen",
                workload,
                (Fault("patch status", "lease-stolen", 2),),
                replicas=2,
            )
        )
        made.append(
            Plan(f"replicas/{workload}/lease-refused", workload,
                 (Fault("update leases", "status", 2, 30, {"code": 503}),), replicas=2))  # fmt: skip
    return (
        made
        if release
        else [plan for plan in made if "/first-slot/" in plan.name or "/overlap/" in plan.name]
    )
