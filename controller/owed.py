"""Owed: what was decided of a schedule and is not written yet.

When many Jobs start at once, that they did is written a little later (`act.progress`), so that their pods come first,
and a run that is over by then is told by one write. Until then decisions go on from what was decided, and what was to be
told is kept with it. It is memory alone: who dies owes what one owes who dies between a create and its status, and the
next start adopts the Job. Anybody else's write to the object ends the debt; the Job is adopted then, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controller.act.launcher import Work

if TYPE_CHECKING:
    from controller.model.status import Status
    from controller.table import Entry


class Owed:
    def __init__(self) -> None:
        self._works: dict[str, Work] = {}

    def __len__(self) -> int:
        return len(self._works)

    def base(self, entry: Entry) -> Status:
        """What to decide from: the status as decided last, written or not."""
        owed = self._of(entry)
        return owed.decision.status if owed else entry.status

    def join(self, work: Work) -> Work:
        """Add what is owed to what was decided from it.

        A launch has to wait: no Job is created while the status keeps silent about the one before.
        """
        owed = self._of(work.entry)
        if owed is None:
            return work
        first, then = owed.decision, work.decision
        if then.launch is not None:
            self.drop(work.entry.schedule.uid)
            return Work(work.entry, first)
        return Work(
            work.entry,
            replace(
                then,
                notices=(*first.notices, *then.notices),
                notes=(*first.notes, *then.notes),
                entered=(*first.entered, *then.entered),
                ended=(*first.ended, *then.ended),
            ),
        )

    def put(self, work: Work) -> None:
        """Its Job exists; its status is to be written later."""
        self._works[work.entry.schedule.uid] = Work(work.entry, replace(work.decision, launch=None))

    def drop(self, uid: str) -> None:
        self._works.pop(uid, None)

    def _of(self, entry: Entry) -> Work | None:
        uid = entry.schedule.uid
        owed = self._works.get(uid)
        if owed is not None and owed.entry.schedule.resource_version != entry.schedule.resource_version:
            self.drop(uid)
            return None
        return owed
