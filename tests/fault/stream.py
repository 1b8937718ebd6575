"""Stream: a watch as it passes the proxy, one line an event, and what can happen to an event on its way."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from tests.fault.plan import Fault

if TYPE_CHECKING:
    from tests.fault.proxy import Proxy

PATIENCE = 8.0
"""A held event that nothing follows is delivered after all."""
BIG = 2 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    request: web.Request
    answer: aiohttp.ClientResponse
    replica: int
    on: str
    fault: Fault | None
    """What strikes the watch itself, as its first line."""

    @property
    def kind(self) -> str:
        return self.on.removeprefix("watch ")


class _Cut(Exception):  # noqa: N818 - no error: the end of a stream
    """The connection is aborted."""


class _End(Exception):  # noqa: N818
    """The stream ends in order."""


class _Line:
    """One event, with the little that faults need of it."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        event: Any = json.loads(raw)
        self.type = str(event.get("type"))
        meta = (event.get("object") or {}).get("metadata") or {}
        self.uid = str(meta.get("uid", ""))
        self.version = str(meta.get("resourceVersion", ""))


async def pump(proxy: Proxy, stream: Stream) -> web.StreamResponse:
    """Pass the watch on until either side ends it, or the plan does."""
    response = web.StreamResponse(status=200, headers={"Content-Type": "application/json"})
    await response.prepare(stream.request)
    flow = _Flow(proxy, stream, response)
    try:
        if stream.fault is not None and stream.fault.do == "body":
            await flow.insert("garbage", stream.fault.value)
        await flow.run(cut_at_once=stream.fault is not None and stream.fault.do == "half")
    except (_Cut, ConnectionError, aiohttp.ClientError, TimeoutError):
        if stream.request.transport is not None:
            stream.request.transport.abort()
    except _End:
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
    return response


class _Flow:
    def __init__(self, proxy: Proxy, stream: Stream, response: web.StreamResponse) -> None:
        self._proxy = proxy
        self._stream = stream
        self._response = response
        self._held: list[tuple[_Line, str]] = []
        """Events kept back, and what for."""

    async def run(self, *, cut_at_once: bool) -> None:
        if cut_at_once:
            raise _Cut
        lines = self._stream.answer.content
        buffer = b""
        while True:
            try:
                async with asyncio.timeout(PATIENCE if self._held else None):
                    chunk = await lines.readany()
            except TimeoutError:
                await self._release()
                continue
            if self._proxy.down:
                raise _Cut
            if not chunk:
                await self._release()
                raise _End
            *whole, buffer = (buffer + chunk).split(b"\n")
            for raw in whole:
                if raw:
                    await self._event(_Line(raw))

    async def insert(self, what: str, value: Any = None) -> None:
        """A line that no API server should send."""
        match what:
            case "error":
                code = int(value)
                body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                        "reason": "Expired" if code == 410 else "InternalError", "message": "injected"}  # fmt: skip
                await self._write(json.dumps({"type": "ERROR", "object": body}).encode())
            case "null":
                await self._write(b'{"type":"MODIFIED","object":null}')
            case "unknown":
                await self._write(b'{"type":"SURPRISE","object":{"metadata":{}}}')
            case _:
                await self._write(str(value or "}garbage{").encode())

    async def _event(self, line: _Line) -> None:
        stream, proxy = self._stream, self._proxy
        if line.type == "BOOKMARK":
            await self._write(line.raw)
            return
        if (line.uid, line.version) in proxy.dropped:
            return
        number, fault = proxy.strike(f"event {stream.kind}", stream.replica)
        proxy.note(
            stream.replica,
            f"event {stream.kind}",
            number,
            f"{line.type} {line.version}",
            200,
            fault.do if fault else "",
        )
        for held, why in list(self._held):
            if why == "swap":
                self._held.remove((held, why))
                await self._write(line.raw)
                await self._write(held.raw)
                return
            if held.uid == line.uid:
                self._held.remove((held, why))
                await self._write(held.raw)
        if fault is None:
            await self._write(line.raw)
            return
        match fault.do:
            case "drop":
                proxy.dropped.add((line.uid, line.version))
            case "withhold" | "swap":
                self._held.append((line, fault.do))
            case "duplicate":
                for _ in range(1 + int(fault.value or 1)):
                    await self._write(line.raw)
            case "delay":
                await asyncio.sleep(float(fault.value))
                await self._write(line.raw)
            case "cut":
                await self._write(line.raw)
                raise _Cut
            case "half-cut" | "half-end":
                await self._response.write(line.raw[: len(line.raw) // 2])
                await asyncio.sleep(0.05)
                raise _Cut if fault.do == "half-cut" else _End
            case "silent":
                # Nothing comes any more, and nobody says that the other side is gone.
                await asyncio.sleep(float(fault.value))
                raise _Cut
            case "big":
                event = json.loads(line.raw)
                event["object"]["metadata"].setdefault("annotations", {})["big"] = "x" * BIG
                await self._write(json.dumps(event).encode())
            case "error" | "null" | "garbage" | "unknown":
                await self.insert(fault.do, fault.value)
                await self._write(line.raw)
            case _:
                proxy.later(proxy.act(fault, stream.replica))
                await self._write(line.raw)

    async def _release(self) -> None:
        held, self._held = self._held, []
        for line, _ in held:
            await self._write(line.raw)

    async def _write(self, raw: bytes) -> None:
        await self._response.write(raw + b"\n")
