"""One property: probe, skip what has not moved, fetch and store the other cells, newest day first.

A task of `sync.turns`: it offers its probes, then its cells, some of them side by side - few at first, one more for each
that went well, so that a property that cannot be read is not asked fifteen times to say so. Fails alone. A question
that Google calls wrong costs that set of its search type, a cell that cannot be read costs the cell, three of those cost
the property; quota postpones it. Errors of the store and a lost fence pass through: they concern everybody.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from contract import FailureClass
from contract.dimension_sets import SearchType
from sync.account import Account, Probe
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
from sync.inspections import inspect_pages
from sync.inventory import sync_sitemaps
from sync.launch import Halt, Launch
from sync.outcomes import Ending, PropertyOutcome
from sync.plan.catch_up import Pair
from sync.plan.cells import Cell
from sync.plan.order import likely_rows
from sync.plan.probe import remembered
from sync.plan.property_plan import PropertyPlan, ledger_days
from sync.turns import Piece

TROUBLES_ENOUGH = 3
"""After so many cells that could not be read, the rest of a property is not tried in this launch."""

FIRST_CELLS = 4
"""Cells asked for side by side once the probes went well; each that goes well allows one more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """In whose name a property is asked for; its workspace is halted as a whole when the identity fails."""

    workspace: str
    account: Account
    halt: Halt


@dataclass(frozen=True, slots=True)
class _Step:
    work: Callable[[], None]
    rows: int = 0
    impressions: float = 0.0
    pair: Pair | None = None
    is_probe: bool = False


