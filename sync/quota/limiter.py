"""What a launch asks before each request: wait here until property, identity and project all allow it.

Threads queue for tickets of all budgets at once; whoever finds a lease due renews it, for every budget that is in use,
in one short transaction about once a second, and nobody waits for a renewal but him (and whoever has no lease yet).
What happens without the table is in `held`: half the share for half a minute, then DatabaseUnavailable.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync.clock import Clock
from sync.errors import DailyQuotaError, DatabaseError, DatabaseUnavailable, LoadQuotaError, QuotaError
from sync.quota.bucket import LEASE_SECONDS, Ask, Grant
from sync.quota.guard import Guard
from sync.quota.held import ADRIFT_SECONDS, Held
from sync.quota.names import BucketName, Scope
from sync.quota.port import QuotaTable
from sync.quota.rest import Refused, Spent

NAP_SECONDS = 1.0
SOON_SECONDS = 0.5
"""What is due within this time is renewed along with what is due: one transaction instead of one a budget."""

FIRST_LEASE_SECONDS = 5.0
"""Who has no lease waits so long for one."""

_log = logging.getLogger(__name__)


class QuotaObserver(Protocol):
    """Is told of waits, lessons and rests."""

    def quota_waited(self, seconds: float) -> None: ...

    def quota_learned(self, *, scope: str, bucket: str, rate: float, pause: float) -> None: ...

    def quota_rests(self, *, scope: str, bucket: str, spent: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask once. Say how it went: `accepted`, `refused` or `postpone`; nothing when no answer came."""

    limiter: Limiter
    helds: tuple[tuple[Held, int], ...]

    def accepted(self) -> None:
        self.limiter.count(self.helds)

    def refused(self, blamed: frozenset[Scope] = frozenset()) -> None:
        """Too fast, says Google, for these scopes; when it names none that was used, for all of them."""
        guilty = [each for each in self.helds if each[0].name.scope in blamed]
        self.limiter.refuse(guilty or self.helds)

    def postpone(self, error: QuotaError) -> QuotaError:
        """Load or day are spent: everybody is told. Gives the error with the rest that holds for all."""
        return self.limiter.postpone([held for held, _ in self.helds], error)


