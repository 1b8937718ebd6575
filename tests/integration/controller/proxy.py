"""Proxy: stands between the operator and the API server, and does what networks and kernels do at the worst moment.

A rule sees each finished exchange before its answer goes back; it may kill the operator, cut the connection (a lost
answer), or let it pass. The operator knows nothing of it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from tests.integration.controller.conftest import Api, free_port

Rule = Callable[[str, str, int], bool]
"""(method, path, status) -> whether the answer is lost; it may do anything before."""

HOP = {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding"}


class Proxy:
    def __init__(self, api: Api, token: str, folder: Path) -> None:
        self._upstream = api.url
        self._tls = api.tls
        self._token = token
        self._rule: Rule | None = None
        self._port = free_port()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.kubeconfig = folder / "proxy.kubeconfig"
        self.seen: list[tuple[str, str]] = []

    def once(self, method: str, ending: str, then: Callable[[], None] = lambda: None) -> None:
        """Lose the answer to the next such exchange, after it has taken effect; `then` runs first."""

        def rule(got: str, path: str, status: int) -> bool:
            if got != method or not path.endswith(ending) or status >= 300:
                return False
            self._rule = None
            then()
            return True

        self._rule = rule

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{rest:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.kubeconfig.write_text(yaml.safe_dump(self._config()))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    def _config(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "p",
            "contexts": [{"name": "p", "context": {"cluster": "p", "user": "p"}}],
            "clusters": [{"name": "p", "cluster": {"server": f"http://127.0.0.1:{self._port}"}}],
            "users": [{"name": "p", "user": {"token": self._token}}],
        }

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP}
        self.seen.append((request.method, request.path))
        async with self._session.request(
            request.method,
            self._upstream + request.raw_path,
            data=await request.read() or None,
            headers=headers,
        ) as answer:
            if self._rule and self._rule(request.method, request.path, answer.status):
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            response = web.StreamResponse(status=answer.status)
            for key, value in answer.headers.items():
                if key.lower() not in HOP:
                    response.headers[key] = value
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):  # a watcher that hung up
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response


def summary(state: str = "Succeeded", **more: Any) -> str:
    """A termination message of the sync."""
    counts = {
        "totalWorkspaces": 1,
        "succeededWorkspaces": int(state == "Succeeded"),
        "failedWorkspaces": int(state != "Succeeded"),
    }
    return json.dumps({"version": 1, "state": state} | counts | more)
