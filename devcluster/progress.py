"""What a person sees while something takes minutes: a bar on a terminal, a line every 15 seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

INTERVAL = 15.0


class Meter:
    """Counts `done` of `total` packages; both may be set from outside at any time."""

    def __init__(
        self,
        title: str,
        say: Callable[[str], None],
        *,
        terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        interval: float = INTERVAL,
    ) -> None:
        self.done = 0
        self.downloaded = 0
        self.total = 0
        self._title = title
        self._say = say
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._clock = clock
        self._interval = interval
        self._began = clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def text(self) -> str:
        if self.done == 0:
            return (
                f"fetching sources ({self.downloaded} modules)"
                if self.downloaded
                else "looking at what is needed"
            )
        if self.total and self.done >= self.total:
            return "linking"
        return f"{self.done} of at most {self.total} packages"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if kind is None:
            self._say(f"{self._title}: done in {self._clock() - self._began:.0f} s")

    def _watch(self) -> None:
        if not self._terminal:
            while not self._over.wait(self._interval):
                self._say(f"{self._title}: {self.text()}, {self._clock() - self._began:.0f} s")
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(self._title, total=None, words=self.text())
            while not self._over.wait(0.2):
                bar.update(task, completed=self.done, total=self.total or None, words=self.text())
