"""Carry: what was decided is done, and who fails is set back alone.

Creates go at the start rate, everything is bounded in flight. A write that failed is decided again, later each time:
what the API server refuses waits for up to five minutes, what never reached it for half a minute at most, since it
may be back any moment, and where others write to a status only two seconds. What a create was decided from is looked
at once more when its turn has come: between the two may lie a minute of others' creates, and a kill switch.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from controller.act.launcher import Done, Work
from controller.act.progress import Patience
from controller.alarms import LONGEST_SETBACK
from controller.cluster.port import ClusterError, NotLeader, Refused
from controller.owed import Owed

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.act.launcher import Launcher
    from controller.act.pace import Pace
    from controller.alarms import Alarms
    from controller.clock import Clock
    from controller.model.policy import Mode, Policy
    from controller.observe.metrics import Metrics
    from controller.table import Table

PASSING_SECONDS, CONTESTED_SECONDS = 30.0, 2.0
"""The longest that an API server out of reach, and others who write, set a schedule back."""
FREE = 4
"""Of the writes in flight, how many no status, deletion or event takes: a Job that comes due waits for none of them."""
RESTLESS = 8
"""Writes in a row without a quiet turn after which a schedule is slowed down: nothing may spin."""

log = logging.getLogger(__name__)


class Carrier:
    def __init__(
        self,
        table: Table,
        launcher: Launcher,
        metrics: Metrics,
        clock: Clock,
        alarms: Alarms,
        pace: Pace,
        in_flight: int,
        policy: Callable[[], Policy],
    ) -> None:
        self._table = table
        self._launcher = launcher
        self._metrics = metrics
        self._alarms = alarms
        self._pace = pace
        self._policy = policy
        self._all = asyncio.Semaphore(in_flight)
        self._finishing = asyncio.Semaphore(max(in_flight - FREE, 1))
        self._patience = Patience(clock)
        self.owed = Owed()
        self._writes: dict[str, int] = {}
        self._contests: dict[str, int] = {}

    def owing(self, work: Work) -> Work:
        """Add what is owed of the schedule; when something is to be launched, that is written first, and now."""
        joined = self.owed.join(work)
        if work.decision.launch is not None and joined.decision.launch is None:
            self._patience.forget(work.entry.schedule.uid)
        return joined

    async def create(self, work: Work, mode: Mode) -> Work | None:
        """What became of a work that was decided under this mode of the kill switch; None when it is decided anew."""
        if work.decision.launch is None:
            return work
        await self._pace.wait()
        async with self._all:
            if not self._stands(work, mode):
                # Nothing of it was written and nothing is owed, so nothing is lost with it. Dying here: the next start
                # finds the slot due and no Job, and decides by the switch and the schedule of then, as we do.
                self._table.touch(work.entry.schedule.uid)
                return None
            try:
                created = await self._launcher.create(work)
            except ClusterError as error:
                self._failed(work, "create", error)
                return None
        self._alarms.set(work.entry.schedule.uid, created.decision.wake_at)
        return created

    def _stands(self, work: Work, mode: Mode) -> bool:
        """Whether what it was decided from is still so, as far as we know."""
        decided, entry = work.entry.schedule, self._table.entry(work.entry.schedule.uid)
        return (
            self._policy().mode is mode
            and entry is not None
            and entry.schedule.resource_version == decided.resource_version
        )

    async def finish(self, work: Work, *, crowd: int = 0) -> None:
        """Write, delete, tell. `crowd` is how many were launched in this turn."""
        uid = work.entry.schedule.uid
        again = self._patience.until(uid, work.entry.status, work.decision, crowd=crowd)
        if again is not None:
            if work.decision.entered:
                self.owed.put(work)
            self._alarms.set(uid, min(again, work.decision.wake_at or again))
            return
        async with self._finishing, self._all:
            try:
                done = await self._launcher.finish(work)
            except ClusterError as error:
                self._failed(work, "finish", error)
                return
        self.owed.drop(uid)
        if done is Done.GONE:
            self.forget(uid)
            return
        if done is Done.AGAIN:
            self._contested(uid)
            return
        self._alarms.went_well(uid)
        self._contests.pop(uid, None)
        if done is Done.QUIET:
            self._writes.pop(uid, None)
            self._metrics.schedule(work.entry.schedule, work.decision.status)
            return
        # What was written is a new state: look once more, until a turn has nothing to say about it.
        self._writes[uid] = self._writes.get(uid, 0) + 1
        if self._writes[uid] > RESTLESS:
            self.set_back(
                uid, "its status does not come to rest", times=self._writes[uid] - RESTLESS, deaf=True
            )
        else:
            self._table.touch(uid)

    def _contested(self, uid: str) -> None:
        """Somebody else wrote in between: decide again from what there is now, at most a little later."""
        self._contests[uid] = self._contests.get(uid, 0) + 1
        if self._contests[uid] > RESTLESS:
            self.set_back(uid, "others keep writing to its status", deaf=True, longest=CONTESTED_SECONDS)
        else:
            self._table.touch(uid)

    def _failed(self, work: Work, what: str, error: ClusterError) -> None:
        if not isinstance(error, NotLeader):
            self._metrics.failed(what)
        # What the API server refuses, it refuses again; what did not reach it may work as soon as it is back.
        longest = LONGEST_SETBACK if isinstance(error, Refused) else PASSING_SECONDS
        self.set_back(work.entry.schedule.uid, f"{what}: {error}", longest=longest)

    def set_back(
        self,
        uid: str,
        why: str,
        *,
        times: int | None = None,
        deaf: bool = False,
        longest: float = LONGEST_SETBACK,
    ) -> None:
        # A decision that was not carried out is decided again; its own wake time means nothing then.
        seconds = self._alarms.set_back(uid, times=times, deaf=deaf, longest=longest)
        log.warning(
            "set back",
            extra={"event": "schedule.set_back", "uid": uid, "seconds": seconds, "why": why[:512]},
        )

    def forget(self, uid: str) -> None:
        self._alarms.forget(uid)
        self._writes.pop(uid, None)
        self._contests.pop(uid, None)
        self._patience.forget(uid)
        self.owed.drop(uid)
        self._metrics.forget(uid)