class Limiter:
    """The budgets of one launch."""

    def __init__(
        self,
        table: QuotaTable,
        *,
        ceilings: Mapping[Scope, float],
        holder: str,
        clock: Clock,
        sleep: Callable[[float], None],
        observer: QuotaObserver,
        guard: Guard,
        portion: float = 1.0,
    ) -> None:
        """`ceilings` are the configured limits in requests a second; `holder` names this launch among all others.

        `portion` is how much of each this launch uses at most, though nobody else wanted any.
        """
        self._table, self._ceilings, self._holder, self._portion = table, ceilings, holder, portion
        self._clock, self._sleep, self._observer, self._guard = clock, sleep, observer, guard
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._helds: dict[BucketName, Held] = {}

    def acquire(self, names: Sequence[BucketName]) -> Permit:
        """Wait for a permit.

        Raises LoadQuotaError or DailyQuotaError while a budget rests, DatabaseUnavailable when the leases could not be
        renewed for too long, and Interrupted.
        """
        helds = self._hold(names)
        tickets: list[int] = []
        started = self._clock.monotonic()
        try:
            while True:
                self._renew(helds)
                with self._lock:
                    now = self._clock.monotonic()
                    _check(helds, now)
                    if not tickets:
                        tickets = [_queue(held) for held in helds]
                    wait = _longest(helds, tickets, now)
                    if wait <= 0:
                        tickets = []
                        permit = Permit(self, tuple(_serve(held, now) for held in helds))
                        break
                    due = min(held.renew_at for held in helds) - now
                self._sleep(min(wait, NAP_SECONDS, max(due, 0.05)))
        finally:
            with self._lock:
                for held, _ in zip(helds, tickets, strict=False):
                    held.waiting -= 1
                    held.pace = held.pace.leave()
        self._observer.quota_waited(now - started)
        return permit

    def count(self, helds: Sequence[tuple[Held, int]]) -> None:
        with self._lock:
            for known, epoch in helds:
                held = self._current(known)
                held.accepted += 1
                held.accepted_of_epoch += epoch == held.epoch

    def refuse(self, helds: Sequence[tuple[Held, int]]) -> None:
        refused = []
        with self._lock:
            for known, epoch in helds:
                held = self._current(known)
                held.refused += 1
                held.refused_of_epoch = held.refused_of_epoch or epoch == held.epoch
                held.renew_at = float("-inf")
                refused.append(held)
        self._renew(refused, hurry=True)

    def postpone(self, helds: Sequence[Held], error: QuotaError) -> QuotaError:
        daily = isinstance(error, DailyQuotaError)
        scope = Scope.PROJECT if daily else Scope.PROPERTY
        resting = [held for held in helds if held.name.scope is scope]
        resting = resting or [held for held in helds if held.name.scope is Scope.IDENTITY]
        refused = Refused(Spent.DAILY if daily else Spent.LOAD, error.retry_after)
        with self._lock:
            resting = [self._current(held) for held in resting]
            for held in resting:
                held.to_rest, held.renew_at = refused, float("-inf")
        self._renew(resting, hurry=True)
        with self._lock:
            now = self._clock.monotonic()
            return next((found for held in resting if (found := _rests(held, now, str(error)))), error)

    def close(self) -> None:
        """Give everything back, so that others need not wait for the leases to run out."""
        with self._renewing:
            now = self._clock.monotonic()
            with self._lock:
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

    def _hold(self, names: Sequence[BucketName]) -> list[Held]:
        with self._lock:
            now = self._clock.monotonic()
            for name in names:
                if name not in self._helds:
                    self._helds[name] = Held.fresh(name, self._ceilings[name.scope], now, self._portion)
                self._helds[name].asked_at = now
            return [self._helds[name] for name in names]

    def _current(self, held: Held) -> Held:
        """Given back while its last question was under way, a budget is taken up again, as what it is now."""
        return self._helds.setdefault(held.name, held)

    def _renew(self, wanted: Sequence[Held], *, hurry: bool = False) -> None:
        now = self._clock.monotonic()
        due = [held for held in wanted if held.renew_at <= now]
        if not due:
            return
        must = hurry or any(held.granted is None for held in due)
        if not self._renewing.acquire(timeout=FIRST_LEASE_SECONDS if must else 0):
            return
        try:
            started = self._clock.monotonic()
            with self._lock:
                if all(held.renew_at > started for held in due):
                    return
                helds = self._in_use(started)
                asks = [held.ask(self._holder, started, leave=not used) for held, used in helds]
            grants = self._exchange(asks)
            with self._lock:
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
                held.renew_at = now + NAP_SECONDS
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


def _queue(held: Held) -> int:
    held.pace = held.pace.queue()
    held.waiting += 1
    return held.pace.issued


def _longest(helds: Sequence[Held], tickets: Sequence[int], now: float) -> float:
    """The wait for the slowest; every budget remembers that it kept somebody waiting."""
    longest = 0.0
    for held, ticket in zip(helds, tickets, strict=True):
        wait = held.pace.wait(ticket, now)
        held.throttled = held.throttled or wait > 0
        longest = max(longest, wait)
    return longest


def _serve(held: Held, now: float) -> tuple[Held, int]:
    held.pace = held.pace.fill(now)
    held.waiting -= 1
    held.served += 1
    held.asked_at = now
    return held, held.epoch


def _check(helds: Sequence[Held], now: float) -> None:
    for held in helds:
        if error := _rests(held, now):
            raise error
        if not held.drift(now):
            raise DatabaseUnavailable(
                f"The leases of Google's quotas could not be renewed for {ADRIFT_SECONDS:.0f} s: the database is away or too slow."
            )


def _rests(held: Held, now: float, said: str = "") -> QuotaError | None:
    """The error of a budget that rests."""
    if held.rest is None or held.rest_until <= now:
        return None
    seconds = held.rest_until - now
    text = f"{held.name.scope} {held.name.name} rests for {seconds:.0f} s more, Google refused it for {held.rest.spent}"
    text = f"{text}: {said}" if said else text
    if held.rest.spent is Spent.DAILY:
        return DailyQuotaError(text, seconds)
    return LoadQuotaError(text, seconds, spent=held.rest.spent is Spent.DAILY_LOAD)
