"""Slots: which are due, after a second or after a month of downtime, by the schedule's catch-up policy.

The real schedule is asked, never an estimate from its spacing, so irregular schedules keep their catch-up; gaps are
counted without walking them. However few of them run, data do not depend on it: the sync extends its window.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.decide.cron import COUNT_HORIZON, Cron
from controller.model.names import run_id_of_slot, slot_of_minutes
from controller.model.schedule import CatchUp, CatchUpPolicy

ON_TIME = timedelta(minutes=5)
"""With `None`, a slot that could not start within this time has passed; a restart of the operator is shorter."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Due:
    """Slots in (since, now]: one to run, others that go with it, and those that are missed, which are all older."""

    slot: datetime | None = None
    """The next to run."""
    coalesced: int = 0
    missed: int = 0
    missed_until: datetime | None = None
    """The newest of the missed."""
    following: tuple[datetime, ...] = ()
    """With `All`: due too, to be run after `slot`, oldest first."""
    at_least: bool = False
    """The counts are lower bounds: the gap is longer than what is counted."""

    def counted(self, number: int) -> str:
        return f"{'at least ' if self.at_least else ''}{number}"


def due(
    cron: Cron,
    since: datetime,
    now: datetime,
    catch_up: CatchUp,
    waited: tuple[str, ...] = (),
) -> Due:
    """What is due now, given that everything until `since` is decided. A slot exactly at `now` is due.

    `waited` are the run ids of slots that came in time and found a launch running: with `None` too they run late.
    """
    newest = cron.last_at_or_before(now)
    if newest is None or newest <= since:
        return Due()
    number = cron.count_between(since, newest)
    at_least = newest - since > COUNT_HORIZON
    if now - newest > timedelta(seconds=catch_up.max_age_seconds):
        return Due(missed=number, missed_until=newest, at_least=at_least)
    match catch_up.policy:
        case CatchUpPolicy.LATEST:
            return Due(newest, coalesced=number - 1, at_least=at_least)
        case CatchUpPolicy.NONE:
            if now - newest > ON_TIME and run_id_of_slot(newest) not in waited:
                return Due(missed=number, missed_until=newest, at_least=at_least)
            first = _first_in_time(since, newest, waited)
            coalesced = cron.count_between(first - _INSTANT, newest) - 1
            missed = number - 1 - coalesced
            before = cron.last_at_or_before(first - _INSTANT) if missed else None
            return Due(newest, coalesced, missed, before, at_least=at_least)
        case CatchUpPolicy.ALL:
            return _all(cron, since, now, newest, number, catch_up)


def _first_in_time(since: datetime, newest: datetime, waited: tuple[str, ...]) -> datetime:
    """The oldest of the slots that came in time and waited; the newest when none did."""
    slots = (slot_of_minutes(int(run_id)) for run_id in waited if run_id.isdecimal())
    return min((slot for slot in slots if since < slot < newest), default=newest)


def _all(cron: Cron, since: datetime, now: datetime, newest: datetime, number: int, catch_up: CatchUp) -> Due:
    """The newest `max_runs` of them run, from the oldest; those before go with the oldest, unless they are too old."""
    too_old = now - timedelta(seconds=catch_up.max_age_seconds)
    runs = [newest]
    while len(runs) < catch_up.max_runs:
        older = cron.last_at_or_before(runs[-1] - _INSTANT)
        if older is None or older <= since or older < too_old:
            break
        runs.append(older)
    missed_until = cron.last_at_or_before(min(too_old, runs[-1]) - _INSTANT)
    missed = 0
    if missed_until is not None and missed_until > since:
        missed = cron.count_between(since, missed_until)
    return Due(
        slot=runs[-1],
        coalesced=max(0, number - len(runs) - missed),
        missed=missed,
        missed_until=missed_until if missed else None,
        following=tuple(reversed(runs[:-1])),
        at_least=newest - since > COUNT_HORIZON,
    )
