"""House: the test kit with one schedule, `marketing` in namespace `team`, and the names its stories use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.clock import ManualClock
from controller.cluster.memory import SCHEDULE, MemoryCluster
from controller.model.status import Status
from controller.testkit import Crash as CrashError
from controller.testkit import Kit
from tests.unit.controller.conftest import schedule_body

__all__ = ["CrashError", "House"]


class House(Kit):
    def __init__(self, cluster: MemoryCluster, clock: ManualClock) -> None:
        super().__init__(clock=clock, cluster=cluster)

    async def settle(self) -> None:
        await self.drain()

    async def at(self, hour: int, minute: int = 0, second: int = 1) -> None:
        target = datetime(2026, 11, 26, hour, minute, second, tzinfo=UTC)
        await self.advance(seconds=(target - self.clock.now()).total_seconds())

    async def wait(self, seconds: float) -> None:
        await self.advance(seconds=seconds)

    def apply(self, name: str = "marketing", **spec: Any) -> None:
        self.cluster.apply(SCHEDULE, schedule_body(name, **spec))

    def status(self, name: str = "marketing", namespace: str = "team") -> Status:
        return super().status(name, namespace)

    def reasons(self) -> list[str]:
        return self.events()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"gsc_sync_{name}", labels)
