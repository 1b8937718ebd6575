"""Progress: which news of a status can wait a little, and how long.

That a launch's container runs by now is one write more for each run, and worth nothing once the run is over: most of
what a short run had to say is then said by one status. It is derived anew at each decision, so not writing it yet
loses nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.model.status import RunState

if TYPE_CHECKING:
    from datetime import datetime

    from controller.clock import Clock
    from controller.model.decision import Decision
    from controller.model.status import CurrentRun, Status

SECONDS = 3.0
"""From when it was first seen; a run that lasts longer is shown as running."""


class Patience:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}

    def until(self, uid: str, before: Status, decision: Decision) -> datetime | None:
        """When to look again at a schedule whose status may stay unwritten; None when it is to be written now."""
        says_more = decision.notices or decision.notes or decision.deletions
        if says_more or not only_started(before, decision.status):
            self.forget(uid)
            return None
        now = self._clock.monotonic()
        left = self._seen.setdefault(uid, now) + SECONDS - now
        if left <= 0:
            self.forget(uid)
            return None
        return self._clock.now() + timedelta(seconds=left)

    def forget(self, uid: str) -> None:
        self._seen.pop(uid, None)


def only_started(before: Status, after: Status) -> bool:
    """Whether all there is to write is that a container started."""
    return before != after and _unstarted(before) == _unstarted(after)


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
