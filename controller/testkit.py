"""Testkit: the whole controller around a cluster in memory and a clock set by hand, to try schedules out in tests.

    kit = Kit(datetime(2026, 11, 26, 3, 59, tzinfo=UTC))
    kit.apply(yaml.safe_load(Path("marketing.yaml").read_text()))
    await kit.advance(minutes=2)                          # run_once() takes one turn, drain() as many as there are to take
    job = kit.assert_job_created("marketing", trigger="Cron", attempt=1)
    kit.finish(job, 1)
    await kit.drain()
    assert kit.status("marketing").current.state == "Retrying"

Everything is the operator's own but the API server, its Job controller and time. No test of it needs a cluster.
"""

from __future__ import annotations

import asyncio
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from contract import ExitCode, RunSpec, State
from contract.run_spec import ENVIRONMENT_VARIABLE
from controller.act.launcher import Launcher
from controller.act.recorder import Recorder
from controller.act.status_writer import StatusWriter
from controller.clock import ManualClock
from controller.cluster.memory import EVENT, JOB, POD, SCHEDULE, Fault, MemoryCluster
from controller.intake import job_news, pod_news, schedule_news
from controller.model.names import GROUP, LABEL_MANAGED_BY, MANAGED_BY
from controller.model.policy import Policy
from controller.model.status import Status
from controller.model.status_io import read_status
from controller.observe.metrics import Metrics
from controller.scheduler import Scheduler
from controller.settings import Settings
from controller.table import Table
from controller.watch.resync import Resync

Body = dict[str, Any]
_STATES = {
    ExitCode.SUCCESS: State.SUCCEEDED,
    ExitCode.FAILURE: State.FAILED,
    ExitCode.SNOOZED: State.CONTINUES,
    ExitCode.CANCELLED: State.CANCELLED,
}

_NO_PACE = 1e9
"""Jobs in a second: the pace would wait on a clock that stands still."""


class Crash(BaseException):
    """The operator dies."""


