"""Several processes carry the cells of a launch: this one, and those that it starts beside itself.

Each cell goes to the process that carries the fewest; whoever asked waits, and meanwhile speaks for it: tokens, budgets,
breakers and retries stay in the launch. A process that ends by itself ends the launch, as an error of everybody: what it
had committed is in the ledger, and the next launch goes on from there.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol, Self

from sync.account import Account
from sync.carry import Carried, Errand, Here
from sync.errors import ProcessLost
from sync.google.account import GoogleAccount
from sync.google.transport import Transport
from sync.processes.beside import serve
from sync.processes.fork import fork
from sync.processes.line import carry_over
from sync.store.port import Store

MOST_LINES = 32
"""Cells under way at a time in each process beside the launch."""

LEAVE_SECONDS = 5.0
"""For a process to end when it is told to; then it is killed."""


class Beside(Protocol):
    """Whatever serves the lines."""

    def wait(self, seconds: float) -> int:
        """How it ended, as an exit code, negative for a signal; it ends when its lines are closed, or is killed."""


Ends = Sequence[Connection]
Start = Callable[[Callable[[], None], Ends, Ends], Beside]
"""Runs what it is given beside this process. Of the ends of pipes, the first are only for there, the second only for here."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """To one process."""

    process: Beside
    life: Connection
    """Nothing is ever said on it: when this end is closed, by whatever, the process ends."""
    ends: list[Connection]
    free: list[Connection]

    @property
    def busy(self) -> int:
        return len(self.ends) - len(self.free)


class SeveralProcesses:
    """A Carrier. Entered before this process has threads, left when no cell is under way any more or ever will be."""

    def __init__(
        self, others: int, *, lines: int, transport: Transport, store: Store, start: Start = fork
    ) -> None:
        """`others` are started beside this one; each carries at most `lines` cells at a time."""
        self._others, self._number = others, min(lines, MOST_LINES)
        self._transport, self._store, self._start = transport, store, start
        self._here = Here(store)
        self._lock = threading.Lock()
        self._busy_here = 0
        self._lines: list[_Lines] = []

    def __enter__(self) -> Self:
        for _ in range(self._others):
            pairs = [Pipe() for _ in range(self._number)]
            life_there, life_here = Pipe(duplex=False)
            ends, there = [here for here, _ in pairs], [there for _, there in pairs]
            older = [end for lines in self._lines for end in (lines.life, *lines.ends)]
            work = partial(serve, there, life_there, self._transport, self._store)
            process = self._start(work, [life_there, *there], [life_here, *ends, *older])
            self._lines.append(_Lines(process, life_here, ends, list(ends)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lines in self._lines:
            for end in (lines.life, *lines.ends):
                end.close()
        for lines in self._lines:
            lines.process.wait(LEAVE_SECONDS)

    def carry(self, errand: Errand, account: Account) -> Carried:
        """Raises what the cell raises, ProcessLost, and BrokenProcessError."""
        if not isinstance(account, GoogleAccount):
            return self._here.carry(errand, account)
        lent = self._lend()
        if lent is None:
            try:
                return self._here.carry(errand, account)
            finally:
                with self._lock:
                    self._busy_here -= 1
        lines, line = lent
        try:
            return carry_over(line, errand, account)
        except (EOFError, OSError) as error:
            raise ProcessLost(_how_it_ended(lines.process.wait(LEAVE_SECONDS))) from error
        finally:
            lines.free.append(line)

    def _lend(self) -> tuple[_Lines, Connection] | None:
        """A line to the process with the fewest cells; None means this process."""
        with self._lock:
            idlest = min(
                (each for each in self._lines if each.free), key=lambda each: each.busy, default=None
            )
            if idlest is None or self._busy_here < idlest.busy:
                self._busy_here += 1
                return None
            return idlest, idlest.free.pop()


def _how_it_ended(exit_code: int) -> str:
    how = f"with exit code {exit_code}"
    hint = ""
    if exit_code < 0:
        how = f"by {signal.Signals(-exit_code).name}"
        hint = " If its pod ran out of memory, raise resources.limits.memory." if exit_code == -9 else ""
    return f"A process of the launch ended {how}; what it had committed stays, the next launch goes on.{hint}"
