"""Health: /healthz and /readyz on one port, /metrics on another, each a small HTTP server with time-outs.

Healthy means the loop turns, the table is compared with the server now and then, and the clock is right; a replica
that only waits for the Lease is healthy too. The facts are computed from ages at the moment somebody asks, on the
main loop, so a stuck loop cannot answer and the kubelet's own time-out says the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prometheus_client import CollectorRegistry

TURN_AGE = 120.0
RESYNCS_MISSED = 4
CLOCK_BAD = 300.0
REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Ages in seconds, all monotonic. `resync_age` None: none was completed yet."""

    turn_age: float
    resync_age: float | None
    resync_seconds: float
    since_start: float
    clock_bad_for: float
    held: str
    problems: tuple[str, ...] = ()
    leading: bool = False


def unhealthy(facts: Facts) -> list[str]:
    """Why a restart could help; empty when all is well."""
    reasons = []
    if facts.turn_age > TURN_AGE:
        reasons.append(f"the scheduler's last turn was {facts.turn_age:.0f} s ago")
    patience = max(facts.resync_seconds * RESYNCS_MISSED, TURN_AGE * 5)
    age = facts.since_start if facts.resync_age is None else facts.resync_age
    if age > patience:
        reasons.append(f"the last complete resync was {age:.0f} s ago")
    if facts.clock_bad_for > CLOCK_BAD:
        reasons.append(facts.held)
    return reasons


def unready(facts: Facts) -> list[str]:
    """Why nobody should count on us yet."""
    reasons = list(facts.problems)
    if facts.resync_age is None:
        reasons.append("the first resync is not done")
    return reasons


class Server:
    """One port. `port` 0 takes a free one; `start` returns what it became."""

    def __init__(self, bind: str, port: int, routes: dict[str, Callable[[], tuple[int, str, str]]]) -> None:
        self._bind = bind
        self._port = port
        self._routes = routes
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        app = web.Application(client_max_size=1024)
        for path, answer in self._routes.items():
            app.router.add_get(path, _handler(answer))
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=REQUEST_SECONDS,
            shutdown_timeout=1.0,
            handle_signals=False,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._bind, self._port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def health_routes(facts: Callable[[], Facts]) -> dict[str, Callable[[], tuple[int, str, str]]]:
    return {
        "/healthz": lambda: _verdict(unhealthy(facts())),
        "/readyz": lambda: _verdict(unready(facts())),
    }


def metrics_routes(
    registry: CollectorRegistry, refresh: Callable[[], None]
) -> dict[str, Callable[[], tuple[int, str, str]]]:
    def metrics() -> tuple[int, str, str]:
        refresh()
        return 200, generate_latest(registry).decode(), CONTENT_TYPE_LATEST

    return {"/metrics": metrics}


def _verdict(reasons: list[str]) -> tuple[int, str, str]:
    if reasons:
        return 503, "\n".join(reasons) + "\n", "text/plain; charset=utf-8"
    return 200, "ok\n", "text/plain; charset=utf-8"


def _handler(
    answer: Callable[[], tuple[int, str, str]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(_: web.Request) -> web.StreamResponse:
        status, text, content_type = answer()
        return web.Response(status=status, body=text.encode(), headers={"Content-Type": content_type})

    return handle
