"""Lease: which replica leads, by one `coordination.k8s.io` Lease and client-go's rules.

A holder renews at a third of its deadline; a watcher trusts no clock but its own: it takes over when it has seen the
same record for a whole lease duration of its own monotonic time. A holder that could not renew within its deadline
stops leading by itself, before any other may start. `is_leading` asks the clock at each call, so even a process that
was frozen finds out before its next write, and each request's time-out is shorter than the renew interval.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.cluster.port import AlreadyExists, ClusterError, Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from controller.clock import Clock
    from controller.cluster.port import Body, Cluster


@dataclass(frozen=True, slots=True)
class Terms:
    namespace: str
    name: str
    identity: str
    lease_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0

    @property
    def interval(self) -> float:
        return self.renew_deadline_seconds / 3

    @property
    def request_seconds(self) -> float:
        return self.interval * 0.9


class Lease:
    def __init__(self, cluster: Cluster, clock: Clock, terms: Terms) -> None:
        self._cluster = cluster
        self._clock = clock
        self._terms = terms
        self._renewed_at: float | None = None
        self._seen: tuple[Any, ...] = ()
        self._seen_at = self._runs_out_at = clock.monotonic()
        self._given_up = False
        self._answered_at = clock.monotonic()
        self.steady_since = clock.monotonic()
        """Monotonic: since when the API server answered whenever asked, and this process was awake to ask."""
        self.held_since = clock.monotonic()
        """Monotonic: when the answer came that began our term, or the last one."""
        self.tried = asyncio.Event()
        """Set once it was asked for, whatever came of it."""

    @property
    def identity(self) -> str:
        return self._terms.identity

    def is_leading(self) -> bool:
        held = self._renewed_at
        return held is not None and self._clock.monotonic() - held < self._terms.renew_deadline_seconds

    async def acquire(self) -> None:
        """Return once we lead."""
        while not await self._try():
            left = self._runs_out_at - self._clock.monotonic()
            await self._clock.sleep(
                min(left, self._terms.retry_seconds) if left > 0 else self._terms.retry_seconds
            )

    async def hold(self, on_renewed: Callable[[], Awaitable[object]] | None = None) -> None:
        """Renew for ever; return when leadership is lost. Before that, nothing has to be told: ask `is_leading`."""
        pause = self._terms.interval
        while self.is_leading():
            await self._clock.sleep(pause)
            if not self.is_leading():
                break
            renewed = await self._try()
            # A slow answer has used up a third of the time already; waiting as long again would leave no third try.
            pause = self._terms.interval if renewed else self._terms.interval / 4
            if renewed and on_renewed is not None:
                # Whatever it asks must not cost us the next renewal.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._terms.request_seconds):
                        await on_renewed()
        self._renewed_at = None

    async def release(self) -> None:
        """Give it up for good, so that the next holder need not wait. Failing is harmless: it runs out."""
        self._given_up = True
        if self._renewed_at is None:
            return
        self._renewed_at = None
        try:
            async with asyncio.timeout(self._terms.request_seconds):
                lease = await self._cluster.get_lease(self._terms.namespace, self._terms.name)
                if (lease.get("spec") or {}).get("holderIdentity") != self._terms.identity:
                    return
                spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                # Dying before this write: the lease runs out by itself. Just after it: nothing is left to do.
                await self._cluster.replace_lease(
                    self._terms.namespace, self._terms.name, {**lease, "spec": spec}
                )
        except (ClusterError, TimeoutError):
            return

    async def _try(self) -> bool:
        """One round: true when we hold it now, counted from *before* the request that said so."""
        if self._given_up:
            return False
        asked = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._terms.request_seconds):
                held = await self._round()
        except (ClusterError, TimeoutError):
            # Nobody knows whether a renewal got through: the old deadline stands.
            self.tried.set()
            return False
        now = self._clock.monotonic()
        if now - self._answered_at > self._terms.renew_deadline_seconds:
            self.steady_since = now
        self._answered_at = now
        if held:
            if self._renewed_at is None:
                self.held_since = now
            self._renewed_at = asked
        self.tried.set()
        return held

    async def _round(self) -> bool:
        try:
            lease = await self._cluster.get_lease(self._terms.namespace, self._terms.name)
        except NotFound:
            return await self._create()
        spec = dict(lease.get("spec") or {})
        holder = spec.get("holderIdentity") or ""
        record = (holder, spec.get("renewTime"), spec.get("acquireTime"), spec.get("leaseTransitions"))
        if record != self._seen:
            self._seen, self._seen_at = record, self._clock.monotonic()
        if holder and holder != self._terms.identity:
            self._renewed_at = None
            duration = max(float(spec.get("leaseDurationSeconds") or 0), self._terms.lease_seconds)
            self._runs_out_at = self._seen_at + duration
            if self._clock.monotonic() < self._runs_out_at:
                return False
        return await self._replace(lease, spec, holder)

    async def _create(self) -> bool:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._terms.name, "namespace": self._terms.namespace},
            "spec": {**self._ours(), "acquireTime": self._stamp(), "leaseTransitions": 0},
        }
        try:
            # Dying around this write: the lease names us and runs out; we or another take it then.
            await self._cluster.create_lease(self._terms.namespace, body)
        except AlreadyExists:
            return False
        return True

    async def _replace(self, lease: Body, spec: dict[str, Any], holder: str) -> bool:
        taken = holder != self._terms.identity
        spec.update(self._ours())
        if taken:
            spec["acquireTime"] = self._stamp()
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        try:
            # Dying around this write: as with the create. The resource version decides between two takers.
            await self._cluster.replace_lease(
                self._terms.namespace, self._terms.name, {**lease, "spec": spec}
            )
        except (Conflict, NotFound):
            return False
        return True

    def _ours(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._terms.identity,
            "leaseDurationSeconds": max(int(self._terms.lease_seconds), 1),
            "renewTime": self._stamp(),
        }

    def _stamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
