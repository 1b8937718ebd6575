"""The HTTP server: reads requests, has them answered, sends and records the answers.

One catch-all handler, since a property is a percent-encoded path segment that a router would decode too early. Work
that can take time runs in worker threads; the loop only moves bytes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from emulator import control
from emulator.answers import Answer
from emulator.api import Api
from emulator.calls import Call, parse_call
from emulator.delivery import accepts_gzip, deliver
from emulator.faults import DELIVERIES, Fault
from emulator.journal import Entry, Journal

MAX_REQUEST = 4 * 1024 * 1024


@dataclass
class Service:
    """The API, its request log, and how slow it is."""

    api: Api
    latency_ms: float
    journal: Journal = field(default_factory=Journal)
    started: float = field(default_factory=time.monotonic)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.raw_path.startswith(control.PREFIX):
            return await control.handle(self.api, self, request)
        return await self._serve(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        begun = time.perf_counter()
        body = await request.read()
        authorization = request.headers.get("Authorization")
        account = self.api.account_of(authorization)
        call = parse_call(request.method, request.raw_path, body, account.name if account else "")
        form = (
            dict(parse_qsl(body.decode("utf-8", "replace")))
            if call.operation in ("token", "exchange")
            else {}
        )
        fault = self.api.script.take(call)
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        gzip = self.api.config.gzip and accepts_gzip(request)
        answer = await asyncio.to_thread(
            self.api.answer,
            call,
            authorization,
            form,
            fault,
            gzip=gzip,
            metadata_flavor=request.headers.get("Metadata-Flavor", ""),
        )
        try:
            return await deliver(
                request, answer, fault if fault and fault.kind in DELIVERIES else None, gzip=gzip
            )
        finally:
            self._record(call, answer, fault, begun)

    def _record(self, call: Call, answer: Answer, fault: Fault | None, begun: float) -> None:
        self.journal.add(
            Entry(
                time=self.api.clock.now().isoformat(),
                operation=call.operation or "unknown",
                property=call.site,
                account=call.account,
                day=call.day,
                last_day=call.last_day,
                type=call.search_type,
                start_row=call.start_row,
                status=answer.status,
                rows=answer.rows,
                bytes=len(answer.body),
                fault=fault.kind if fault else "",
                milliseconds=round((time.perf_counter() - begun) * 1000, 2),
                body=call.body,
            )
        )


def application(service: Service) -> web.Application:
    app = web.Application(client_max_size=MAX_REQUEST)
    app.router.add_route("*", "/{anything:.*}", service.handle)
    return app


async def start(service: Service, host: str, port: int) -> tuple[web.AppRunner, str]:
    """Bind and serve; returns the runner, to be cleaned up, and the URL."""
    runner = web.AppRunner(application(service), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0]
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    return runner, f"http://{shown}:{bound[1]}"
