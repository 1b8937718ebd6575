"""Hands: the schedules whose decision is being written, beside the turns that decide for the others.

A turn does not wait for them, since a thousand statuses take seconds and a slot may come due in any of them. What is in
hand is not decided again before its writes are over, whatever news comes: one schedule is done step by step, always.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from controller.table import Table


class Hands:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._failure: BaseException | None = None
        self.empty = asyncio.Event()
        """Set while nothing is in hand."""
        self.empty.set()

    def __len__(self) -> int:
        return len(self._tasks)

    def hold(self, uid: str) -> bool:
        """Whether it is in hand; if so, the scheduler is woken for it afterwards."""
        if uid not in self._tasks:
            return False
        self._again.add(uid)
        return True

    def take(self, uid: str, writes: Coroutine[Any, Any, None]) -> None:
        """Carry out the writes of a schedule that is not in hand."""
        self.empty.clear()
        self._tasks[uid] = task = asyncio.create_task(writes)
        task.add_done_callback(lambda done: self._over(uid, done))

    def check(self) -> None:
        """Raise what nobody understood in one of them: it ends the process, as it would in a turn."""
        if self._failure is not None:
            raise self._failure

    async def rest(self) -> None:
        """Wait until nothing is in hand; raises as `check` does, and at once."""
        while self._tasks and self._failure is None:
            await asyncio.wait(tuple(self._tasks.values()), return_when=asyncio.FIRST_EXCEPTION)
        self.check()

    def drop(self) -> None:
        """Cancel them all; each write is one that the process may die in."""
        for task in self._tasks.values():
            task.cancel()

    def _over(self, uid: str, task: asyncio.Task[None]) -> None:
        del self._tasks[uid]
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = failure
            self._table.wake.set()
        if uid in self._again:
            self._again.discard(uid)
            self._table.touch(uid)
        if not self._tasks:
            self.empty.set()
