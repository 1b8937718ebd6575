"""What a launch has done so far: counters that all threads add to, and a frozen picture of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from contract import Dependency
from sync.plan.cells import CellResult, FetchedCell


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters of one launch. Cells are those fetched and committed; `planned` are those to fetch, as far as known."""

    properties: int = 0
    planned: int = 0
    cells: int = 0
    cells_unchanged: int = 0
    cells_kept: int = 0
    cells_skipped: int = 0
    catch_up_days: int = 0
    saturated_cells: int = 0
    rows_fetched: int = 0
    rows_written: int = 0
    rows_unchanged: int = 0
    rows_deleted: int = 0
    quarantined: int = 0
    requests: int = 0
    rate_refusals: int = 0
    """Questions that Google refused for rate, load or the day."""
    quota_wait_seconds: float = 0.0
    """Of all threads together, before questions."""
    tripped_circuits: frozenset[Dependency] = frozenset()
    open_circuits: frozenset[Dependency] = frozenset()
    """Dependencies whose breaker opened, and is not closed now."""

    @property
    def done(self) -> int:
        """Cells that the next launch need not look at."""
        return self.cells + self.cells_skipped


class Tally:
    """Counts, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()

    def counts(self) -> Counts:
        return self._counts

    def found(self, properties: int) -> None:
        with self._lock:
            self._counts = replace(self._counts, properties=self._counts.properties + properties)

    def planned(self, cells: int) -> None:
        with self._lock:
            self._counts = replace(self._counts, planned=self._counts.planned + cells)

    def caught_up(self, days: int) -> None:
        with self._lock:
            self._counts = replace(self._counts, catch_up_days=max(days, self._counts.catch_up_days))

    def skipped(self, cells: int) -> None:
        with self._lock:
            self._counts = replace(self._counts, cells_skipped=self._counts.cells_skipped + cells)

    def requested(self, *, refused: bool) -> None:
        with self._lock:
            now = self._counts
            self._counts = replace(now, requests=now.requests + 1, rate_refusals=now.rate_refusals + refused)

    def waited(self, seconds: float) -> None:
        with self._lock:
            waited = self._counts.quota_wait_seconds + seconds
            self._counts = replace(self._counts, quota_wait_seconds=waited)

    def circuit(self, dependency: Dependency, *, closed: bool) -> None:
        with self._lock:
            now = self._counts
            others = now.open_circuits - {dependency}
            self._counts = replace(
                now,
                tripped_circuits=now.tripped_circuits if closed else now.tripped_circuits | {dependency},
                open_circuits=others if closed else others | {dependency},
            )

    def committed(self, fetched: FetchedCell, result: CellResult) -> None:
        with self._lock:
            now = self._counts
            self._counts = replace(
                now,
                cells=now.cells + 1,
                cells_unchanged=now.cells_unchanged + result.skipped,
                cells_kept=now.cells_kept + result.kept_because_empty,
                saturated_cells=now.saturated_cells + fetched.saturated,
                rows_fetched=now.rows_fetched + len(fetched.rows),
                rows_written=now.rows_written + result.inserted + result.updated,
                rows_unchanged=now.rows_unchanged + result.unchanged,
                rows_deleted=now.rows_deleted + result.deleted,
                quarantined=now.quarantined + len(fetched.quarantined),
            )
