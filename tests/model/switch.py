"""Switch: the kill switch and the queue of the model, as the ConfigMap says them and as the real parser reads them.

Also the neighbour: a launch of another schedule in the same queue, which takes a place there and is nobody's here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from controller.model import names
from controller.model.parse import parse_schedule
from controller.model.policy import Policy, parse_policy
from controller.model.schedule import Schedule
from tests.model.records import BASE, NAMESPACE, Job, Switch, stamp

NEIGHBOUR, NEIGHBOUR_UID = "neighbour", "5f0c1a52-0000-4000-8000-000000000002"
QUEUE = "gsc-sync"
HERE = "here"
"""The environment of the installation."""


class Words(NamedTuple):
    """How one line of a story tells of it."""

    switch: Switch

    def __str__(self) -> str:
        mode, limit, paused = self.switch
        parts = [f"mode {mode}"]
        if limit is not None:
            parts.append(f"limit {limit}")
        if paused:
            parts.append("queue paused")
        return f"the switch says: {', '.join(parts)}"


@lru_cache(maxsize=100)
def policy(switch: Switch) -> Policy:
    """What the operator reads in the ConfigMap."""
    data = {"mode": switch.mode, f"queue.{QUEUE}.paused": str(switch.paused).lower()}
    if switch.limit is not None:
        data[f"queue.{QUEUE}.limit"] = str(switch.limit)
    return parse_policy({"data": data if switch != Switch() else {}})


@lru_cache(maxsize=1)
def neighbour() -> Schedule:
    """Another schedule of the queue."""
    metadata = {
        "namespace": NAMESPACE, "name": NEIGHBOUR, "uid": NEIGHBOUR_UID, "generation": 1, "resourceVersion": "1",
        "creationTimestamp": stamp(0),
    }  # fmt: skip
    return parse_schedule({"metadata": metadata, "spec": BASE})


def is_neighbour(job: Job) -> bool:
    return job.run == NEIGHBOUR


def neighbours_job(now: int) -> Job:
    """Its launch that runs; when it has ended there is none."""
    return Job(NEIGHBOUR, 0, "Cron", 1, 1, ours=False, created=now)


def neighbours_body(job: Job) -> dict[str, Any]:
    """As the API server gives it out."""
    return {
        "metadata": {
            "name": job.name, "namespace": NAMESPACE, "uid": job.uid, "resourceVersion": "1",
            "creationTimestamp": stamp(job.created), "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY},
            "ownerReferences": [
                {"kind": names.KIND, "name": NEIGHBOUR, "uid": NEIGHBOUR_UID, "controller": True}
            ],
        },
        "spec": {}, "status": {},
    }  # fmt: skip
