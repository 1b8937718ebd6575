"""Scene: one plan's namespace, its operators behind their proxy, what a user does there, and what befalls the world."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from tests.fault import faketime
from tests.fault.admin import JSON_PATCH, MERGE, ApiError, until
from tests.fault.mirror import View
from tests.fault.plan import Fault, Plan
from tests.fault.process import Operator
from tests.fault.proxy import Proxy
from tests.fault.rig import ACCOUNT, RBAC, Rig
from tests.integration.controller.conftest import free_port
from tests.unit.controller.conftest import schedule_body

Object = dict[str, Any]
SHORT_LEASE = {
    "GSC_OPERATOR_LEASE_SECONDS": "6",
    "GSC_OPERATOR_LEASE_RENEW_SECONDS": "4",
    "GSC_OPERATOR_LEASE_RETRY_SECONDS": "0.3",
}
"""Where somebody waits for it to run out."""
LAG_SECONDS = 1.5
"""So late does the second API server learn of anything, in plans where it only lags."""
DEAF_SECONDS = 1.0
"""So long does it answer from the past while the operator has nobody else."""


class Scene:
    def __init__(self, rig: Rig, plan: Plan, namespace: str, folder: Path) -> None:
        self.rig = rig
        self.plan = plan
        self.namespace = namespace
        self.folder = folder
        self.proxy = Proxy(plan, self._server, rig.wire, self.act)
        self.operators: list[Operator] = []
        self.marks: dict[str, Object] = {}
        """Schedules as they were made, by what the workload calls them."""
        self.problems: list[str] = []
        self._token = ""
        self._ports: list[int] = []
        self._doings: set[asyncio.Task[None]] = set()
        self._moved = False
        self._turns = itertools.count()

    # -- life ---------------------------------------------------------------------------------------------------------

    def _server(self, on: str) -> str:
        """Which API server gets an exchange of this name."""
        second = {
            "watches": on.startswith("watch"),
            "turns": next(self._turns) % 2 == 1,
            "moved": self._moved,
        }
        return self.rig.second_url if second.get(self.plan.servers) else self.rig.plane.url

    async def open(self) -> None:
        if self.plan.servers:
            await self.rig.second(0.0 if self.plan.servers == "moved" else LAG_SECONDS)
        self._token = await self.rig.token(self.namespace)
        for replica in range(1, self.plan.replicas + 1):
            port = free_port()
            await self.proxy.listen(replica, port, self.rig.tls)
            kubeconfig = self.folder / f"kubeconfig-{replica}"
            self.rig.write_kubeconfig(kubeconfig, port, self._token)
            self._ports.append(port)
            environment = self._environment(replica, kubeconfig)
            by_exec = self.plan.start == "exec"
            self.operators.append(
                Operator(replica, self.rig.nursery, environment, self.folder, by_exec=by_exec)
            )
        for operator in self.operators:
            await operator.start()

    def _environment(self, replica: int, kubeconfig: Path) -> dict[str, str]:
        """Short times, so that a plan takes seconds; a container that is started again keeps its identity."""
        return {
            "PATH": os.environ["PATH"],
            "GSC_OPERATOR_KUBECONFIG": str(kubeconfig),
            "GSC_OPERATOR_NAMESPACES": self.namespace,
            "GSC_OPERATOR_NAMESPACE": self.namespace,
            "GSC_OPERATOR_IDENTITY": f"operator-{replica}",
            "GSC_OPERATOR_BIND": "127.0.0.1",
            "GSC_OPERATOR_HEALTH_PORT": "0",
            "GSC_OPERATOR_METRICS_PORT": "0",
            "GSC_OPERATOR_RESYNC_SECONDS": "5",
            "GSC_OPERATOR_REQUEST_TIMEOUT_SECONDS": "5",
            "GSC_OPERATOR_LOG_LEVEL": "INFO",
            **(SHORT_LEASE if self.plan.replicas > 1 else {}),
            **self._faketime(replica),
            **{f"GSC_OPERATOR_{key}": value for key, value in self.plan.settings.items()},
        }

    @property
    def _lease(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/gsc-sync-operator"

    async def quiet(self, seconds: float, patience: float = 40.0) -> bool:
        """Until no operator has written for so long."""
        end = time.monotonic() + patience + seconds
        while time.monotonic() - self.proxy.last_write < seconds:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.1)
        return True

    async def close(self) -> None:
        for task in list(self._doings):
            task.cancel()
        await asyncio.gather(*self._doings, return_exceptions=True)
        self.proxy.down = False
        await asyncio.gather(*(operator.stop() for operator in self.operators))
        await self.proxy.close()

    # -- what a user does ---------------------------------------------------------------------------------------------

    def path(self, plural: str, name: str = "") -> str:
        base = "/apis/gscsync.io/v1beta1" if plural == "gscsyncschedules" else "/apis/batch/v1"
        return f"{base}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def apply(self, name: str, mark: str = "", **spec: Any) -> Object:
        made = await self.rig.admin.call(
            "POST", self.path("gscsyncschedules"), schedule_body(name, self.namespace, **spec)
        )
        self.marks[mark or name] = made
        return made

    async def change(self, name: str, patch: Object) -> Object:
        return await self.rig.admin.call("PATCH", self.path("gscsyncschedules", name), patch, MERGE)

    async def edit(self, name: str, **spec: Any) -> Object:
        """Change the spec, and wait until the operator has answered that generation."""
        made = await self.change(name, {"spec": spec})
        generation = made["metadata"]["generation"]
        await self.until(name, lambda status: status.get("observedGeneration", 0) >= generation)
        return made

    async def run_now(self, name: str, token: str) -> None:
        await self.change(name, {"metadata": {"annotations": {"gscsync.io/run-now": token}}})

    async def delete(self, name: str) -> None:
        await self.rig.admin.call("DELETE", self.path("gscsyncschedules", name))

    async def until(self, name: str, holds: Callable[[Object], Any]) -> Object:
        """Wait until something holds of the status."""

        def there(view: View) -> Object | None:
            status = view.status(name)
            return status if status and holds(status) else None

        found: Object = await self.rig.mirror.until(self.namespace, there, self.plan.patience)
        return found

    # -- time, moved by hand: what a status says of the past is set earlier --------------------------------------------

    async def known(self, name: str) -> None:
        """Until the operator's first visit is over."""
        await self.until(name, lambda status: status.get("firstVisitDone") and status.get("effectiveSince"))

    async def backdate(self, name: str, since: datetime) -> None:
        """Slots count since then: those between then and now are due at once."""
        body = {"status": {"effectiveSince": f"{since:%Y-%m-%dT%H:%M:%SZ}"}}
        await self.rig.admin.call("PATCH", self.path("gscsyncschedules", name) + "/status", body, MERGE)

    async def backdate_or_none(self, name: str, since: datetime) -> bool:
        """The same, to be asked again when the API server is not there yet."""
        await self.backdate(name, since)
        return True

    async def hasten(self, name: str) -> None:
        """The run that waits for its retry need not wait any longer; looked at again when somebody wrote in between."""
        while True:
            item = self.rig.mirror.views[self.namespace].schedules.get(name) or {}
            if "notBefore" not in ((item.get("status") or {}).get("currentRun") or {}):
                return
            past = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
            patch = [
                {
                    "op": "test",
                    "path": "/metadata/resourceVersion",
                    "value": item["metadata"]["resourceVersion"],
                },
                {"op": "replace", "path": "/status/currentRun/notBefore", "value": past},
            ]
            path = self.path("gscsyncschedules", name) + "/status"
            try:
                await self.rig.admin.call("PATCH", path, patch, JSON_PATCH)
            except (ApiError, aiohttp.ClientError):
                await asyncio.sleep(0.1)
            else:
                return

    # -- what befalls the world ---------------------------------------------------------------------------------------

    async def act(self, fault: Fault, replica: int) -> None:
        """Carry out what a plan asks for at this moment; see plans for the words."""
        operator = self.operators[replica - 1]
        seconds = float(fault.value) if isinstance(fault.value, int | float) else 0.0
        match fault.do:
            case "kill-before" | "kill-lost" | "kill-after" | "kill":
                await operator.kill()
            case "term":
                await operator.terminate()
            case "roll":
                # The pod of a new version has a name of its own.
                operator.env["GSC_OPERATOR_IDENTITY"] += "-next"
                await operator.terminate()
            case "freeze" | "hold-frozen":
                operator.freeze()
                await asyncio.sleep(seconds)
                operator.thaw()
            case "stale" | "stale-kill":
                await self._move(seconds, operator if fault.do == "stale-kill" else None)
            case "api-down":
                self.proxy.down = True
                await asyncio.sleep(seconds)
                self.proxy.down = False
            case "rights-away":
                await self._without_rights(seconds)
            case "revoke":
                await self._revoke(seconds)
            case "compete":
                await self._compete(seconds)
            case "replace-status":
                await self._replace_status(fault.value)
            case "lease-deleted":
                await self.rig.admin.call("DELETE", self._lease)
            case "lease-stolen":
                spec = {
                    "holderIdentity": "somebody-else",
                    "renewTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
                }
                await self.rig.admin.call("PATCH", self._lease, {"spec": spec}, MERGE)
            case "clock-there-and-back":
                faketime.set_clock(self._clock_file(replica), seconds)
                await asyncio.sleep(8)
                faketime.set_clock(self._clock_file(replica), 0)
            case _:
                raise AssertionError(f"no such fault: {fault.do}")

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._doings.add(task)
        task.add_done_callback(self._doings.discard)

    async def _move(self, seconds: float, killed: Operator | None) -> None:
        """The second API server hears nothing for so long; then the operator has only that one, and later it hears again."""
        self.rig.relay.hold()
        try:
            await asyncio.sleep(seconds)
            self._moved = True
            self.proxy.cut_streams()
            if killed is not None:
                await killed.kill()
            await asyncio.sleep(DEAF_SECONDS)
        finally:
            self.rig.relay.release()

    async def _without_rights(self, seconds: float) -> None:
        base = f"{RBAC}/namespaces/{self.namespace}"
        for plural in ("rolebindings", "roles"):
            await self.rig.admin.call("DELETE", f"{base}/{plural}/{ACCOUNT}")
        await asyncio.sleep(seconds)
        await self.rig.grant(self.namespace)

    async def _revoke(self, seconds: float) -> None:
        """The service account is deleted and made anew: the old token is worth nothing, a new one comes later."""
        account = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{ACCOUNT}"
        await self.rig.admin.call("DELETE", account)
        await self.rig.make_account(self.namespace)
        await asyncio.sleep(seconds)
        self._token = await self.rig.token(self.namespace)
        for operator, port in zip(self.operators, self._ports, strict=True):
            self.rig.write_kubeconfig(Path(operator.env["GSC_OPERATOR_KUBECONFIG"]), port, self._token)

    async def _compete(self, seconds: float) -> None:
        """Another writer of the same object, 50 times a second."""
        end, number = time.monotonic() + seconds, 0
        name = next(iter(self.rig.mirror.views[self.namespace].schedules), "")
        while name and time.monotonic() < end:
            number += 1
            with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await self.change(name, {"metadata": {"annotations": {"users/note": str(number)}}})
            await asyncio.sleep(0.02)

    async def _replace_status(self, value: Any) -> None:
        """Somebody with the right writes into the status what he likes."""
        for name in list(self.rig.mirror.views[self.namespace].schedules):
            with contextlib.suppress(ApiError):
                await self.rig.admin.call(
                    "PATCH", self.path("gscsyncschedules", name) + "/status", {"status": value}, MERGE
                )

    def _clock_file(self, replica: int) -> Path:
        return self.folder / f"clock-{replica}"

    def _faketime(self, replica: int) -> dict[str, str]:
        if self.plan.start != "exec":
            return {}
        file = self._clock_file(replica)
        faketime.set_clock(file, 0)
        return faketime.environment(file)

    async def gone(self, path: str, seconds: float = 60) -> None:
        await until(lambda: self.rig.admin.gone(path), seconds)
