"""A control plane with the chart's objects on it, and what each measurement does with it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.schedule import operator
from benchmarks.schedule.api import CRDS, Api, path
from benchmarks.schedule.bodies import Body
from benchmarks.schedule.operator import NAMESPACE, Operator
from benchmarks.schedule.trail import Trail
from contract import RunSummary, State
from devcluster import simulate
from devcluster.api import ControlPlane

QUIET_SECONDS = 3.0
SETTINGS: dict[str, float | None] = {"default": None, "200": 200}
"""Of the controller manager: its own 20 requests a second (30 at once), or --kube-api-qps=200 --kube-api-burst=300."""
PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}
CLUSTER_PATHS = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": CRDS,
}


@dataclass
class Rig:
    plane: ControlPlane
    api: Api
    objects: list[Body]
    trail: Trail
    folder: Path

    def operator(self, identity: str = "operator") -> Operator:
        return Operator(self.plane, self.objects, self.folder, identity)

    @contextmanager
    def running(self, identity: str = "operator") -> Iterator[Operator]:
        made = self.operator(identity)
        made.start()
        try:
            yield made
        finally:
            if made.runs:
                made.kill()

    async def namespace(self, name: str, run_for: str) -> None:
        """A namespace whose pods run that long and then succeed."""
        await self.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        chosen = simulate.as_annotations("exit", run_for=run_for, message=SUMMARY) | {"bench/ready": "yes"}
        for body in simulate.policy(f"bench-{name}", name, chosen):
            plural = (
                "mutatingadmissionpolicies"
                if body["kind"].endswith("Policy")
                else "mutatingadmissionpolicybindings"
            )
            await self.api.call("POST", f"/apis/admissionregistration.k8s.io/v1/{plural}", body)
        trial = {
            "metadata": {"generateName": "trial-"},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        }

        async def applied() -> bool:
            made = await self.api.call("POST", path("pods", name) + "?dryRun=All", trial)
            return "bench/ready" in (made["metadata"].get("annotations") or {})

        assert await self.api.until(applied), "the pods' policy is not applied"

    async def settled(self, names: Iterable[str], seconds: float) -> bool:
        """Until the operator has written each schedule's status and then been quiet for a while."""
        waiting, end = set(names), time.time() + seconds
        last = time.time()
        while time.time() < end:
            for call in self.trail.read():
                if call.user.endswith("-sync-operator") and call.writes and call.resource != "leases":
                    last = max(last, call.answered)
                    if call.resource == "gscsyncschedules/status" and call.good:
                        waiting.discard(call.name)
            if not waiting and time.time() - last >= QUIET_SECONDS:
                return True
            await asyncio.sleep(0.5)
        return False

    async def arrived(self, plural: str, count: int, until: float) -> int:
        """Wait until so many exist, or until that moment."""
        found = 0
        while time.time() < until:
            found = await self.api.count(plural)
            if found >= count:
                break
            await asyncio.sleep(1)
        return found


SUMMARY = RunSummary(
    state=State.SUCCEEDED,
    total_workspaces=2,
    succeeded_workspaces=2,
    properties=2,
    cells=28,
    rows_written=1200,
    requests=64,
    duration_ms=1000,
).to_json()


@asynccontextmanager
async def rig(
    setting: str,
    *options: str,
    run_for: str = "30s",
    namespaces: Iterable[str] = (NAMESPACE,),
    bodies_of: Iterable[str] = (),
) -> AsyncIterator[Rig]:
    wanted = frozenset(bodies_of)
    objects = await asyncio.to_thread(operator.chart, *options)
    with tempfile.TemporaryDirectory(prefix="bench-schedule-") as folder:
        plane = await asyncio.to_thread(
            ControlPlane.start, controller_qps=SETTINGS[setting], audit_bodies=bool(wanted)
        )
        try:
            async with Api(plane) as api:
                made = Rig(plane, api, objects, Trail(plane.audit_log, wanted), Path(folder))
                for name in dict.fromkeys((NAMESPACE, *namespaces)):
                    await made.namespace(name, run_for)
                await _install(made)
                yield made
        finally:
            await asyncio.to_thread(plane.stop)


async def _install(made: Rig) -> None:
    for body in made.objects:
        kind, meta = body["kind"], body["metadata"]
        if kind in CLUSTER_PATHS:
            await made.api.call("POST", CLUSTER_PATHS[kind], body)
        elif kind in PLURALS and "helm.sh/hook" not in (meta.get("annotations") or {}):
            await made.api.call("POST", path(PLURALS[kind], meta.get("namespace", NAMESPACE)), body)

    async def served() -> bool:
        await made.api.call("GET", path("gscsyncschedules"))
        return True

    assert await made.api.until(served), "the resource is not served"


def next_minute(seconds: float) -> datetime:
    """The first full minute that is at least so many seconds away."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)


async def sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))
