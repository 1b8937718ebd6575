"""Proxy: stands between one plan's operators and the API server, and does at the numbered moment what the plan says.

TLS to the operator, TLS to the API server, the operator's own token passed through. Every replica has a port of its
own, so that a fault strikes the one that asked. What is done to an answer is here; what is done to a watch, line by
line, is in stream.py; what is done to the world (kill, freeze, take rights away) is handed to the plan's scene.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
from aiohttp import web

from tests.fault.plan import WRITES, Fault, Plan, name_exchange
from tests.fault.stream import Stream, pump

HOP = {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "accept-encoding"}
KILL_AFTER_SECONDS = 0.005

Act = Callable[[Fault, int], Awaitable[None]]
"""What the plan does to the world, given the fault and the replica that asked."""

Upstream = Callable[[str], str]
"""The URL of the API server that gets an exchange of this name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of the trace."""

    at: float
    replica: int
    on: str
    number: int
    path: str
    status: int
    did: str = ""


class Proxy:
    def __init__(self, plan: Plan, upstream: Upstream, session: aiohttp.ClientSession, act: Act) -> None:
        self.plan = plan
        self._upstream = upstream
        self._session = session
        self._streams: set[Stream] = set()
        self.act = act
        self._runners: list[web.AppRunner] = []
        self._background: set[asyncio.Task[None]] = set()
        self._began = time.monotonic()
        self.counts: Counter[str] = Counter()
        self._own_counts: Counter[tuple[str, int]] = Counter()
        self.struck: Counter[int] = Counter()
        """How often each fault of the plan came to pass, by its place in the plan."""
        self.dropped: set[tuple[str, str]] = set()
        self.trace: list[Seen] = []
        self.broken: list[str] = []
        """Mistakes of the proxy itself: a plan in which there was one proves nothing."""
        self.down = False
        """As if nobody listened: every connection is cut."""
        self.last_write = time.monotonic()

    # -- life -------------------------------------------------------------------------------------------------------

    async def listen(self, replica: int, port: int, tls: ssl.SSLContext) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, replica)

        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{rest:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        self._runners.append(runner)

    async def close(self) -> None:
        self.down = True
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    async def settled(self) -> None:
        """Until all that the plan does to the world has been done."""
        while self._background:
            await asyncio.wait(set(self._background))

    def cut_streams(self) -> None:
        """Every watch ends, as when the API server behind it goes."""
        for stream in self._streams:
            if stream.request.transport is not None:
                stream.request.transport.abort()
            stream.answer.close()

    def note(self, replica: int, on: str, number: int, path: str, status: int, did: str = "") -> None:
        self.trace.append(
            Seen(round(time.monotonic() - self._began, 3), replica, on, number, path, status, did)
        )
        if on in WRITES:
            self.last_write = time.monotonic()

    def trace_json(self) -> str:
        return "\n".join(json.dumps(asdict(seen)) for seen in self.trace) + "\n"

    # -- choosing ---------------------------------------------------------------------------------------------------

    def strike(self, on: str, replica: int) -> tuple[int, Fault | None]:
        """Count an exchange or event of that name; the fault that strikes it, if any."""
        self.counts[on] += 1
        self._own_counts[on, replica] += 1
        for place, fault in enumerate(self.plan.faults):
            number = self._own_counts[on, replica] if fault.replica else self.counts[on]
            if fault.replica in {0, replica} and fault.strikes(on, number):
                self.struck[place] += 1
                return number, fault
        return self.counts[on], None

    def later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # -- answering --------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request, replica: int) -> web.StreamResponse:
        if self.down:
            return cut(request)
        on = name_exchange(request.method, request.path, request.query)
        number, fault = self.strike(on, replica) if on else (0, None)
        try:
            return await self._exchange(request, replica, on, number, fault)
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The API server is away, or the operator is: the other side sees its connection end.
            return cut(request)
        except Exception:
            self.broken.append(traceback.format_exc())
            raise

    async def _exchange(
        self, request: web.Request, replica: int, on: str, number: int, fault: Fault | None
    ) -> web.StreamResponse:
        body = await request.read()
        do = fault.do if fault else ""
        if fault:
            self.note(replica, on, number, request.path, 0, do)
            match do:
                case "kill-before":
                    await self.act(fault, replica)
                    return cut(request)
                case "reset":
                    return cut(request)
                case "hang":
                    await asyncio.sleep(float(fault.value))
                    return cut(request)
                case "hold":
                    await asyncio.sleep(float(fault.value))
                case "hold-frozen":
                    # It has left the operator, who sleeps; it arrives when another one leads.
                    self.later(self.act(fault, replica))
                    await asyncio.sleep(float(fault.value) - 1)
                case "status":
                    return status_answer(**fault.value)
                case "not-served":
                    return web.Response(status=404, text="404 page not found\n")
                case "body" if not on.startswith("watch"):
                    return odd_answer(str(fault.value))
                case "limit":
                    pass
                case _ if do not in {"kill-lost", "kill-after", "lose", "status-after", "half", "body"}:
                    # Something that is done to the world while this exchange goes on.
                    self.later(self.act(fault, replica))
                    await asyncio.sleep(0)
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP}
        # Else the session asks for gzip by itself, and a large answer comes as such.
        headers["Accept-Encoding"] = "identity"
        path = request.raw_path
        if do == "limit" and fault:
            path = path.replace("limit=500", f"limit={fault.value}")
        async with self._session.request(
            request.method, self._upstream(on) + path, data=body or None, headers=headers
        ) as answer:
            if on.startswith("watch") and answer.status == 200:
                self.note(replica, on, number, request.raw_path, answer.status)
                stream = Stream(request, answer, replica, on, fault)
                self._streams.add(stream)
                try:
                    return await pump(self, stream)
                finally:
                    self._streams.discard(stream)
            data = await answer.read()
            self.note(replica, on, number, request.raw_path, answer.status)
            if fault and do in {"kill-lost", "lose"}:
                if do == "kill-lost":
                    await self.act(fault, replica)
                return cut(request)
            if fault and do == "status-after":
                return status_answer(**fault.value)
            response = web.StreamResponse(status=answer.status)
            for key, value in answer.headers.items():
                if key.lower() not in HOP:
                    response.headers[key] = value
            if not (fault and do == "half"):
                response.content_length = len(data)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                if fault and do == "half":
                    await response.write(data[: len(data) // 2])
                    return cut(request)
                await response.write(data)
                await response.write_eof()
            if fault and do == "kill-after":
                await asyncio.sleep(KILL_AFTER_SECONDS)
                await self.act(fault, replica)
            return response


def cut(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def status_answer(code: int, headers: dict[str, str] | None = None, reason: str = "") -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason or REASONS.get(code, ""),
            "code": code, "message": "injected by the fault proxy"}  # fmt: skip
    return web.Response(
        status=code, text=json.dumps(body), content_type="application/json", headers=headers or {}
    )


def odd_answer(text: str) -> web.Response:
    """200, and a body that no API server sends."""
    return web.Response(status=200, text=text, content_type="application/json")


REASONS: dict[int, str] = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
"""What an API server says beside the number."""

Body = dict[str, Any]
