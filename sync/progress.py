"""How far a launch is, for whoever watches: a log line now and then in a pod; `terminal` has the bar for a person."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Protocol, Self

from sync.clock import Clock
from sync.tally import Tally

LOG_EVERY_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Reporter(Protocol):
    """Shows progress between enter and exit; `tick` is called often and must be cheap."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tick(self) -> None: ...


class LogReporter:
    """One `sync.progress` line every 30 seconds at most."""

    def __init__(self, tally: Tally, clock: Clock) -> None:
        self._tally = tally
        self._clock = clock
        self._started = self._last = clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def tick(self) -> None:
        now = self._clock.monotonic()
        if now - self._last < LOG_EVERY_SECONDS:
            return
        self._last = now
        counts = self._tally.counts()
        measurements = {
            "cells": counts.cells,
            "planned": counts.planned,
            "rows_per_second": round(counts.rows_fetched / max(now - self._started, 0.001)),
            "requests": counts.requests,
        }
        _log.info("sync.progress", extra={"event": "sync.progress", "measurements": measurements})
