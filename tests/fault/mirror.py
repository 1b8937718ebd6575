"""Mirror: all schedules and Jobs of all namespaces as the API server shows them, by one watch each, for every plan."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fault.admin import Admin, ApiError

Object = dict[str, Any]
PATHS = {
    "schedules": "/apis/gscsync.io/v1beta1/gscsyncschedules",
    "jobs": "/apis/batch/v1/jobs",
}


@dataclass(slots=True)
class View:
    """What is in one namespace."""

    schedules: dict[str, Object] = field(default_factory=dict)
    jobs: dict[str, Object] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def status(self, name: str) -> Object:
        found: Object = self.schedules.get(name, {}).get("status") or {}
        return found


class Mirror:
    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self.views: dict[str, View] = defaultdict(View)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._follow(kind)) for kind in PATHS]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, namespace: str, holds: Callable[[View], Any], seconds: float) -> Any:
        """Wait until something holds of the namespace; raises TimeoutError."""
        view = self.views[namespace]
        async with asyncio.timeout(seconds):
            while not (found := holds(view)):
                view.changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await view.changed.wait()
            return found

    async def _follow(self, kind: str) -> None:
        while True:
            try:
                version = await self._list(kind)
                await self._watch(kind, version)
            except (aiohttp.ClientError, ApiError, TimeoutError, OSError, ValueError):
                await asyncio.sleep(0.2)

    async def _list(self, kind: str) -> str:
        answer = await self._admin.call("GET", PATHS[kind])
        shown: dict[str, dict[str, Object]] = defaultdict(dict)
        for item in answer["items"]:
            shown[item["metadata"]["namespace"]][item["metadata"]["name"]] = item
        for namespace in {*shown, *self.views}:
            view = self.views[namespace]
            setattr(view, kind, shown[namespace])
            view.changed.set()
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, kind: str, version: str) -> None:
        async with self._admin.stream(
            f"{PATHS[kind]}?watch=1&resourceVersion={version}&timeoutSeconds=600"
        ) as answer:
            buffer = b""
            async for chunk in answer.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    self._take(kind, json.loads(line))

    def _take(self, kind: str, event: Object) -> None:
        item = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(item.get("code") or 500), str(item.get("message")))
        meta = item["metadata"]
        view = self.views[meta["namespace"]]
        known: dict[str, Object] = getattr(view, kind)
        if event["type"] == "DELETED":
            known.pop(meta["name"], None)
        else:
            known[meta["name"]] = item
        view.changed.set()
