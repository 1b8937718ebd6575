"""Progress: which news of a status can wait a little, and how long.

That a launch's container runs by now is one write more for each run, and worth nothing once the run is over: most of
what a short run had to say is then said by one status. It is derived anew at each decision, so not writing it yet
loses nothing. When a crowd is launched at once the same holds for the launches themselves: their statuses would compete
with the creation of their pods, and the Job stands in the cluster whatever the status says.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.model.decision import EventReason
from controller.model.status import RunState

if TYPE_CHECKING:
    from datetime import datetime

    from controller.clock import Clock
    from controller.model.decision import Decision
    from controller.model.status import CurrentRun, Status

SECONDS = 3.0
"""From when it was first seen; a run that lasts longer is shown as running."""
CROWD = 20
"""Launches of one turn of which each is written at once."""
SECONDS_EACH, LONGEST_SECONDS = 0.1, 30.0
"""How long a launch may stay unwritten for each that was launched in the same turn, and at most."""


class Patience:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def until(self, uid: str, before: Status, decision: Decision, *, crowd: int = 0) -> datetime | None:
        """When to look again at a schedule whose status may stay unwritten; None when it is to be written now.

        `crowd` is how many were launched in this turn. A launch that was not let wait then is never made to wait.
        """
        seconds = self._seconds(uid, before, decision, crowd)
        if seconds is None:
            self.forget(uid)
            return None
        now = self._clock.monotonic()
        left = self._until.setdefault(uid, now + seconds) - now
        if left <= 0:
            self.forget(uid)
            return None
        return self._clock.now() + timedelta(seconds=left)

    def _seconds(self, uid: str, before: Status, decision: Decision, crowd: int) -> float | None:
        if only_launched(before, decision):
            waits = uid in self._until if decision.launch is None else crowd > CROWD
            return min(max(SECONDS, crowd * SECONDS_EACH), LONGEST_SECONDS) if waits else None
        says_more = decision.notices or decision.notes or decision.deletions
        return None if says_more or not only_started(before, decision.status) else SECONDS

    def forget(self, uid: str) -> None:
        self._until.pop(uid, None)


def only_launched(before: Status, decision: Decision) -> bool:
    """Whether all there is to write is the first launch of one due slot, which its Job tells as well."""
    after = decision.status
    if before.runs or before.active or len(decision.entered) != 1 or decision.deletions or decision.ended:
        return False
    if any(notice.reason is not EventReason.LAUNCHED for notice in decision.notices):
        return False
    run, launch = after.current, decision.entered[0]
    counted = replace(before.counters, launches=before.counters.launches + 1)
    return (
        run is not None
        and (run.run_id, run.trigger, launch.launch, launch.attempt) == (launch.run_id, "Cron", 1, 1)
        and run.state in (RunState.PENDING, RunState.RUNNING)
        and after.counters == counted
        and (before.observed_generation, before.schedule_hash)
        == (after.observed_generation, after.schedule_hash)
        and [item.status for item in before.conditions] == [item.status for item in after.conditions]
    )


def only_started(before: Status, after: Status) -> bool:
    """Whether all there is to write is that a container started."""
    if replace(before, conditions=()) == replace(after, conditions=()):
        return False  # a condition says something else, such as another mode of the kill switch
    return _unstarted(before) == _unstarted(after)


def _unstarted(status: Status) -> Status:
    return replace(
        status,
        active=tuple(replace(launch, started_at=None) for launch in status.active),
        current=_pending(status.current) if status.current else None,
        beside=tuple(_pending(run) for run in status.beside),
        conditions=tuple(replace(condition, message="") for condition in status.conditions),
    )


def _pending(run: CurrentRun) -> CurrentRun:
    return replace(run, state=RunState.PENDING) if run.state is RunState.RUNNING else run