class PropertySync:
    """The work on one property in one launch, in the name of one identity. See `sync.turns.Task`."""

    def __init__(
        self,
        property_: str,
        identity: Identity,
        launch: Launch,
        done: Collection[Cell],
        on_end: Callable[[PropertySync, PropertyOutcome], None],
    ) -> None:
        """`done` are the cells of this property that the run has committed before; `on_end` is called once."""
        self.property = property_
        self.identity = identity
        self.done = set(done)
        self._launch = launch
        self._on_end = on_end
        self._lock = threading.Lock()
        self._steps = deque([_Step(self._begin)])
        self._side_by_side = 1
        self._running = 0
        self._over = False
        self._end: tuple[Ending, SyncError] | None = None
        self._errors: list[SyncError] = []
        self._troubles = 0
        self._plan: PropertyPlan | None = None
        self._probes_left = 0
        self._inspected = not launch.spec.limits.inspections_per_property
        self._probes: dict[SearchType, Probe] = {}
        self._final_days: set[tuple[Pair, date]] = set()
        self._density: dict[Pair, float] = {}
        self._committed = self._skipped = self._rows_written = 0
        self._started: float | None = None

    def offer(self) -> Piece | None:
        with self._lock:
            if self._end is not None or not self._steps or self._running >= self._side_by_side:
                return None
            step = self._steps.popleft()
            self._running += 1
            density = None if step.pair is None else self._density.get(step.pair)
            return Piece(partial(self._do, step), likely_rows(step.rows, step.impressions, density))

    @property
    def over(self) -> bool:
        return self._over

    def _do(self, step: _Step) -> None:
        """One step, and what follows from how it went; raises what concerns everybody."""
        try:
            self._may_go_on()
            step.work()
        except Interrupted as error:
            self._give_up(Ending.UNFINISHED, error)
        except QuotaError as error:
            if isinstance(error, DailyQuotaError):
                self.identity.halt.because(error)
            self._give_up(Ending.POSTPONED, error)
        except CredentialsError as error:
            self.identity.halt.because(error)
            self._give_up(Ending.FAILED, error)
        except (PropertyError, GoogleUnavailable, BadAnswer) as error:
            self._tolerate(error, step.pair)
        else:
            with self._lock:
                self._side_by_side = min(self._side_by_side + 1, self._launch.spec.limits.cells_per_property)
        self._after(step)

    def _after(self, step: _Step) -> None:
        with self._lock:
            self._running -= 1
            self._probes_left -= step.is_probe
            if step.is_probe and not self._probes_left and self._end is None:
                self._steps.append(_Step(self._decide))
            if not self._running and not self._steps and self._end is None and not self._inspected:
                # After all else: which pages are worth a question, the rows of this very launch tell.
                self._inspected = True
                self._steps.append(_Step(self._inspect_pages))
            self._over = over = not self._running and (self._end is not None or not self._steps)
        if over:
            self._conclude()

    def _begin(self) -> None:
        launch, spec = self._launch, self._launch.spec
        self._started = launch.clock.monotonic()
        span = ledger_days(spec)
        entries = launch.store.ledger(self.property, span.first, span.last)
        older = launch.store.known_before(self.property, span.first)
        self._plan = PropertyPlan(self.property, spec, entries, older, self.done, launch.clock.now())
        self._final_days = self._plan.final_days()
        if self._plan.catch_up_days:
            self._tell_catch_up(self._plan)
        types = self._plan.types_to_probe()
        self._probes_left = len(types)
        self._steps.extend(_Step(partial(self._probe, name), is_probe=True) for name in types)
        if not types:
            self._steps.append(_Step(self._keep_sitemaps))

    def _keep_sitemaps(self) -> None:
        sync_sitemaps(self._launch, self.identity.account, self.property)

    def _inspect_pages(self) -> None:
        inspect_pages(self._launch, self.identity.account, self.property)

    def _tell_catch_up(self, plan: PropertyPlan) -> None:
        self._launch.tally.caught_up(plan.catch_up_days)
        first = min(plan.catch_up.since.values())
        _log.info("%s: the window reaches back to %s, the first day not yet final", self.property, first)
        if plan.catch_up.cut:
            _log.warning(
                "%s: days before %s may be missing; raise maxCatchUpDays, or backfill them",
                self.property,
                first,
            )

    def _probe(self, search_type: SearchType) -> None:
        assert self._plan is not None
        span = self._plan.probe_days()
        self._probes[search_type] = self.identity.account.probe(
            self.property, search_type, span.first, span.last
        )

    def _decide(self) -> None:
        assert self._plan is not None
        launch = self._launch
        decided = self._plan.decide(self._probes)
        # Dying before the commit leaves them to be probed anew; dying after it, the next launch knows them as done.
        launch.store.skip_cells(decided.skip, launch.run, launch.spec.launch)
        launch.tally.skipped(len(decided.skip))
        launch.tally.planned(len(decided.fetch))
        _log.debug("%s: %d skipped, fetched: %s", self.property, len(decided.skip), decided.reasons())
        with self._lock:
            most = launch.spec.limits.cells_per_property
            self._side_by_side = min(most, max(FIRST_CELLS, self._side_by_side))
            self.done.update(decided.skip)
            self._skipped = len(decided.skip)
            self._steps.extend(
                _Step(
                    partial(self._cell, todo.cell),
                    todo.rows,
                    todo.impressions,
                    (todo.cell.search_type, todo.cell.dimension_set),
                )
                for todo in decided.fetch
            )
            # Last: what goes wrong with them must not keep rows waiting.
            self._steps.append(_Step(self._keep_sitemaps))

    def _cell(self, cell: Cell) -> None:
        assert self._plan is not None
        launch, probe = self._launch, self._probes[cell.search_type]
        fetched = self.identity.account.fetch(
            cell,
            final=cell.day < self._plan.fresh_from(probe),
            data_state=launch.spec.window.data_state,
            expect_rows=probe.shows_rows(cell.day),
            known=self._plan.digest_of(cell),
            split_requests=launch.spec.limits.split_requests_per_cell,
        )
        fetched = replace(fetched, totals=remembered(fetched, probe.totals(cell.day)))
        for raw in fetched.quarantined:
            _log.warning("quarantined a row of %s %s %s: %s", cell.property, cell.search_type, cell.day, raw)
        # Dying before the commit leaves the cell as it was, to be fetched anew; dying after it, the cell is in
        # `done_by_run` and the next launch skips it.
        result = launch.store.write_cell(fetched, launch.run, launch.spec.launch)
        launch.tally.committed(fetched, result)
        pair, impressions = (cell.search_type, cell.dimension_set), probe.totals(cell.day).impressions
        day = (pair, cell.day)
        with self._lock:
            if impressions > 0:
                self._density[pair] = max(self._density.get(pair, 0.0), len(fetched.rows) / impressions)
            self.done.add(cell)
            self._committed += 1
            self._rows_written += result.inserted + result.updated
            if fetched.final and not result.kept_because_empty:
                self._final_days.add(day)
            else:
                self._final_days.discard(day)

    def _may_go_on(self) -> None:
        self._launch.stop.check()
        error = self.identity.halt.error
        if error is not None:
            raise error

    def _give_up(self, ending: Ending, error: SyncError) -> None:
        with self._lock:
            self._end = self._end or (ending, error)

    def _tolerate(self, error: SyncError, pair: Pair | None) -> None:
        """Note an error and go on, unless it says that going on is of no use."""
        with self._lock:
            self._side_by_side = 1
            if error.failure_class is FailureClass.BAD_REQUEST:
                self._steps = deque(step for step in self._steps if pair is None or step.pair != pair)
            else:
                self._troubles += 1
            self._errors.append(error)
            hopeless = (
                isinstance(error, PropertyError) and error.failure_class is not FailureClass.BAD_REQUEST
            )
        if hopeless or self._troubles >= TROUBLES_ENOUGH:
            self._give_up(Ending.FAILED, error)

    def _conclude(self) -> None:
        ending, error = self._end or (
            (Ending.FAILED, self._errors[0]) if self._errors else (Ending.SYNCED, None)
        )
        newest = self._newest_final_day() if ending is Ending.SYNCED else None
        now = self._launch.clock.monotonic()
        self._launch.events.property_synced(
            workspace=self.identity.workspace,
            site_url=self.property,
            ending=ending.value,
            error_class=error.failure_class.value if error else "",
            cells=self._committed,
            cells_skipped=self._skipped,
            catch_up_days=self._plan.catch_up_days if self._plan else 0,
            rows_written=self._rows_written,
            duration_ms=int((now - (now if self._started is None else self._started)) * 1000),
        )
        if error is not None and ending is not Ending.UNFINISHED:
            _log.warning(
                "%s of workspace %s %s: %s", self.property, self.identity.workspace, ending.value, error
            )
        outcome = PropertyOutcome(self.property, ending, error, self._committed, self._rows_written, newest)
        self._on_end(self, outcome)

    def _newest_final_day(self) -> date | None:
        """The newest day that is final for every search type and dimension set."""
        assert self._plan is not None
        pairs = self._plan.pairs
        newest = [
            max((day for each, day in self._final_days if each == pair), default=None) for pair in pairs
        ]
        known = [day for day in newest if day is not None]
        return min(known) if len(known) == len(newest) else None
