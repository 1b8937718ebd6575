"""What a person at a terminal sees while a launch works: readable log lines and a live bar.

Imported only when somebody looks: a pod starts a tenth of a second sooner without it.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sync.clock import Clock
from sync.tally import Tally


def handler_of(console: Console) -> logging.Handler:
    """Log lines above the bar instead of through it."""
    return RichHandler(
        console=console, show_path=False, markup=False, rich_tracebacks=False, highlighter=None
    )


class TerminalReporter:
    """A bar with cells done, rows per second and the time left."""

    def __init__(self, tally: Tally, clock: Clock, console: Console) -> None:
        self._tally = tally
        self._clock = clock
        self._started = clock.monotonic()
        self._progress = Progress(
            TextColumn("syncing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("cells", total=None, speed="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tick()
        self._progress.stop()

    def tick(self) -> None:
        counts = self._tally.counts()
        speed = counts.rows_fetched / max(self._clock.monotonic() - self._started, 0.001)
        self._progress.update(
            self._task, completed=counts.cells, total=counts.planned or None, speed=f"{speed:,.0f} rows/s"
        )
