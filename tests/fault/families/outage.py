"""Outages: the API server away or there again, rights and tokens taken and given back, a status written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.fault.plan import Fault, Plan
from tests.fault.run import Result


def plans(references: Mapping[str, Result], *, release: bool) -> Sequence[Plan]:
    made = []
    workloads = sorted(references) if release else ["first-slot", "overlap"]
    for workload in workloads:
        made += [
            Plan(f"outage/{workload}/10-s", workload, (Fault("create jobs", "api-down", value=10),)),
            Plan(f"outage/{workload}/at-start", workload, (Fault("list jobs", "api-down", value=20),)),
            Plan(f"outage/{workload}/10-s-twice", workload, (
                Fault("patch status", "api-down", 2, value=10), Fault("patch status", "api-down", 4, value=10))),
            Plan(f"rights/{workload}/away-for-8-s", workload, (Fault("create jobs", "rights-away", value=8),)),
            Plan(f"rights/{workload}/away-at-start", workload, (Fault("list jobs", "rights-away", value=8),)),
            Plan(f"token/{workload}/revoked", workload, (Fault("create jobs", "revoke", value=5),)),
            Plan(f"token/{workload}/revoked-at-start", workload, (Fault("watch jobs", "revoke", value=5),)),
        ]  # fmt: skip
        if release:
            made += [
                Plan(f"outage/{workload}/2-min", workload, (Fault("create jobs", "api-down", value=120),), patience=300),
                Plan(f"outage/{workload}/2-min-at-start", workload, (Fault("get leases", "api-down", value=120),), patience=300),
            ]  # fmt: skip
    return made
