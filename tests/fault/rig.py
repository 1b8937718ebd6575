"""Rig: one control plane with what all plans share, and a namespace with an operator's narrow rights for each.

Real: API server, etcd, Job and garbage collector controllers, scheduler. Simulated: the node, by kwok; what a pod does
is chosen by the name of its schedule (PODS). Every plan has its own proxy, operators and namespace; several go side by side.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from devcluster import simulate
from devcluster.api import ControlPlane
from tests.fault import tls
from tests.fault.admin import Admin, ApiError, until
from tests.fault.audit import PREFIX, Audit
from tests.fault.mirror import Mirror
from tests.fault.process import ROOT, Nursery
from tests.fault.relay import Relay
from tests.integration.controller.conftest import RULES

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ACCOUNT = "operator"
LEAVES_WITHIN = 90.0
"""Seconds, for a namespace or all that is in it."""


def summary(state: str = "Succeeded", **more: Any) -> str:
    """A termination message of the sync."""
    good = int(state == "Succeeded")
    counts = {"totalWorkspaces": 1, "succeededWorkspaces": good, "failedWorkspaces": 1 - good}
    return json.dumps({"version": 1, "state": state} | counts | more)


GOOD = {"exit_code": 0, "run_for": "0.2s", "message": summary(rowsWritten=7)}
SLOW = {"exit_code": 0, "run_for": "3s", "message": summary(rowsWritten=7)}
BAD = {"exit_code": 1, "run_for": "0.2s", "message": summary("Failed", message="database down")}
LATER = {"exit_code": 75, "run_for": "0.2s", "message": summary("Snoozed", snoozeSeconds=2)}
MISSING = {"outcome": "image-missing"}
ENDLESS = {"outcome": "run"}

PODS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "ok": (GOOD,),
    "slow": (SLOW,),
    "fail-once": (BAD, GOOD),
    "fail-twice": (BAD, BAD, GOOD),
    "snooze-once": (LATER, GOOD),
    "stuck": (MISSING, ENDLESS, GOOD),
}
"""Name of a schedule -> what its pods do, by launch of a run; the last goes on for ever."""
LAUNCHES = 6
BY_TRIGGER: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("endless-first", "Create"): ENDLESS,
    ("endless-first", "Cron"): GOOD,
}
"""Name of a schedule and trigger of the run -> what its pods do."""


class Rig:
    def __init__(self, plane: ControlPlane, nursery: Nursery, folder: Path) -> None:
        self.plane = plane
        self.nursery = nursery
        self.folder = folder
        self.admin = Admin(plane)
        self.wire = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=str(plane.ca_file)), limit=0
            ),
            timeout=aiohttp.ClientTimeout(total=None, connect=5),
            auto_decompress=False,
        )
        """From the proxies to the API server: without a certificate, so that only the operator's token counts."""
        self.mirror = Mirror(self.admin)
        self.audit = Audit(plane.audit_log)
        self.relay = Relay(plane.etcd_port)
        self.second_url = ""
        self._starting = asyncio.Lock()
        self.ca_file, self.tls = tls.make(folder)
        self._leaving: set[asyncio.Task[str]] = set()
        self.plans = itertools.count(1)
        self._swept: list[str] = []
        """Namespaces in which nothing is left of an earlier plan but its rights."""
        self.left_over: list[str] = []
        """Namespaces that did not go away within their time."""

    async def prepare(self) -> None:
        await self.admin.call(
            "POST", CRD, yaml.safe_load((ROOT / "crds" / "gscsyncschedule.yaml").read_text())
        )
        await until(lambda: self.admin.call("GET", "/apis/gscsync.io/v1beta1/gscsyncschedules"), 40)
        for schedule, launches in PODS.items():
            for launch in range(1, LAUNCHES + 1):
                chosen = simulate.as_annotations(**launches[min(launch, len(launches)) - 1])
                labels = {"gscsync.io/schedule": schedule, "gscsync.io/launch": str(launch)}
                await self._pods_do(f"{schedule}-{launch}", chosen, labels)
        for (schedule, trigger), what in BY_TRIGGER.items():
            labels = {"gscsync.io/schedule": schedule, "gscsync.io/trigger": trigger}
            await self._pods_do(f"{schedule}-{trigger}".lower(), simulate.as_annotations(**what), labels)
        self.mirror.start()

    async def second(self, lag: float) -> None:
        """A second API server on the same etcd, started for the first plan that asks; `lag` seconds behind."""
        async with self._starting:
            if not self.second_url:
                await self.relay.start()
                url, log = await asyncio.to_thread(self.plane.start_second_apiserver, self.relay.port)
                self.audit.add(log)
                # From its memory, which it fills for each custom resource only once it has heard of it.
                remembered = "/apis/gscsync.io/v1beta1/gscsyncschedules?resourceVersion=0"
                there = Admin(self.plane, url)
                await until(lambda: there.call("GET", remembered), 40)
                await there.close()
                self.second_url = url
        self.relay.lag = lag

    async def _pods_do(self, name: str, chosen: Mapping[str, str], labels: Mapping[str, str]) -> None:
        policy, binding = simulate.policy(name, "any", chosen, labels)
        policy["spec"]["matchConstraints"]["namespaceSelector"] = {"matchLabels": {"fault": "plan"}}
        await self.admin.call("POST", f"{ADMISSION}/mutatingadmissionpolicies", policy)
        await self.admin.call("POST", f"{ADMISSION}/mutatingadmissionpolicybindings", binding)

    async def pods_are_chosen(self, namespace: str) -> None:
        """The API server takes a second until it applies new policies."""
        labels = {"gscsync.io/schedule": "stuck", "gscsync.io/launch": str(LAUNCHES)}
        trial = {
            "metadata": {"generateName": "trial-", "labels": labels},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        }

        async def applied() -> bool:
            made = await self.admin.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", trial)
            return bool(made["metadata"].get("annotations"))

        await until(applied, 20)

    # -- one plan's room --------------------------------------------------------------------------------------------

    async def room(self) -> str:
        """A namespace with a service account that may do what the chart allows: a swept one, or a new one."""
        if self._swept:
            return self._swept.pop()
        namespace = f"{PREFIX}{secrets.token_hex(4)}"
        await self.admin.call(
            "POST", "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": {"fault": "plan"}}}
        )
        await self.make_account(namespace)
        await self.grant(namespace)
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        await until(lambda: self.admin.call("GET", account), 20)
        return namespace

    async def make_account(self, namespace: str) -> None:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        await self.admin.call("POST", path, {"metadata": {"name": ACCOUNT}})

    async def grant(self, namespace: str, rules: list[dict[str, Any]] = RULES) -> None:
        base = f"{RBAC}/namespaces/{namespace}"
        await self.admin.call("POST", f"{base}/roles", {"metadata": {"name": ACCOUNT}, "rules": rules})
        binding = {
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
        }
        await self.admin.call("POST", f"{base}/rolebindings", binding)

    async def token(self, namespace: str) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{ACCOUNT}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        answer = await self.admin.call("POST", path, body)
        return str(answer["status"]["token"])

    def write_kubeconfig(self, file: Path, port: int, token: str) -> None:
        """Replaced in one step, as a projected token is."""
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "p",
            "contexts": [{"name": "p", "context": {"cluster": "p", "user": "p"}}],
            "clusters": [{"name": "p", "cluster": cluster}],
            "users": [{"name": "p", "user": {"token": token}}],
        }
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(config))
        fresh.rename(file)

    def leave(self, namespace: str, *, for_good: bool) -> None:
        """Sweep the namespace for the next plan, or delete it and see whether it goes; beside the plans that follow."""
        task = asyncio.create_task(self._delete(namespace) if for_good else self._sweep(namespace))
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[str]) -> None:
        self._leaving.discard(task)
        if not task.cancelled() and task.exception() is None and task.result():
            self.left_over.append(task.result())

    async def _sweep(self, namespace: str) -> str:
        """Deleting a namespace costs the API server more than a plan does, so most are used again."""
        try:
            for path in (f"gscsync.io/v1beta1/namespaces/{namespace}/gscsyncschedules",
                         f"coordination.k8s.io/v1/namespaces/{namespace}/leases",
                         f"events.k8s.io/v1/namespaces/{namespace}/events"):  # fmt: skip
                await self.admin.call("DELETE", f"/apis/{path}")
            view = self.mirror.views[namespace]
            await self.mirror.until(namespace, lambda _: not view.jobs and not view.schedules, LEAVES_WITHIN)
            pods = f"/api/v1/namespaces/{namespace}/pods"
            await until(partial(self._none_left, pods), LEAVES_WITHIN, 0.3)
        except (TimeoutError, ApiError, aiohttp.ClientError):
            return await self._delete(namespace)
        self.audit.forget(namespace)
        self._swept.append(namespace)
        return ""

    async def _none_left(self, path: str) -> bool:
        return not (await self.admin.call("GET", path))["items"]

    async def _delete(self, namespace: str) -> str:
        path = f"/api/v1/namespaces/{namespace}"
        try:
            await self.admin.call("DELETE", path)
            await until(lambda: self.admin.gone(path), LEAVES_WITHIN, 1.0)
        except TimeoutError:
            return namespace
        except ApiError:
            pass
        finally:
            self.mirror.views.pop(namespace, None)
            self.audit.forget(namespace)
        return ""

    async def close(self) -> None:
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self.mirror.stop()
        self.audit.close()
        await self.relay.close()
        await self.admin.close()
        await self.wire.close()


@asynccontextmanager
async def a_rig(folder: Path | None = None) -> AsyncIterator[Rig]:
    """A fresh control plane, up within seconds, gone at the end."""
    plane = await asyncio.to_thread(ControlPlane.start)
    try:
        with tempfile.TemporaryDirectory(prefix="gsc-fault-") as made:
            async with Nursery() as nursery:
                rig = Rig(plane, nursery, folder or Path(made))
                try:
                    await rig.prepare()
                    trial = await rig.room()
                    await rig.pods_are_chosen(trial)
                    rig.leave(trial, for_good=True)
                    yield rig
                finally:
                    await rig.close()
    finally:
        await asyncio.to_thread(plane.stop)


__all__ = ["ADMISSION", "CRD", "RBAC", "Rig", "a_rig"]
