"""What one launch holds of all budgets, and the renewal of its leases.

A renewal is one short transaction for every budget that is in use, about once a second. Whoever finds a lease due does it;
nobody else waits for it but who has no lease yet. A budget that is used no more is given back along the way.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from sync.clock import Clock
from sync.errors import DatabaseError
from sync.quota.bucket import LEASE_SECONDS, Ask, Grant
from sync.quota.guard import Guard
from sync.quota.held import Held
from sync.quota.names import BucketName, Scope
from sync.quota.port import QuotaTable

AGAIN_SECONDS = 1.0
"""After a renewal that nobody heard."""

SOON_SECONDS = 0.5
"""What is due within this time is renewed along with what is due: one transaction instead of one a budget."""

FIRST_LEASE_SECONDS = 5.0
"""Who has no lease waits so long for one."""

_log = logging.getLogger(__name__)


class LeaseObserver(Protocol):
    """Is told of lessons and rests."""

    def quota_learned(self, *, scope: str, bucket: str, rate: float, pause: float) -> None: ...

    def quota_rests(self, *, scope: str, bucket: str, spent: str, seconds: float) -> None: ...


class Leases:
    """Safe to use from many threads; whoever reads or changes a Held has the `lock`."""

    def __init__(
        self,
        table: QuotaTable,
        *,
        ceilings: Mapping[Scope, float],
        holder: str,
        clock: Clock,
        observer: LeaseObserver,
        guard: Guard,
        portion: float,
    ) -> None:
        self._table, self._ceilings, self._holder, self._portion = table, ceilings, holder, portion
        self._clock, self._observer, self._guard = clock, observer, guard
        self._phase = zlib.crc32(holder.encode()) / 2**32
        self.lock = threading.Lock()
        self._renewing = threading.Lock()
        self._helds: dict[BucketName, Held] = {}

    def hold(self, names: Sequence[BucketName]) -> list[Held]:
        with self.lock:
            now = self._clock.monotonic()
            for name in names:
                if name not in self._helds:
                    self._helds[name] = Held.fresh(
                        name, self._ceilings[name.scope], now, self._portion, self._phase
                    )
                self._helds[name].asked_at = now
            return [self._helds[name] for name in names]

    def current(self, held: Held) -> Held:
        """Given back while its last question was under way, a budget is taken up again, as what it is now."""
        return self._helds.setdefault(held.name, held)

    def renew(self, wanted: Sequence[Held], *, hurry: bool = False) -> None:
        """Renew what is due of these, and what soon will be; `hurry` waits for a renewal that is under way."""
        now = self._clock.monotonic()
        due = [held for held in wanted if held.renew_at <= now]
        if not due:
            return
        must = hurry or any(held.granted is None for held in due)
        if not self._renewing.acquire(timeout=FIRST_LEASE_SECONDS if must else 0):
            return
        try:
            started = self._clock.monotonic()
            with self.lock:
                if all(held.renew_at > started for held in due):
                    return
                helds = self._in_use(started)
                asks = [held.ask(self._holder, started, leave=not used) for held, used in helds]
            grants = self._exchange(asks)
            with self.lock:
                self._settle([held for held, _ in helds], asks, grants, started)
        finally:
            self._renewing.release()

    def _in_use(self, now: float) -> list[tuple[Held, bool]]:
        """Budgets whose renewal is due or soon will be, and whether they are still used; in the order of their rows."""
        return [
            (held, held.waiting > 0 or now - held.asked_at < LEASE_SECONDS)
            for _, held in sorted(self._helds.items())
            if held.renew_at <= now + SOON_SECONDS
        ]

    def _settle(
        self,
        helds: Sequence[Held],
        asks: Sequence[Ask],
        grants: Mapping[BucketName, Grant] | None,
        started: float,
    ) -> None:
        now = self._clock.monotonic()
        for held, ask in zip(helds, asks, strict=True):
            grant = grants.get(held.name) if grants else None
            if grant is None:
                held.unheard(now)
                held.renew_at = now + AGAIN_SECONDS
                continue
            held.told(ask, grant, started, now)
            if ask.leave and not held.waiting and held.asked_at <= started:
                self._helds.pop(held.name, None)
            if grant.lesson and grant.learned is not None:
                self._observer.quota_learned(
                    scope=held.name.scope.value, bucket=held.name.name, rate=grant.learned, pause=grant.pause
                )
            if ask.rest is not None and grant.rest is not None:
                self._observer.quota_rests(
                    scope=held.name.scope.value,
                    bucket=held.name.name,
                    spent=grant.rest.spent.value,
                    seconds=grant.rest_seconds,
                )

    def _exchange(self, asks: Sequence[Ask]) -> Mapping[BucketName, Grant] | None:
        """None when the table could not be asked."""
        with self._guard.attempt("quota") as question:
            if question is None:
                return None
            try:
                grants = self._table.renew(asks)
            except DatabaseError as error:
                question.failed()
                _log.warning("quota leases could not be renewed: %s", error)
                return None
            question.succeeded()
            return grants

    def give_back(self) -> None:
        """All of it, at the end; closes the table."""
        with self._renewing:
            now = self._clock.monotonic()
            with self.lock:
                asks = [
                    held.ask(self._holder, now, leave=True) for held in self._helds.values() if held.granted
                ]
                self._helds.clear()
            # Dying before this, the leases run out by themselves; dying after it, nothing is left of us.
            if asks and self._exchange(asks) is not None:
                self._prune()
        self._table.close()

    def _prune(self) -> None:
        try:
            self._table.prune()
        except DatabaseError as error:
            _log.info("old budgets were not forgotten this time: %s", error)
