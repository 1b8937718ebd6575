"""Queues: puts the launches that a turn decided in order, and holds back those whose queue is full or paused.

They are brought back when there is room. Room is counted over the Jobs in the table, which holds our own creates from the moment they are answered. Without a
limit nothing is counted, so the usual installation pays nothing. A run that would replace another (`Replace`) asks for a place,
too, before that one is ended: it gets the place of what it ends, unless others wait for it with more right.

Priority and lateness go by the slot, or by how long the schedule has waited for a place without a break when that is longer:
a run that waits is folded into each newer slot, and would be young again. So nobody starves: after five minutes for each step
of its priority a schedule has the first one, and then only those go before it that have waited longer, each once. This is
memory alone: after a restart waiting begins from the slot of the run that waits, so one wait may be that much longer.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from controller.decide.queue import Candidate, in_order, refuse
from controller.decide.verdict import REPLACED
from controller.model.job import JobState
from controller.model.schedule import ConcurrencyPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from controller.act.launcher import Work
    from controller.model.policy import Policy
    from controller.table import Entry, Table


class Queues:
    def __init__(self, table: Table, policy: Callable[[], Policy]) -> None:
        self._table = table
        self._policy = policy
        self._waiting: dict[str, None] = {}
        self._since: dict[str, datetime] = {}
        """By UID, the slot with which it began to wait. Kept until it has its place, wants none any more or is gone."""

    def waiting(self) -> dict[str, int]:
        """Runs that are held back, by queue; for the metrics."""
        held: Counter[str] = Counter()
        for uid in self._waiting:
            entry = self._table.entry(uid)
            if entry is not None and entry.schedule.spec is not None:
                held[entry.schedule.spec.queue] += 1
        return dict(held)

    def split(self, works: Sequence[Work], now: datetime) -> tuple[list[Work], dict[str, str]]:
        """The works in the order of their launches, and, by UID, why others have to wait."""
        by_uid = {work.entry.schedule.uid: work for work in works}
        ordered = in_order((it for it in map(self._candidate, works) if it is not None), now)
        refused = self._refused(ordered, now) if self._policy().queues else {}
        for uid, work in by_uid.items():
            self._waiting.pop(uid, None)
            if not _wants_a_place(work):
                self._since.pop(uid, None)
        self._waiting.update(dict.fromkeys(refused))
        self._since.update((item.uid, item.due) for item in ordered if item.uid in refused or item.frees)
        first = [by_uid.pop(item.uid) for item in ordered if item.uid not in refused]
        rest = [work for uid, work in by_uid.items() if uid not in refused]
        return first + rest, refused

    def _refused(self, ordered: Sequence[Candidate], now: datetime) -> dict[str, str]:
        """Who has to wait. Who would end a launch for its place is held against those, too, who wait and are not asked now."""
        running, policy = self._running(), self._policy()
        refused = refuse(ordered, running, policy)
        replacing = {item.uid for item in ordered if item.frees}
        if replacing:
            asked = {item.uid for item in ordered}
            others = [item for item in self._held_back() if item.uid not in asked]
            among_all = refuse(in_order((*ordered, *others), now), running, policy)
            refused |= {uid: why for uid, why in among_all.items() if uid in replacing}
        return refused

    def with_room(self, now: datetime) -> list[str]:
        """The UIDs of those held back that could be launched now."""
        if not self._waiting:
            return []
        ordered = in_order(self._held_back(), now)
        refused = refuse(ordered, self._running(), self._policy())
        return [item.uid for item in ordered if item.uid not in refused]

    def _held_back(self) -> list[Candidate]:
        candidates = []
        for uid in tuple(self._waiting):
            entry = self._table.entry(uid)
            if entry is None or not entry.status.runs or entry.schedule.spec is None:
                # Its status may be on its way only: whether it waits on, its next decision says.
                del self._waiting[uid]
                continue
            slot = entry.status.runs[0].slot
            if entry.schedule.spec.concurrency is ConcurrencyPolicy.REPLACE and entry.status.active:
                # The run that it has is the one to be ended: what waits is younger.
                candidates.append(self._of(entry, self._since.get(uid, slot), frees=len(entry.status.active)))
            else:
                candidates.append(self._of(entry, slot))
        return candidates

    def _running(self) -> Counter[str]:
        running: Counter[str] = Counter()
        for job in self._table.jobs():
            entry = self._table.entry(job.owner_uid)
            if job.state is JobState.ACTIVE and entry is not None and entry.schedule.spec is not None:
                running[entry.schedule.spec.queue] += 1
        return running

    def running(self) -> dict[str, int]:
        """Launches that run, by queue; for the metrics."""
        return dict(self._running())

    def forget(self, uid: str) -> None:
        """It has its place, or is gone: it waits no more."""
        self._waiting.pop(uid, None)
        self._since.pop(uid, None)

    def stand_aside(self, uid: str) -> None:
        """It cannot be decided now, and must not keep a place free: it comes back by its alarm, no younger than it is."""
        self._waiting.pop(uid, None)

    def _candidate(self, work: Work) -> Candidate | None:
        decision = work.decision
        if decision.launch is not None:
            return self._of(work.entry, decision.launch.slot)
        if decision.replaces is not None:
            return self._of(work.entry, decision.replaces, frees=len(decision.status.active))
        return None

    def _of(self, entry: Entry, slot: datetime, *, frees: int = 0) -> Candidate:
        schedule, spec = entry.schedule, entry.schedule.spec
        return Candidate(
            uid=schedule.uid,
            namespace=schedule.namespace,
            name=schedule.name,
            queue=spec.queue if spec else "",
            priority=spec.priority if spec else 9,
            due=min(slot, self._since.get(schedule.uid, slot)),
            frees=frees,
        )


def _wants_a_place(work: Work) -> bool:
    """Whether something is to be launched, now or when what it replaces is gone: until then it grows no younger."""
    decision = work.decision
    return (
        decision.launch is not None
        or decision.replaces is not None
        or any(item.doomed == REPLACED for item in decision.status.active)
    )
