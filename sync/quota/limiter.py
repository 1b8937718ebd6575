"""What a launch asks before each request: wait here until property, identity and project all allow it.

Threads queue for tickets of all budgets at once, and see to it that the leases are renewed (`leases`). What happens without the table is in `held`: half the share for half a minute, then DatabaseUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync.clock import Clock
from sync.errors import DailyQuotaError, DatabaseUnavailable, LoadQuotaError, QuotaError
from sync.quota.guard import Guard
from sync.quota.held import ADRIFT_SECONDS, Held
from sync.quota.leases import LeaseObserver, Leases
from sync.quota.names import BucketName, Scope
from sync.quota.port import QuotaTable
from sync.quota.rest import Refused, Spent

NAP_SECONDS = 1.0
"""Who waits looks again so often: shares grow, and others leave the queue."""

SHORTEST_NAP_SECONDS = 0.05


class QuotaObserver(LeaseObserver, Protocol):
    """Is told of waits, too."""

    def quota_waited(self, seconds: float) -> None: ...


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
        self._clock, self._sleep, self._observer = clock, sleep, observer
        self._leases = Leases(
            table,
            ceilings=ceilings,
            holder=holder,
            clock=clock,
            observer=observer,
            guard=guard,
            portion=portion,
        )

    def acquire(self, names: Sequence[BucketName]) -> Permit:
        """Wait for a permit.

        Raises LoadQuotaError or DailyQuotaError while a budget rests, DatabaseUnavailable when the leases could not be
        renewed for too long, and Interrupted.
        """
        helds = self._leases.hold(names)
        tickets: list[int] = []
        started = self._clock.monotonic()
        try:
            while True:
                self._leases.renew(helds)
                with self._leases.lock:
                    now = self._clock.monotonic()
                    _check(helds, now)
                    if not tickets:
                        tickets = [_queue(held) for held in helds]
                    wait = _longest(helds, tickets, now)
                    if wait <= 0:
                        served, tickets = tickets, []
                        each = zip(helds, served, strict=True)
                        permit = Permit(self, tuple(_serve(held, ticket, now) for held, ticket in each))
                        break
                    due = min(held.renew_at for held in helds) - now
                self._sleep(min(wait, NAP_SECONDS, max(due, SHORTEST_NAP_SECONDS)))
        finally:
            with self._leases.lock:
                for held, ticket in zip(helds, tickets, strict=False):
                    held.pace = held.pace.leave(ticket)
        self._observer.quota_waited(now - started)
        return permit

    def count(self, helds: Sequence[tuple[Held, int]]) -> None:
        proven = []
        with self._leases.lock:
            for known, epoch in helds:
                held = self._leases.current(known)
                held.accepted += 1
                held.accepted_of_epoch += epoch == held.epoch
                if epoch == held.epoch and held.granted is not None and held.granted.proves:
                    held.renew_at = float("-inf")
                    proven.append(held)
        self._leases.renew(proven, hurry=True)

    def refuse(self, helds: Sequence[tuple[Held, int]]) -> None:
        refused = []
        with self._leases.lock:
            for known, epoch in helds:
                held = self._leases.current(known)
                held.refused += 1
                held.refused_of_epoch = held.refused_of_epoch or epoch == held.epoch
                held.renew_at = float("-inf")
                refused.append(held)
        self._leases.renew(refused, hurry=True)

    def postpone(self, helds: Sequence[Held], error: QuotaError) -> QuotaError:
        daily = isinstance(error, DailyQuotaError)
        scope = Scope.PROJECT if daily else Scope.PROPERTY
        resting = [held for held in helds if held.name.scope is scope]
        resting = resting or [held for held in helds if held.name.scope is Scope.IDENTITY]
        refused = Refused(Spent.DAILY if daily else Spent.LOAD, error.retry_after)
        with self._leases.lock:
            resting = [self._leases.current(held) for held in resting]
            for held in resting:
                held.to_rest, held.renew_at = refused, float("-inf")
        self._leases.renew(resting, hurry=True)
        with self._leases.lock:
            now = self._clock.monotonic()
            return next((found for held in resting if (found := _rests(held, now, str(error)))), error)

    def close(self) -> None:
        """Give everything back, so that others need not wait for the leases to run out."""
        self._leases.give_back()


def _queue(held: Held) -> int:
    held.pace = held.pace.join()
    return held.pace.issued


def _longest(helds: Sequence[Held], tickets: Sequence[int], now: float) -> float:
    """The wait for the slowest; every budget remembers that it kept somebody waiting."""
    longest = 0.0
    for held, ticket in zip(helds, tickets, strict=True):
        wait = held.pace.wait(ticket, now)
        held.throttled = held.throttled or wait > 0
        longest = max(longest, wait)
    return longest


def _serve(held: Held, ticket: int, now: float) -> tuple[Held, int]:
    held.pace = held.pace.serve(ticket, now)
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
