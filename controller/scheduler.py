"""Scheduler: the one loop. It sleeps until something is due or changed, asks `decide`, and hands over to the launcher.

Cost grows with what is due or changed, not with what exists: a heap of wake times and a set of changed UIDs. A turn
decides everything first, then creates all Jobs, so that a slot with a thousand schedules gets its Jobs before its
statuses. Statuses, deletions and events are written beside the next turns. Whoever fails is set back alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from controller.act.launcher import Work
from controller.act.pace import Pace
from controller.alarms import LONGEST_SETBACK, Alarms
from controller.carry import PASSING_SECONDS, Carrier
from controller.cluster.skew import STEP_SECONDS
from controller.decide.decide import decide
from controller.decide.wake import presses
from controller.fresh import Fresh
from controller.hands import Hands
from controller.model.policy import Policy, Site
from controller.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from controller.act.launcher import Launcher
    from controller.clock import Clock
    from controller.cluster.port import Cluster
    from controller.model.decision import Decision
    from controller.model.policy import Mode
    from controller.observe.metrics import Metrics
    from controller.table import Entry, Table

LONGEST_SLEEP = 30.0
"""Seconds; wall clocks step and machines are suspended, so never trust one long sleep."""
IDLE_SECONDS = 0.5
"""How often a replica that may not run looks whether it may."""
BREATH = 50
"""Decisions without letting others run: ten thousand in one go took longer than the Lease lasts on a busy machine."""

LATER = 500
"""Schedules of one turn that only wait to be looked at; whatever comes due meanwhile waits for no more than these."""

_NOBODY: Mapping[str, str] = MappingProxyType({})

log = logging.getLogger(__name__)


class Scheduler:
    def __init__(
        self,
        cluster: Cluster,
        table: Table,
        launcher: Launcher,
        metrics: Metrics,
        clock: Clock,
        *,
        held: Callable[[], str] = lambda: "",
        policy: Callable[[], Policy] = Policy,
        site: Site = Site(),  # noqa: B008 - frozen
        start_rate: float = 250.0,
        may_run: Callable[[], bool] = lambda: True,
        clock_stepped: Callable[[], Awaitable[object]] | None = None,
        compared: Callable[[], bool] = lambda: True,
        max_in_flight: int = 20,
        decider: Callable[..., Decision] = decide,
    ) -> None:
        self._table = table
        self._metrics = metrics
        self._clock = clock
        self._held = held
        self._may_run = may_run
        self._clock_stepped = clock_stepped
        self._decide = decider
        self._alarms = Alarms(clock)
        self._carrier = Carrier(
            table, launcher, metrics, clock, self._alarms, Pace(start_rate, clock), max_in_flight, policy
        )
        self._fresh = Fresh(cluster, table, metrics, compared, self._carrier.owed.base, self._lives)
        self._offset = self._wall_offset()
        self._was_held = ""
        self._policy = policy
        self._site = site
        self.queues = Queues(table, policy)
        self.later = LATER
        self.last_turn = clock.monotonic()
        """The last sign of life: a turn was over, or of a long one a part was read or a create was answered."""
        self.turns = 0
        self._deciding = 0
        self._hands = Hands(table)
        self._between = asyncio.Event()
        self._between.set()

    async def run(self) -> None:
        """For ever: a turn, then sleep."""
        try:
            while True:
                if self._may_run():
                    await self._turn()
                    await self._clock.wait(self._table.wake, self._alarms.seconds(LONGEST_SLEEP))
                else:
                    self.last_turn = self._clock.monotonic()
                    await self._clock.sleep(IDLE_SECONDS)
                self._hands.check()
        finally:
            self._hands.drop()

    def look_at_everything(self) -> None:
        """After a start, a change of leader or of what holds us: decide all anew, what presses first."""
        now = self._clock.now()
        for entry in self._table.entries():
            touch = self._table.touch if presses(*entry, now) else self._table.touch_later
            touch(entry.schedule.uid)

    def rests(self) -> bool:
        """Whether no schedule's time has come."""
        return self._alarms.seconds(LONGEST_SLEEP) > 0

    async def turn(self) -> None:
        """Decide and carry out all that is due or changed, and wait until it is written."""
        try:
            await self._turn()
            await self._hands.rest()
        finally:
            self._hands.drop()

    async def rest(self) -> None:
        """Wait until no turn is under way and nothing is being written."""
        await self._between.wait()
        await self._hands.empty.wait()

    def pending(self) -> int:
        """Schedules being decided or written at this moment."""
        return self._deciding + len(self._hands)

    async def _turn(self) -> None:
        self._between.clear()
        try:
            await self._decide_and_do()
        finally:
            self._deciding = 0
            self._between.set()
        self.last_turn = self._clock.monotonic()
        self.turns += 1

    async def _decide_and_do(self) -> None:
        await self._check_clock()
        held = self._held()
        if held != self._was_held:
            self._was_held = held
            self.look_at_everything()
        uids = [
            uid
            for uid in dict.fromkeys(
                (
                    *self._alarms.due(),
                    *self._table.take_changed(later=self.later),
                    *self.queues.with_room(self._now()),
                )
            )
            if not self._alarms.rests(uid) and not self._hands.hold(uid)
        ]
        self._deciding = len(uids)
        # One mode for the whole turn, so that each create can be told whether it is still the one.
        site = replace(self._site, mode=self._policy().mode)
        works, unsure = await self._decide_all(uids, held, site, fresh=False)
        sure: list[str] = []
        if unsure:
            read = await self._fresh.read(unsure)
            asked = [entry.schedule.uid for entry in unsure]
            for uid in asked:
                if uid not in read:
                    self._set_back(uid, "its state could not be read anew", longest=PASSING_SECONDS)
            sure = [uid for uid in asked if uid in read]
            works += (await self._decide_all(sure, held, site, fresh=True))[0]
        works, full = self.queues.split(works, self._now())
        if full:
            read_anew = set(sure)
            for fresh in (True, False):  # who would replace what runs has read nothing yet
                again = [uid for uid in full if (uid in read_anew) is fresh]
                made, unsure = await self._decide_all(again, held, site, fresh=fresh, queued=full)
                works += made
                for entry in unsure:  # something came in between: decided in the next turn
                    self._table.touch(entry.schedule.uid)
        created = await asyncio.gather(*(self._create(work, site.mode) for work in works))
        crowd = sum(work.decision.launch is not None for work in works)
        for work in created:
            if work is not None:
                self._hands.take(work.entry.schedule.uid, self._carrier.finish(work, crowd=crowd))

    async def _create(self, work: Work, mode: Mode) -> Work | None:
        created = await self._carrier.create(work, mode)
        if created is not None and work.decision.launch is not None:
            self._lives()
            self.queues.forget(work.entry.schedule.uid)
        return created

    def _lives(self) -> None:
        """The turn may have thousands to go, and whoever asks how we are must not end it for that."""
        self.last_turn = self._clock.monotonic()

    def _set_back(self, uid: str, why: str, *, longest: float = LONGEST_SETBACK) -> None:
        """It cannot be decided now."""
        self.queues.stand_aside(uid)
        self._carrier.set_back(uid, why, longest=longest)

    # -- deciding -----------------------------------------------------------------------------------------------------

    async def _decide_all(
        self, uids: Iterable[str], held: str, site: Site, *, fresh: bool, queued: Mapping[str, str] = _NOBODY
    ) -> tuple[list[Work], list[Entry]]:
        works: list[Work] = []
        unsure: list[Entry] = []
        for number, uid in enumerate(uids):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            entry = self._table.entry(uid)
            if entry is None:
                self._carrier.forget(uid)
                self.queues.forget(uid)
                continue
            try:
                decision = self._decide(
                    entry.schedule,
                    self._carrier.owed.base(entry),
                    self._table.jobs_of(uid),
                    self._now(),
                    jobs_fresh=fresh,
                    held=held,
                    queued=queued.get(uid, ""),
                    site=site,
                )
            except Exception:  # one odd object must not stop everybody's schedules; it is set back and shown
                log.exception("deciding failed", extra=_where(entry) | {"event": "decision.failed"})
                self._metrics.failed("decide")
                self._set_back(uid, "deciding failed")
                continue
            if decision.needs_fresh_jobs:
                unsure.append(entry)
                continue
            self._alarms.set(uid, decision.wake_at)
            works.append(self._carrier.owing(Work(entry, decision)))
        return works, unsure

    # -- the clock ----------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        """By the clock that this turn began with: one that steps while something is read decides nothing."""
        return datetime.fromtimestamp(self._offset + self._clock.monotonic(), UTC)

    def _wall_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def _check_clock(self) -> None:
        offset = self._wall_offset()
        if abs(offset - self._offset) > STEP_SECONDS:
            log.warning(
                "the wall clock stepped",
                extra={"event": "clock.stepped", "seconds": round(offset - self._offset, 1)},
            )
            if self._clock_stepped is not None:
                await self._clock_stepped()
        self._offset = offset


def _where(entry: Entry) -> dict[str, str]:
    return {"namespace": entry.schedule.namespace, "schedule": entry.schedule.name}
