"""Gate: a Cluster whose writes are let through only while we lead.

The Lease closes it in the moment it is lost or can no longer be shown to be held; a write that has not left by then
never does. Safety does not rest on it (names, versions and the fence in Postgres do): it spares two leaders' quarrel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.cluster.port import NotLeader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from controller.cluster.port import Body, Cluster


class GatedCluster:
    def __init__(self, cluster: Cluster, is_open: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._is_open = is_open

    def _check(self) -> None:
        if not self._is_open():
            raise NotLeader("this replica does not hold the Lease")

    def list_schedules(self, namespace: str) -> AsyncIterator[Body]:
        return self._cluster.list_schedules(namespace)

    def list_jobs(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        return self._cluster.list_jobs(namespace, schedules)

    def list_pods(self, namespace: str, schedules: Sequence[str] = ()) -> AsyncIterator[Body]:
        return self._cluster.list_pods(namespace, schedules)

    async def get_schedule(self, namespace: str, name: str) -> Body:
        return await self._cluster.get_schedule(namespace, name)

    async def get_job(self, namespace: str, name: str) -> Body:
        return await self._cluster.get_job(namespace, name)

    async def create_job(self, namespace: str, body: Body) -> Body:
        self._check()
        return await self._cluster.create_job(namespace, body)

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        self._check()
        await self._cluster.delete_job(namespace, name, uid)

    async def patch_status(self, namespace: str, name: str, resource_version: str, status: Body) -> Body:
        self._check()
        return await self._cluster.patch_status(namespace, name, resource_version, status)

    async def create_event(self, namespace: str, body: Body) -> Body:
        self._check()
        return await self._cluster.create_event(namespace, body)

    async def patch_event(self, namespace: str, name: str, body: Body) -> Body:
        self._check()
        return await self._cluster.patch_event(namespace, name, body)

    async def get_lease(self, namespace: str, name: str) -> Body:
        return await self._cluster.get_lease(namespace, name)

    async def create_lease(self, namespace: str, body: Body) -> Body:
        return await self._cluster.create_lease(namespace, body)

    async def replace_lease(self, namespace: str, name: str, body: Body) -> Body:
        return await self._cluster.replace_lease(namespace, name, body)

    async def get_config(self, namespace: str, name: str) -> Body:
        return await self._cluster.get_config(namespace, name)

    async def server_time(self) -> datetime:
        return await self._cluster.server_time()

    async def problems(self, namespaces: Sequence[str] = ("",)) -> list[str]:
        return await self._cluster.problems(namespaces)

    async def close(self) -> None:
        await self._cluster.close()
