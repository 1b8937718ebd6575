"""What a person with all rights does to the API server, many at a time."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

import aiohttp

from benchmarks.schedule.bodies import Body
from devcluster.api import ControlPlane

AT_A_TIME = 24
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATHS = {
    "gscsyncschedules": "/apis/gscsync.io/v1beta1",
    "jobs": "/apis/batch/v1",
    "cronjobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "serviceaccounts": "/api/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
}


def path(plural: str, namespace: str = "", name: str = "") -> str:
    base = PATHS[plural] + (f"/namespaces/{namespace}" if namespace else "")
    return f"{base}/{plural}" + (f"/{name}" if name else "")


class Api:
    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        self._tls = ssl.create_default_context(cafile=str(plane.ca_file))
        self._tls.load_cert_chain(str(plane.client_cert), str(plane.client_key))
        self._at_a_time = asyncio.Semaphore(AT_A_TIME)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, where: str, body: Any = None, kind: str = "application/json") -> Body:
        async with self._at_a_time:
            return await self._call(method, where, body, kind)

    async def _call(self, method: str, where: str, body: Any, kind: str) -> Body:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind}
        async with self._session.request(method, self._url + where, data=data, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise LookupError(f"{method} {where}: {answer.status} {text[:500]}")
            found: Body = json.loads(text)
            return found

    async def make(self, plural: str, bodies: Iterable[Body]) -> None:
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                group.create_task(self.call("POST", path(plural, body["metadata"]["namespace"]), body))

    async def change(self, plural: str, namespace: str, name: str, patch: Body) -> Body:
        return await self.call("PATCH", path(plural, namespace, name), patch, "application/merge-patch+json")

    async def count(self, plural: str) -> int:
        """How many there are, without reading them."""
        answer = await self.call("GET", f"{path(plural)}?limit=1")
        return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount") or 0)

    async def until(
        self, ask: Callable[[], Awaitable[Any]], seconds: float = 60.0, every: float = 0.25
    ) -> Any:
        """Ask until the answer is something; None when it never was."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                found = await ask()
            except LookupError:
                found = None
            if found:
                return found
            await asyncio.sleep(every)
        return None
