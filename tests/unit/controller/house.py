"""House: the controller around a cluster in memory, with its watch replaced by direct calls, and a crash at will."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from controller.act.launcher import Launcher
from controller.act.recorder import Recorder
from controller.act.status_writer import StatusWriter
from controller.clock import ManualClock
from controller.cluster.memory import EVENT, JOB, POD, SCHEDULE, Fault, MemoryCluster
from controller.intake import job_news, pod_news, schedule_news
from controller.model.policy import Policy
from controller.model.status import Status
from controller.model.status_io import read_status
from controller.observe.metrics import Metrics
from controller.scheduler import Scheduler
from controller.settings import Settings
from controller.table import Table
from controller.watch.resync import Resync
from tests.unit.controller.conftest import schedule_body


class CrashError(BaseException):
    """The process dies here."""


class House:
    """One operator process. `restart` makes the next one: nothing survives but the cluster."""

    def __init__(self, cluster: MemoryCluster, clock: ManualClock) -> None:
        self.cluster = cluster
        self.clock = clock
        self.held = ""
        self.policy = Policy()
        self.build()

    def build(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.table = Table()
        self.recorder = Recorder(self.cluster, self.clock, "test")
        self.resync = Resync(self.cluster, self.table, self.clock, ("",), 300)
        writer = StatusWriter(self.cluster, self.table)
        launcher = Launcher(
            self.cluster,
            self.table,
            writer,
            self.recorder,
            self.metrics,
            Settings(),
            self.clock,
            lambda: self.policy,
        )
        self.scheduler = Scheduler(
            self.cluster,
            self.table,
            launcher,
            self.metrics,
            self.clock,
            held=lambda: self.held,
            policy=lambda: self.policy,
        )
        self.cluster.subscribers[:] = [self._see]

    async def restart(self) -> None:
        self.build()
        await self.resync.round()
        self.scheduler.look_at_everything()

    def _see(self, kind: str, what: str, body: dict[str, Any]) -> None:
        news = {SCHEDULE: schedule_news, JOB: job_news, POD: pod_news}.get(kind)
        if news:
            news(body, deleted=what == "DELETED").put(self.table)

    async def settle(self) -> None:
        """Turns until there is nothing to do at this moment."""
        for _ in range(30):
            await self.scheduler.turn()
            if not self.table.wake.is_set() and self.scheduler._alarms.seconds(30) > 0:
                return
        raise AssertionError("the scheduler does not come to rest")

    async def crash(self, call: str, *, after: bool = True) -> None:
        """Run into a death at that call, then start anew."""
        self.cluster.faults = [Fault(call, CrashError(), after=after)]
        try:
            await self.settle()
        except CrashError:
            self.cluster.faults = []
            await self.restart()
            return
        raise AssertionError(f"{call} was never called")

    async def at(self, hour: int, minute: int = 0, second: int = 1) -> None:
        target = datetime(2026, 11, 26, hour, minute, second, tzinfo=UTC)
        await self.clock.advance((target - self.clock.now()).total_seconds())
        await self.settle()

    async def wait(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.settle()

    # -- what users and the cluster do ----------------------------------------------------------------------------------

    def apply(self, name: str = "marketing", **spec: Any) -> None:
        self.cluster.apply(SCHEDULE, schedule_body(name, **spec))

    def status(self, name: str = "marketing") -> Status:
        return read_status(self.cluster._get(SCHEDULE, "team", name))

    def jobs(self) -> list[dict[str, Any]]:
        return sorted(self.cluster.all(JOB), key=lambda job: int(job["metadata"]["uid"][-6:]))

    def reasons(self) -> list[str]:
        return [event["reason"] for event in self.cluster.all(EVENT)]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"gsc_sync_{name}", labels)

    def finish(self, job: dict[str, Any], code: int, **summary: Any) -> None:
        """The pod runs and ends, and the Job controller says so."""
        meta = job["metadata"]
        started, ended = (
            self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        state = {
            "Succeeded": 0, "PartiallySucceeded": 0, "Failed": 1, "Snoozed": 75, "Continues": 75, "Cancelled": 78,
        }  # fmt: skip
        name = summary.pop("state", next(key for key, value in state.items() if value == code))
        message = json.dumps(
            {"version": 1, "state": name, "totalWorkspaces": 1, "succeededWorkspaces": int(code == 0)}
            | summary
        )
        self.cluster.apply(
            POD,
            {
                "metadata": {
                    "name": f"{meta['name']}-x",
                    "namespace": meta["namespace"],
                    "labels": meta["labels"],
                    "ownerReferences": [
                        {"kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
                    ],
                },
                "status": {
                    "phase": "Failed" if code else "Succeeded",
                    "startTime": started,
                    "containerStatuses": [
                        {
                            "name": "sync",
                            "state": {
                                "terminated": {
                                    "exitCode": code,
                                    "reason": "Error" if code else "Completed",
                                    "message": message,
                                    "startedAt": started,
                                    "finishedAt": ended,
                                }
                            },
                        }
                    ],
                },
            },
        )
        condition = {
            "type": "Failed" if code else "Complete",
            "status": "True",
            "lastTransitionTime": ended,
            "reason": "BackoffLimitExceeded" if code else "CompletionsReached",
        }
        self.cluster.change(JOB, meta["namespace"], meta["name"], {"status": {"conditions": [condition]}})