class Kit:
    """One operator process. `restart` makes the next one: nothing survives but the cluster."""

    def __init__(
        self,
        now: datetime | None = None,
        *,
        clock: ManualClock | None = None,
        cluster: MemoryCluster | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.clock = clock or ManualClock(now or datetime.now(UTC))
        self.cluster = cluster or MemoryCluster(self.clock)
        self.settings = settings or Settings()
        self.held = ""
        """Why nothing may be launched, such as a wrong clock."""
        self.policy = Policy()
        """Kill switch and queues."""
        self.compared = True
        """Whether the table was compared with the cluster since this operator took over."""
        self.build()

    def build(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, self.settings.environment)
        self.table = Table()
        self.recorder = Recorder(self.cluster, self.clock, "testkit")
        self.resync = Resync(self.cluster, self.table, self.clock, ("",), 300)
        launcher = Launcher(
            self.cluster,
            self.table,
            StatusWriter(self.cluster, self.table),
            self.recorder,
            self.metrics,
            self.settings,
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
            site=self.settings.site,
            start_rate=_NO_PACE,
            compared=lambda: self.compared,
        )
        self._shown: set[str] = set()
        self.cluster.subscribers[:] = [self._see]

    def _see(self, kind: str, what: str, body: Body) -> None:
        """As the watch shows it, which selects Jobs and pods by our label: one that loses it is told of as deleted."""
        uid, labels = body["metadata"]["uid"], body["metadata"].get("labels") or {}
        if kind in (JOB, POD) and labels.get(LABEL_MANAGED_BY) != MANAGED_BY:
            if uid not in self._shown:
                return
            what = "DELETED"
        self._shown.add(uid)
        news = {SCHEDULE: schedule_news, JOB: job_news, POD: pod_news}.get(kind)
        if news:
            news(body, deleted=what == "DELETED").put(self.table)

    # -- the operator ---------------------------------------------------------------------------------------------------

    async def run_once(self) -> None:
        """One turn of the scheduler: decide, create, write."""
        await self.scheduler.turn()

    async def drain(self) -> None:
        """Turns until there is nothing to do at this moment."""
        for _ in range(30):
            await self.run_once()
            if not self.table.wake.is_set() and self.scheduler.rests():
                await self._record_events()
                return
        raise AssertionError("the scheduler does not come to rest")

    async def _record_events(self) -> None:
        recording = asyncio.ensure_future(self.recorder.run())
        await self.recorder.flush()
        recording.cancel()

    async def advance(self, **time: float) -> None:
        """Let time pass, given as for `timedelta`, then drain."""
        await self.clock.advance(timedelta(**time).total_seconds())
        await self.drain()

    async def restart(self) -> None:
        """Another process takes over; it knows what the cluster knows."""
        self.build()
        await self.resync.round()
        self.scheduler.look_at_everything()

    async def crash(self, call: str, *, after: bool = True) -> None:
        """Run into a death at that call of the port, such as "create_job", then start anew."""
        self.cluster.faults = [Fault(call, Crash(), after=after)]
        try:
            await self.drain()
        except Crash:
            self.cluster.faults = []
            await self.restart()
            return
        raise AssertionError(f"{call} was never called")

    # -- users and the cluster ------------------------------------------------------------------------------------------

    def apply(self, body: Body) -> None:
        """As `kubectl apply`, without the schema's defaults, which the operator knows too."""
        body = copy.deepcopy(body)
        body["metadata"].setdefault("namespace", "default")
        self.cluster.apply(SCHEDULE, body)

    def finish(self, job: Body, exit_code: int, **summary: Any) -> None:
        """The pod of a Job ends with that exit code and RunSummary, and the Job controller says so."""
        meta, now = job["metadata"], self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        state = summary.pop("state", _STATES.get(ExitCode(exit_code), State.FAILED))
        message = {
            "version": 1,
            "state": str(state),
            "totalWorkspaces": 1,
            "succeededWorkspaces": int(exit_code == 0),
        }
        ended = {
            "exitCode": exit_code,
            "reason": "Error" if exit_code else "Completed",
            "message": json.dumps(message | summary),
            "startedAt": now,
            "finishedAt": now,
        }
        owner = {"kind": "Job", "name": meta["name"], "uid": meta["uid"], "controller": True}
        pod = {
            "metadata": {
                "name": f"{meta['name']}-x",
                "namespace": meta["namespace"],
                "labels": job["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [owner],
            },
            "status": {
                "phase": "Failed" if exit_code else "Succeeded",
                "startTime": now,
                "containerStatuses": [{"name": "sync", "state": {"terminated": ended}}],
            },
        }
        condition = {
            "type": "Failed" if exit_code else "Complete",
            "status": "True",
            "lastTransitionTime": now,
            "reason": "BackoffLimitExceeded" if exit_code else "CompletionsReached",
        }
        self.cluster.apply(POD, pod)
        self.cluster.change(JOB, meta["namespace"], meta["name"], {"status": {"conditions": [condition]}})

    # -- what came of it ------------------------------------------------------------------------------------------------

    def status(self, name: str, namespace: str = "default") -> Status:
        return read_status(self.cluster.get(SCHEDULE, namespace, name))

    def jobs(self, name: str = "") -> list[Body]:
        """The Jobs that exist, oldest first; of one schedule when named."""
        found = sorted(self.cluster.all(JOB), key=lambda job: int(job["metadata"]["uid"][-6:]))
        return [job for job in found if not name or job["metadata"]["labels"][f"{GROUP}/schedule"] == name]

    def work_order(self, job: Body) -> RunSpec:
        """What a Job tells the sync."""
        (container,) = job["spec"]["template"]["spec"]["containers"]
        text = next(item["value"] for item in container["env"] if item["name"] == ENVIRONMENT_VARIABLE)
        return RunSpec.from_json(text.replace("$$", "$"))

    def events(self) -> list[str]:
        """Reasons of the events recorded, oldest first."""
        return [event["reason"] for event in self.cluster.all(EVENT)]

    def assert_job_created(self, name: str, **labels: object) -> Body:
        """The newest Job of the schedule whose labels (trigger, run, slot, attempt, launch) are these."""
        wanted = {f"{GROUP}/{key}": str(value) for key, value in labels.items()}
        for job in reversed(self.jobs(name)):
            if wanted.items() <= job["metadata"]["labels"].items():
                return job
        have = [
            {k.partition("/")[2]: v for k, v in job["metadata"]["labels"].items() if k.startswith(GROUP)}
            for job in self.jobs(name)
        ]
        raise AssertionError(f"no Job of {name} with {labels}; there are {have}")

    def assert_no_job(self, name: str) -> None:
        found = [job["metadata"]["name"] for job in self.jobs(name)]
        assert not found, f"{name} has Jobs: {found}"
