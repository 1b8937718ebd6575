"""Admin: what a person with all rights does, without any code of the operator's."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

from devcluster.api import ControlPlane

PATIENCE = aiohttp.ClientTimeout(total=90)
JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text[:400]}")
        self.code = code


class Admin:
    def __init__(self, plane: ControlPlane, url: str = "") -> None:
        self.url = url or plane.url
        self.tls = ssl.create_default_context(cafile=str(plane.ca_file))
        self.tls.load_cert_chain(str(plane.client_cert), str(plane.client_key))
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.tls, limit=0),
                timeout=aiohttp.ClientTimeout(total=None, connect=5),
            )
        return self._session

    async def call(
        self, method: str, path: str, body: Any = None, content_type: str = JSON
    ) -> dict[str, Any]:
        data = None if body is None else json.dumps(body)
        try:
            async with self.session.request(
                method, self.url + path, data=data, headers={"Content-Type": content_type}, timeout=PATIENCE
            ) as answer:
                text = await answer.text()
        except TimeoutError as error:
            raise ApiError(0, f"{method} {path}: no answer within {PATIENCE.total} s") from error
        if answer.status >= 400:
            raise ApiError(answer.status, f"{method} {path}: {text}")
        found: dict[str, Any] = json.loads(text)
        return found

    def stream(self, path: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self.session.get(self.url + path, raise_for_status=True)

    async def gone(self, path: str) -> bool:
        try:
            await self.call("GET", path)
        except ApiError as error:
            return error.code == 404
        return False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def until(ask: Callable[[], Awaitable[Any]], seconds: float, every: float = 0.1) -> Any:
    """Ask until the answer is something; an API server that says no, or nothing, is asked again."""
    end, last = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            found = await ask()
        except (ApiError, aiohttp.ClientError, OSError) as error:
            last = str(error)
        else:
            if found:
                return found
        await asyncio.sleep(every)
    raise TimeoutError(f"not within {seconds:.0f} s {last}")
