"""One budget as all Jobs see it, and what happens when a Job renews its lease. Pure.

A lease is a share of the rate for some seconds. The shares of live leases never add up to more than the budget, since a
newcomer gets what is free and the others shrink at their own next renewal; the lease of a Job that died runs out by
itself. Every moment is one of the database's clock, in seconds since 1970; when that was set back, what lies too far
ahead is brought near, so that no step can close a budget for long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sync.quota.learning import LONGEST_PAUSE, Learned, Minute
from sync.quota.names import BucketName
from sync.quota.rest import LONGEST_REST, Refused, Rest
from sync.quota.shares import divide

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
HURRY_SECONDS = 0.25
"""Until a newcomer asks again whose share others have not made free yet."""

SHORT = 0.5
"""Of what is due: whoever got less asks again in a hurry."""

HEADROOM = 0.95
"""What is used of a limit that was set: with bursts, and Jobs whose clocks tick differently, no minute exceeds it."""

PROVER_RATE = 1.0
"""Requests a second of the one Job that finds out whether a lesson was enough."""

PROVER_SECONDS = 10.0
"""Whoever has found nothing out by then, perhaps for want of something to ask, lets the next one try."""

IDLE_SECONDS = 60.0
BINDING = 0.9
"""A budget is used to the full when so much of it is wanted."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What one holder was given. Rates in requests a second."""

    holder: str
    share: float
    wants: float
    ceiling: float
    until: float


@dataclass(frozen=True, slots=True)
class Ask:
    """What a Job says at a renewal: what it did since the last one, and what it wants."""

    name: BucketName
    holder: str
    ceiling: float
    """The configured limit, in requests a second."""
    wants: float
    accepted: int = 0
    accepted_of_epoch: int = 0
    refused: int = 0
    refused_of_epoch: bool = False
    epoch: int = 0
    """The lesson under which the counts `..._of_epoch` were sent."""
    rest: Refused | None = None
    leave: bool = False
    """Give the lease back."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a Job gets: a share until the lease ends, counted from when it asked."""

    name: BucketName
    share: float
    seconds: float
    renew_in: float
    short: bool
    """Less than what is due: the others will make room at their next renewal."""
    fresh: bool
    """Nobody else holds a share: a burst is nobody's loss."""
    epoch: int
    pause: float = 0.0
    """Seconds in which nothing may be asked."""
    rest: Rest | None = None
    rest_seconds: float = 0.0
    learned: float | None = None
    lesson: bool = False
    """Whether this very report taught the budget something."""
    proves: bool = False
    """The others wait for what becomes of this one's next question, and it is to be told at once."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The row of a budget."""

    name: BucketName
    learned: Learned = field(default_factory=Learned)
    minute: Minute = field(default_factory=Minute)
    leases: tuple[Lease, ...] = ()
    rest: Rest | None = None
    asked: int = 0
    """Questions accepted since the row was made."""
    touched_at: float = 0.0

    def limit(self, ceilings: Sequence[float]) -> float:
        """The rate of all holders together: the lowest ceiling among them, or less when less was learnt."""
        configured = HEADROOM * min(ceilings)
        return configured if self.learned.rate is None else min(configured, self.learned.rate)


def renew(bucket: Bucket, ask: Ask, now: float) -> tuple[Bucket, Grant]:
    """Count what was done, learn, let others' leases run out, and share anew."""
    known = _near(bucket, now)
    others = tuple(lease for lease in known.leases if lease.holder != ask.holder and lease.until > now)
    ceilings = [ask.ceiling, *(lease.ceiling for lease in others)]
    counted = replace(
        known,
        minute=known.minute.add(ask.accepted, now),
        learned=_counted(known.learned, ask),
        asked=known.asked + ask.accepted,
        rest=known.rest.after(ask.accepted, now) if known.rest else None,
    )
    if ask.rest is not None:
        counted = replace(counted, rest=ask.rest.since(counted.rest, now))
    wanted = ask.wants + sum(lease.wants for lease in others)
    learned, lesson = _learn(counted, ask, wanted, ceilings, now)
    counted = replace(counted, learned=learned, touched_at=now)
    limit = counted.limit(ceilings)
    wants = {lease.holder: lease.wants for lease in others}
    wants = wants if ask.leave else {**wants, ask.holder: ask.wants}
    prover = _prover(learned, wants, now) if learned.unproven else None
    shares = {prover: min(limit, PROVER_RATE)} if prover else divide(limit, wants)
    free = max(0.0, limit - sum(lease.share for lease in others))
    due = shares.get(ask.holder, 0.0)
    share = min(due, free)
    mine = () if ask.leave else (Lease(ask.holder, share, ask.wants, ask.ceiling, now + LEASE_SECONDS),)
    waits = prover not in (None, ask.holder) and learned.paused_until <= now
    grant = Grant(
        ask.name,
        share,
        LEASE_SECONDS,
        HURRY_SECONDS if share < SHORT * due or waits else RENEW_SECONDS,
        short=share < SHORT * due,
        fresh=not others,
        epoch=learned.epoch,
        pause=max(0.0, learned.paused_until - now),
        rest=counted.rest if counted.rest and counted.rest.until > now else None,
        rest_seconds=counted.rest.seconds(now) if counted.rest else 0.0,
        learned=learned.rate,
        lesson=lesson,
        proves=prover == ask.holder,
    )
    leases = tuple(sorted((*others, *mine), key=lambda lease: lease.holder))
    return replace(counted, leases=leases), grant


def _learn(
    bucket: Bucket, ask: Ask, wanted: float, ceilings: Sequence[float], now: float
) -> tuple[Learned, bool]:
    known, limit = bucket.learned, bucket.limit(ceilings)
    if ask.refused_of_epoch and ask.epoch == known.epoch:
        # A rate that was learnt is what was asked at; a configured one may be far above what was ever used.
        used = bucket.minute.recent(now) if known.rate is None else None
        return known.lower(limit if used is None else min(limit, used), bucket.minute, now), True
    if wanted >= BINDING * limit or now - bucket.touched_at > IDLE_SECONDS:
        return known.rise(bucket.minute, now, HEADROOM * max(ceilings)), False
    return known.stay(now), False


def _prover(learned: Learned, wants: Mapping[str, float], now: float) -> str | None:
    """Who asks alone after a lesson; none when nobody wants anything. Takes turns, since he may die or rest elsewhere."""
    willing = sorted(holder for holder, want in wants.items() if want > 0)
    turn = learned.epoch + int(max(0.0, now - learned.paused_until) // PROVER_SECONDS)
    return willing[turn % len(willing)] if willing else None


def _counted(learned: Learned, ask: Ask) -> Learned:
    current = ask.accepted_of_epoch if ask.epoch == learned.epoch else 0
    return replace(learned, refusals=learned.refusals + ask.refused, accepted=learned.accepted + current)


def _near(bucket: Bucket, now: float) -> Bucket:
    """No moment may lie further ahead than it could have been set."""
    learned = bucket.learned
    return replace(
        bucket,
        learned=replace(
            learned,
            changed_at=min(learned.changed_at, now),
            paused_until=min(learned.paused_until, now + LONGEST_PAUSE),
        ),
        leases=tuple(replace(lease, until=min(lease.until, now + LEASE_SECONDS)) for lease in bucket.leases),
        rest=replace(bucket.rest, until=min(bucket.rest.until, now + LONGEST_REST)) if bucket.rest else None,
        touched_at=min(bucket.touched_at, now),
    )
