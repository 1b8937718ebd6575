"""The steps of one property that are left, and how many may be under way side by side.

Kept by `sync.property_sync`, which holds its lock whenever it asks: first one step, then the probes, then cells - few at
first, one more beside them for each that went well, and one by one again after trouble.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sync.plan.catch_up import Pair


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work; `rows` and `impressions` tell how large its cell was, `pair` whose it is."""

    work: Callable[[], None]
    rows: int = 0
    impressions: float = 0.0
    pair: Pair | None = None
    is_probe: bool = False


class PropertySteps:
    """Of one property."""

    def __init__(self, first: Step) -> None:
        self._waiting = deque([first])
        self._side_by_side = 1
        self._running = 0
        self._probes_left = 0

    @property
    def idle(self) -> bool:
        """Nothing is under way, and nothing is left."""
        return not self._running and not self._waiting

    @property
    def running(self) -> bool:
        return self._running > 0

    def take(self) -> Step | None:
        if not self._waiting or self._running >= self._side_by_side:
            return None
        self._running += 1
        return self._waiting.popleft()

    def ended(self, step: Step) -> bool:
        """Whether it was the last of the probes."""
        self._running -= 1
        self._probes_left -= step.is_probe
        return step.is_probe and not self._probes_left

    def add(self, steps: Iterable[Step]) -> None:
        added = list(steps)
        self._waiting.extend(added)
        self._probes_left += sum(step.is_probe for step in added)

    def forget(self, pair: Pair | None) -> None:
        """Leave out what is left of one search type and dimension set."""
        self._waiting = deque(step for step in self._waiting if pair is None or step.pair != pair)

    def side_by_side(self, at_least: int, most: int) -> None:
        self._side_by_side = min(most, max(at_least, self._side_by_side))

    def one_more_beside(self, most: int) -> None:
        self._side_by_side = min(self._side_by_side + 1, most)

    def one_by_one(self) -> None:
        self._side_by_side = 1
