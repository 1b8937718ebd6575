"""One property: probe, skip what has not moved, store the other cells one after the other, newest day first.

Cells are fetched ahead of their turn where there is room (`sync.ahead`), so Google, this program and Postgres work at once.

Fails alone. A question that Google calls wrong costs that set of its search type, a cell that cannot be read costs the cell, three
of those cost the property; quota postpones it. Errors of the store and a lost fence pass through: they concern everybody.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date

from contract import FailureClass
from contract.dimension_sets import DimensionSet, SearchType
from contract.run_spec import DataState
from sync.account import Account, Probe
from sync.ahead import Ahead
from sync.errors import (
    BadAnswer,
    CredentialsError,
    DailyQuotaError,
    GoogleUnavailable,
    Interrupted,
    PropertyError,
    QuotaError,
    SyncError,
)
from sync.launch import Done, Halt, Launch
from sync.outcomes import Ending, PropertyOutcome
from sync.plan.cells import Cell, FetchedCell
from sync.plan.probe import Skip, decide, remembered
from sync.plan.windows import Days, days_to_fetch, first_fresh_day, pacific_day, probe_days, window
from sync.plan.work import cells_of, pairs_of, still_to_do

TROUBLES_ENOUGH = 3
"""After so many cells that could not be read, the rest of a property is not tried in this launch."""

Pair = tuple[SearchType, DimensionSet]

_log = logging.getLogger(__name__)


class PropertySync:
    """The work on one property in one launch; used once, by one thread; `_fetch` alone runs in others, too."""

    def __init__(
        self,
        property_: str,
        workspace: str,
        account: Account,
        launch: Launch,
        halt: Halt,
        done: Done,
        ahead: Ahead,
    ) -> None:
        """`done` are the cells of this property that the run has committed before."""
        self._property = property_
        self._workspace = workspace
        self._account = account
        self._launch = launch
        self._halt = halt
        self._done = done
        self._ahead = ahead
        self._errors: list[SyncError] = []
        self._broken: set[Pair] = set()
        self._troubles = 0
        self._committed = 0
        self._skipped = 0
        self._rows_written = 0
        self._final_days: defaultdict[Pair, set[date]] = defaultdict(set)

    def sync(self) -> PropertyOutcome:
        """Raises DatabaseError or Superseded; everything else is in the outcome."""
        started = self._launch.clock.monotonic()
        ending, error = self._attempt()
        outcome = PropertyOutcome(
            self._property,
            ending,
            error,
            self._committed,
            self._rows_written,
            self._newest_final_day() if ending is Ending.SYNCED else None,
        )
        self._launch.events.property_synced(
            workspace=self._workspace,
            site_url=self._property,
            ending=ending.value,
            error_class=error.failure_class.value if error else "",
            cells=self._committed,
            cells_skipped=self._skipped,
            rows_written=self._rows_written,
            duration_ms=int((self._launch.clock.monotonic() - started) * 1000),
        )
        if error is not None and ending is not Ending.UNFINISHED:
            _log.warning("%s of workspace %s %s: %s", self._property, self._workspace, ending.value, error)
        return outcome

    def _attempt(self) -> tuple[Ending, SyncError | None]:
        try:
            self._work()
        except Interrupted as error:
            return Ending.UNFINISHED, error
        except QuotaError as error:
            if isinstance(error, DailyQuotaError):
                self._halt.because(error)
            return Ending.POSTPONED, error
        except CredentialsError as error:
            self._halt.because(error)
            return Ending.FAILED, error
        except (PropertyError, GoogleUnavailable, BadAnswer) as error:
            return Ending.FAILED, error
        return (Ending.FAILED, self._errors[0]) if self._errors else (Ending.SYNCED, None)

    def _work(self) -> None:
        spec = self._launch.spec
        self._may_go_on()
        self._remember_final_days()
        spans: dict[SearchType, Days] = {}
        probes: dict[SearchType, Probe] = {}
        for search_type in spec.search_types:
            self._may_go_on()
            span = window(spec.slot, spec.window.days)
            cells = self._cells({search_type: span})
            if spec.window.data_state is DataState.ALL and not still_to_do(cells, self._done):
                continue
            try:
                probes[search_type] = self._probe(search_type)
            except (PropertyError, GoogleUnavailable, BadAnswer) as error:
                self._tolerate(error)
                continue
            spans[search_type] = days_to_fetch(
                spec.slot, spec.window.days, spec.window.data_state, self._fresh_from(probes[search_type])
            )
        cells = still_to_do(self._cells(spans), self._done)
        cells = self._without_unmoved(cells, probes)
        self._launch.tally.planned(len(cells))
        with closing(
            self._ahead.each(cells, lambda cell: self._fetch(cell, probes[cell.search_type]))
        ) as taken:
            for cell, fetched in taken:
                if (cell.search_type, cell.dimension_set) in self._broken:
                    continue
                self._may_go_on()
                try:
                    self._store(fetched())
                except (PropertyError, GoogleUnavailable, BadAnswer) as error:
                    self._tolerate(error, (cell.search_type, cell.dimension_set))

    def _without_unmoved(self, cells: list[Cell], probes: Mapping[SearchType, Probe]) -> list[Cell]:
        """The cells that need a request; the others count as done by the run, all of them at once."""
        if not cells:
            return cells
        days = [cell.day for cell in cells]
        known = {
            entry.cell: entry for entry in self._launch.store.ledger(self._property, min(days), max(days))
        }
        now = self._launch.clock.now()
        decisions = {
            cell: decide(cell, known.get(cell), probe.totals(cell.day), self._fresh_from(probe), now)
            for cell in cells
            for probe in (probes[cell.search_type],)
        }
        skipped = [cell for cell, decision in decisions.items() if isinstance(decision, Skip)]
        # Dying before the commit leaves them to be probed anew; dying after it, the next launch knows them as done.
        self._launch.store.skip_cells(skipped, self._launch.run, self._launch.spec.launch)
        self._launch.tally.skipped(len(skipped))
        self._skipped = len(skipped)
        for cell in skipped:
            if known[cell].final:
                self._final_days[cell.search_type, cell.dimension_set].add(cell.day)
        reasons = Counter(decision.because.value for decision in decisions.values())
        _log.debug("%s of workspace %s: %s", self._property, self._workspace, dict(reasons))
        return [cell for cell in cells if not isinstance(decisions[cell], Skip)]

    def _fetch(self, cell: Cell, probe: Probe) -> FetchedCell:
        """Perhaps in another thread, ahead of its turn."""
        self._may_go_on()
        spec = self._launch.spec
        fetched = self._account.fetch(
            cell,
            final=cell.day < self._fresh_from(probe),
            data_state=spec.window.data_state,
            expect_rows=probe.shows_rows(cell.day),
        )
        return replace(fetched, totals=remembered(fetched, probe.totals(cell.day)))

    def _store(self, fetched: FetchedCell) -> None:
        cell = fetched.cell
        for raw in fetched.quarantined:
            _log.warning("quarantined a row of %s %s %s: %s", cell.property, cell.search_type, cell.day, raw)
        # Dying before the commit leaves the cell as it was, to be fetched anew; dying after it, the cell is in
        # `done_by_run` and the next launch skips it.
        result = self._launch.store.write_cell(fetched, self._launch.run, self._launch.spec.launch)
        self._launch.tally.committed(fetched, result)
        self._committed += 1
        self._rows_written += result.inserted + result.updated
        if fetched.final and not result.kept_because_empty:
            self._final_days[cell.search_type, cell.dimension_set].add(cell.day)

    def _cells(self, spans: dict[SearchType, Days]) -> list[Cell]:
        today = pacific_day(self._launch.clock.now())
        return cells_of(self._property, spans, self._launch.spec.dimension_sets, today)

    def _probe(self, search_type: SearchType) -> Probe:
        span = self._probe_days()
        return self._account.probe(self._property, search_type, span.first, span.last)

    def _probe_days(self) -> Days:
        spec = self._launch.spec
        return probe_days(spec.slot, spec.window.days, spec.window.data_state)

    def _fresh_from(self, probe: Probe) -> date:
        return first_fresh_day(probe.first_incomplete, self._probe_days(), self._launch.clock.now())

    def _may_go_on(self) -> None:
        self._launch.stop.check()
        error = self._halt.error
        if error is not None:
            raise error

    def _tolerate(self, error: SyncError, pair: Pair | None = None) -> None:
        """Note an error and go on, unless it says that going on is of no use."""
        if isinstance(error, PropertyError):
            if error.failure_class is not FailureClass.BAD_REQUEST:
                raise error
            if pair is not None:
                self._broken.add(pair)
        else:
            self._troubles += 1
        self._errors.append(error)
        if self._troubles >= TROUBLES_ENOUGH:
            raise error

    def _remember_final_days(self) -> None:
        """Cells of earlier launches of this run are skipped, but count for the newest final day."""
        days = [cell.day for cell in self._done]
        if not days:
            return
        for entry in self._launch.store.ledger(self._property, min(days), max(days)):
            if entry.final and entry.cell in self._done:
                self._final_days[entry.cell.search_type, entry.cell.dimension_set].add(entry.cell.day)

    def _newest_final_day(self) -> date | None:
        """The newest day that is final for every search type and dimension set."""
        spec = self._launch.spec
        pairs = pairs_of(spec.search_types, spec.dimension_sets)
        newest = [max(self._final_days[pair], default=None) for pair in pairs]
        known = [day for day in newest if day is not None]
        return min(known) if len(known) == len(newest) else None
