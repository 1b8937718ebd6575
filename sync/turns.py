"""Who works next: tasks take turns, piece by piece, on a bounded number of threads. Knows nothing of what they do.

A task offers pieces (a probe, a cell) as long as it has some that may run beside those under way. A few tasks are
active at a time and are asked round robin; the others wait in order. A task that had its share goes to the end of the
line, so a huge one starves nobody; rows in flight are bounded, so memory is, too. The thread that calls `run` waits.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from contract import Limits
from sync.clock import Clock

TICK_SECONDS = 0.25
ABANDON_SECONDS = 5.0

ROWS_IN_FLIGHT = 120_000
"""Five full pages. A row costs up to 1.4 KB from page to commit, and the program 70 MB, so a launch stays below 256 MB."""

TURN_PIECES = 64
TURN_SECONDS = 20.0
"""After so many pieces or so long, a task lets one that waits go first."""

MAX_PARKED = 200
"""Tasks that may wait in the middle of their work; beyond that, those begun go on to their end."""

MAX_THREADS = 64


def threads(limits: Limits) -> int:
    """How many pieces may run side by side."""
    return min(MAX_THREADS, limits.concurrency * limits.cells_per_property)


class Piece(NamedTuple):
    """Something to do, and how many rows it is expected to hold in memory."""

    work: Callable[[], None]
    rows: int = 0


class Task(Protocol):
    """Offers its pieces one by one. Both members are asked under the lock of the turns and must not wait."""

    def offer(self) -> Piece | None:
        """A piece that may start now; None only while others are under way, or when it is over."""

    @property
    def over(self) -> bool:
        """Whether nothing is under way and nothing is left."""


class Once:
    """A task of one piece."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._piece: Piece | None = Piece(work)

    def offer(self) -> Piece | None:
        piece, self._piece = self._piece, None
        return piece

    @property
    def over(self) -> bool:
        return self._piece is None


@dataclass(slots=True)
class _Entry:
    key: tuple[Any, ...]
    task: Task
    running: int = 0
    pieces: int = 0
    since: float = 0.0
    parked: bool = False
    held: Piece | None = field(default=None)
    """Offered, but did not fit beside the rows in flight."""

    @property
    def spent(self) -> bool:
        return not self.running and self.held is None and self.task.over


class Turns:
    """Used once. `add` may be called before `run` and from within pieces."""

    def __init__(
        self, *, threads: int, side_by_side: int, clock: Clock, rows_in_flight: int = ROWS_IN_FLIGHT
    ) -> None:
        """`side_by_side` tasks are active at a time; one piece may run even if it alone exceeds `rows_in_flight`."""
        self._threads = threads
        self._side_by_side = side_by_side
        self._clock = clock
        self._capacity = rows_in_flight
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._waiting: list[tuple[int, tuple[Any, ...], int, _Entry]] = []
        self._active: deque[_Entry] = deque()
        self._running = self._rows = self._parked = self._number = 0
        self._started = self._idle = 0
        self._error: BaseException | None = None

    def add(self, key: tuple[Any, ...], task: Task) -> None:
        """Lowest key first; equal keys in the order in which they came."""
        with self._changed:
            self._push(0, _Entry(key, task))
            self._changed.notify()

    def run(self, tick: Callable[[], None]) -> None:
        """Until nothing is left. Raises the first error of a piece; then nothing more is started."""
        with self._changed:
            self._start_thread()
        while not self._ended.wait(TICK_SECONDS):
            tick()
        tick()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Start nothing more; give those under way a moment to notice, and no longer."""
        with self._changed:
            self._error = self._error or RuntimeError("abandoned")
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._running == 0, ABANDON_SECONDS)

    def _work(self) -> None:
        while True:
            with self._changed:
                while (picked := self._pick()) is None:
                    if self._is_finished():
                        self._ended.set()
                        self._changed.notify_all()
                        return
                    self._idle += 1
                    self._changed.wait()
                    self._idle -= 1
                entry, piece = picked
                # There may be more to take.
                if self._idle:
                    self._changed.notify()
                elif self._started < self._threads:
                    self._start_thread()
            try:
                piece.work()
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in `run`
                with self._changed:
                    self._error = self._error or error
                    self._ended.set()
            finally:
                with self._changed:
                    entry.running -= 1
                    self._running -= 1
                    self._rows -= piece.rows
                    self._changed.notify_all() if self._error else self._changed.notify()

    def _start_thread(self) -> None:
        self._started += 1
        # Daemons: a call that cannot be interrupted must not keep the process alive after its last words.
        threading.Thread(target=self._work, name=f"sync-{self._started}", daemon=True).start()

    def _pick(self) -> tuple[_Entry, Piece] | None:
        """The next piece, if one may start now."""
        if self._error is not None:
            return None
        looked = 0
        while True:
            self._activate()
            if looked >= len(self._active):
                return None
            entry = self._active[0]
            if entry.spent:
                self._active.popleft()
                continue
            piece = entry.held or entry.task.offer()
            if piece is not None and self._rows and self._rows + piece.rows > self._capacity:
                # Nobody overtakes: smaller pieces would keep a large one waiting for ever.
                entry.held = piece
                return None
            self._active.rotate(-1)
            if piece is None:
                looked += 1
                continue
            self._begin(entry, piece)
            return entry, piece

    def _begin(self, entry: _Entry, piece: Piece) -> None:
        entry.held = None
        entry.running += 1
        entry.pieces += 1
        self._running += 1
        self._rows += piece.rows
        had_its_share = (
            entry.pieces >= TURN_PIECES or self._clock.monotonic() - entry.since >= TURN_SECONDS
        ) and self._waiting
        if had_its_share and self._parked < MAX_PARKED:
            self._active.remove(entry)
            entry.parked = True
            self._parked += 1
            self._push(1, entry)

    def _activate(self) -> None:
        while self._waiting and len(self._active) < self._side_by_side:
            *_, entry = heapq.heappop(self._waiting)
            self._parked -= entry.parked
            entry.parked = False
            entry.pieces, entry.since = 0, self._clock.monotonic()
            self._active.append(entry)

    def _push(self, had_a_turn: int, entry: _Entry) -> None:
        """Those that had a turn come after all that had none, in the order in which they come back."""
        self._number += 1
        key = () if had_a_turn else entry.key
        heapq.heappush(self._waiting, (had_a_turn, key, self._number, entry))

    def _is_finished(self) -> bool:
        if self._error is not None:
            return True
        if self._running:
            return False
        stuck = [entry for entry in self._active if not entry.spent]
        if stuck:
            self._error = RuntimeError(f"{len(stuck)} tasks are not over, but offer nothing to do")
        return True
