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
from sync.errors import ProcessLost, SyncError
from sync.google.account import GoogleAccount
from sync.google.transport import Transport
from sync.processes.away import carry_away
from sync.processes.beside import serve
from sync.processes.fork import Closes, fork
from sync.processes.line import Line, LineClosedError
from sync.store.port import Store

MOST_LINES = 32
"""Cells under way at a time in each process beside the launch."""

LEAVE_SECONDS = 5.0
"""For a process to end when it is told to; then it is killed."""


class Beside(Protocol):
    """Whatever serves the lines."""

    def wait(self, seconds: float) -> int | None:
        """How it ended, as an exit code, negative for a signal. None: it did not in so many seconds, and was killed."""


Ends = Sequence[Closes]
Start = Callable[[Callable[[], None], Ends, Ends], Beside]
"""Runs what it is given beside this process. Of the ends of pipes, the first are only for there, the second only for here."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """To one process."""

    process: Beside
    life: Connection
    """Nothing is ever said on it: when this end is closed, by whatever, the process ends."""
    ends: list[Line]
    free: list[Line]

    @property
    def busy(self) -> int:
        return len(self.ends) - len(self.free)

    def close(self) -> None:
        self.life.close()
        for end in self.ends:
            end.close()


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
            there = [end for _, end in pairs]
            here = [Line(end) for end, _ in pairs]
            work = partial(serve, there, life_there, self._transport, self._store)
            process = self._start(work, [life_there, *there], [life_here, *here, *self._lines])
            self._lines.append(_Lines(process, life_here, here, list(here)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lines in self._lines:
            lines.close()
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
            carried = carry_away(line, errand, account)
        except SyncError:
            lines.free.append(line)
            raise
        except LineClosedError as error:
            raise ProcessLost(_how_it_ended(lines.process.wait(LEAVE_SECONDS))) from error
        lines.free.append(line)
        return carried

    def _lend(self) -> tuple[_Lines, Line] | None:
        """A line to the process with the fewest cells; None means this process."""
        with self._lock:
            idlest = min(
                (each for each in self._lines if each.free), key=lambda each: each.busy, default=None
            )
            if idlest is None or self._busy_here < idlest.busy:
                self._busy_here += 1
                return None
            return idlest, idlest.free.pop()


def _how_it_ended(exit_code: int | None) -> str:
    hint = ""
    if exit_code is None:
        how = "fell silent"
    elif exit_code < 0:
        how = f"ended by {signal.Signals(-exit_code).name}"
        if exit_code == -signal.SIGKILL:
            hint = " If its pod ran out of memory, raise resources.limits.memory."
    else:
        how = f"ended with exit code {exit_code}"
    return f"A process of the launch {how}; what it had committed stays, the next launch goes on.{hint}"
