"""How often Python looks for garbage that only it can find: seldom, since rows are none.

A cell is tens of thousands of tuples of texts and numbers. None is part of a cycle, so each is freed when its cell is
done; but by default Python goes through all living ones again after every few hundred new ones, which took a third of
the processor. While a launch works, automatic sweeps are off, and one is made every few seconds for whatever else there is.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import TracebackType
from typing import Self

SECONDS = 10.0


class RareSweeps:
    """A block without automatic sweeps; `tick` is called often, and sweeps when it is time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._swept_at = monotonic()
        self._enabled = False

    def __enter__(self) -> Self:
        self._enabled = gc.isenabled()
        gc.disable()
        return self

    def tick(self) -> None:
        now = self._monotonic()
        if now - self._swept_at >= SECONDS:
            self._swept_at = now
            gc.collect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._enabled:
            gc.enable()
