"""A real API server with simulated pods, a namespace for each test, and the operator as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from devcluster import simulate
from devcluster.api import ControlPlane
from tests.unit.controller.conftest import schedule_body

ROOT = Path(__file__).parents[3]
PATIENCE = 40.0

RULES = [
    {"apiGroups": ["gscsync.io"], "resources": ["gscsyncschedules"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["gscsync.io"], "resources": ["gscsyncschedules/status"], "verbs": ["patch"]},
    {"apiGroups": ["gscsync.io"], "resources": ["gscsyncschedules/finalizers"], "verbs": ["update"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["gsc-sync-switch"], "verbs": ["get"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
]
"""All that the operator may do. The chart grants the same."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.needs_cluster)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane.start() as plane:
        api = Api(plane)
        crd = yaml.safe_load((ROOT / "crds" / "gscsyncschedule.yaml").read_text())
        asyncio.run(api.once("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd))
        asyncio.run(api.until_served())
        yield plane


class Api:
    """What a person with all rights does, without any code of the operator's."""

    def __init__(self, plane: ControlPlane) -> None:
        self.url = plane.url
        self.tls = ssl.create_default_context(cafile=str(plane.ca_file))
        self.tls.load_cert_chain(str(plane.client_cert), str(plane.client_key))
        self.session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        if self.session is None:
            self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls))
        data = None if body is None else json.dumps(body)
        async with self.session.request(
            method, self.url + path, data=data, headers={"Content-Type": content_type}
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise LookupError(f"{method} {path}: {answer.status} {text}")
            found: dict[str, Any] = json.loads(text)
            return found

    async def once(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            return await self.call(method, path, body)
        finally:
            await self.close()

    async def until_served(self) -> None:
        """Just after a CRD is made its storage answers 429."""
        try:
            await self.wait_for(lambda: self.call("GET", "/apis/gscsync.io/v1beta1/gscsyncschedules"))
        finally:
            await self.close()

    async def close(self) -> None:
        if self.session is not None:
            await self.session.close()
            self.session = None

    async def wait_for(self, ask: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Ask until the answer is something."""
        end, last = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                found = await ask()
            except LookupError as error:
                last = str(error)
            else:
                if found:
                    return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"not within {seconds:.0f} s {last}")


class Team:
    """One namespace: schedules in it, what its pods do, and what came of them."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def path(self, plural: str, name: str = "") -> str:
        base = {"gscsyncschedules": "/apis/gscsync.io/v1beta1", "jobs": "/apis/batch/v1", "pods": "/api/v1",
                "events": "/apis/events.k8s.io/v1", "leases": "/apis/coordination.k8s.io/v1", "configmaps": "/api/v1"}[plural]  # fmt: skip
        return f"{base}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def apply(self, name: str = "marketing", **spec: Any) -> dict[str, Any]:
        return await self.api.call(
            "POST", self.path("gscsyncschedules"), schedule_body(name, self.namespace, **spec)
        )

    async def change(self, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        return await self.api.call(
            "PATCH", self.path("gscsyncschedules", name), patch, "application/merge-patch+json"
        )

    async def status(self, name: str = "marketing") -> dict[str, Any]:
        return (await self.api.call("GET", self.path("gscsyncschedules", name))).get("status", {})

    async def jobs(self) -> list[dict[str, Any]]:
        items = (await self.api.call("GET", self.path("jobs")))["items"]
        return sorted(items, key=lambda job: int(job["metadata"]["labels"].get("gscsync.io/launch", 0)))

    async def reasons(self) -> list[str]:
        items = (await self.api.call("GET", self.path("events")))["items"]
        return [it["reason"] for it in items if (it.get("regarding") or {}).get("kind") == "GscSyncSchedule"]

    async def until(self, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        last: dict[str, Any] = {}

        async def ask() -> dict[str, Any] | None:
            nonlocal last
            last = await self.status(name)
            return last if holds(last) else None

        try:
            return await self.api.wait_for(ask)
        except AssertionError as error:
            raise AssertionError(f"{error}; the status is {json.dumps(last)}") from None

    async def pods_do(self, labels: Mapping[str, str] | None = None, **what: Any) -> None:
        """Choose what becomes of new pods (with these labels), and wait until the API server applies it."""
        name = f"{self.namespace}-{secrets.token_hex(3)}"
        chosen = simulate.as_annotations(**what) | {"test/policy": name}
        for body in simulate.policy(name, self.namespace, chosen, labels):
            plural = (
                "mutatingadmissionpolicies"
                if body["kind"].endswith("Policy")
                else "mutatingadmissionpolicybindings"
            )
            await self.api.call("POST", f"/apis/admissionregistration.k8s.io/v1/{plural}", body)
        trial = {
            "metadata": {"generateName": "trial-", "labels": dict(labels or {})},
            "spec": {"containers": [{"name": "x", "image": "x"}]},
        }

        async def applied() -> bool:
            made = await self.api.call("POST", self.path("pods") + "?dryRun=All", trial)
            return (made["metadata"].get("annotations") or {}).get("test/policy") == name

        await self.api.wait_for(applied)


@pytest.fixture
async def team(control_plane: ControlPlane) -> AsyncIterator[Team]:
    api = Api(control_plane)
    namespace = f"team-{secrets.token_hex(4)}"
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    team = Team(api, namespace)

    async def admits_pods() -> Any:
        return await api.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")

    await api.wait_for(admits_pods)
    yield team
    await api.call("DELETE", f"/api/v1/namespaces/{namespace}")
    await api.close()


class Operator:
    """`python -m controller` as a process: started, killed, started again."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.health_port, self.metrics_port = free_port(), free_port()
        self.starts = 0

    def start(self, **settings: str) -> None:
        self.starts += 1
        environment = {
            "PATH": os.environ["PATH"],
            **{key: value for key, value in os.environ.items() if key.startswith("COVERAGE")},
            "GSC_OPERATOR_KUBECONFIG": str(self.kubeconfig),
            "GSC_OPERATOR_NAMESPACES": self.namespace,
            "GSC_OPERATOR_NAMESPACE": self.namespace,
            "GSC_OPERATOR_IDENTITY": f"operator-{self.starts}",
            "GSC_OPERATOR_LEASE_SECONDS": "3",
            "GSC_OPERATOR_LEASE_RENEW_SECONDS": "2",
            "GSC_OPERATOR_LEASE_RETRY_SECONDS": "0.5",
            "GSC_OPERATOR_BIND": "127.0.0.1",
            "GSC_OPERATOR_HEALTH_PORT": str(self.health_port),
            "GSC_OPERATOR_METRICS_PORT": str(self.metrics_port),
            "GSC_OPERATOR_RESYNC_SECONDS": "5",
            "GSC_OPERATOR_LOG_LEVEL": "DEBUG",
            **settings,
        }
        with (self.folder / f"operator-{self.starts}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    async def stop(self) -> int:
        """SIGTERM; the operator must be gone well within a pod's grace period."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 10)

    def log(self) -> list[dict[str, Any]]:
        text = (self.folder / f"operator-{self.starts}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    async def get(self, path: str, *, metrics: bool = False) -> tuple[int, str]:
        port = self.metrics_port if metrics else self.health_port
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def metric(self, series: str) -> float:
        _, text = await self.get("/metrics", metrics=True)
        return next(
            (float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series)), 0.0
        )


@pytest.fixture
async def operator(control_plane: ControlPlane, team: Team, tmp_path: Path) -> AsyncIterator[Operator]:
    """Not started yet; with exactly the rights that the chart grants."""
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{team.namespace}"
    await team.api.call(
        "POST", f"/api/v1/namespaces/{team.namespace}/serviceaccounts", {"metadata": {"name": "operator"}}
    )
    await team.api.call("POST", f"{base}/roles", {"metadata": {"name": "operator"}, "rules": RULES})
    await team.api.call(
        "POST",
        f"{base}/rolebindings",
        {
            "metadata": {"name": "operator"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
            "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": team.namespace}],
        },
    )
    kubeconfig = control_plane.service_account_kubeconfig(team.namespace, "operator")
    made = Operator(kubeconfig, team.namespace, tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        await made.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
