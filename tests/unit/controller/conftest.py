"""What the controller's stories are told with: a cluster in memory, a clock that stands still, and plain bodies."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.clock import ManualClock
from controller.cluster.memory import MemoryCluster

START = datetime(2026, 11, 26, 3, 59, 30, tzinfo=UTC)

SPEC: dict[str, Any] = {
    "schedule": "0 4 * * *",
    "timeZone": "Etc/UTC",
    "workspaces": [
        {"name": "acme", "credentialsSecretRef": {"name": "acme-google", "key": "credentials.json"}},
    ],
    "destination": {"secretRef": {"name": "warehouse"}},
}


def schedule_body(name: str = "marketing", namespace: str = "team", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "gscsync.io/v1beta1",
        "kind": "GscSyncSchedule",
        "metadata": {"name": name, "namespace": namespace},
        "spec": copy.deepcopy(SPEC) | spec,
    }


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def cluster(clock: ManualClock) -> MemoryCluster:
    return MemoryCluster(clock)
