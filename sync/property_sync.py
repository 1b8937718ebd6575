"""One property: probe, skip what has not moved, fetch and store the other cells, newest day first.

A task of `sync.turns`: it offers its probes, then its cells, some of them side by side - few at first, one more for each
that went well, so that a property that cannot be read is not asked fifteen times to say so. Fails alone. A question
that Google calls wrong costs that set of its search type, a cell that cannot be read costs the cell, three of those cost
the property; quota postpones it. Errors of the store and a lost fence pass through: they concern everybody.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from contract import FailureClass
from contract.dimension_sets import SearchType
from sync.account import Account, Probe
from sync.carry import Errand
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
from sync.launch import Identity, Launch
from sync.outcomes import Ending, PropertyOutcome
from sync.plan.catch_up import Pair
from sync.plan.cells import Cell, FetchedCell
from sync.plan.order import likely_rows
from sync.plan.property_plan import PropertyPlan, ledger_days
from sync.property_record import PropertyRecord, tell_catch_up
from sync.property_steps import PropertySteps, Step
from sync.turns import Piece

TROUBLES_ENOUGH = 3
"""After so many cells that could not be read, the rest of a property is not tried in this launch."""

FIRST_CELLS = 4
"""Cells asked for side by side once the probes went well; each that goes well allows one more."""

QUARANTINED_SHOWN = 3
QUARANTINED_CHARACTERS = 500
"""Of a row in quarantine, for the log; the table has it whole."""

_log = logging.getLogger(__name__)


class PropertySync:
    """The work on one property in one launch, in the name of one identity. See `sync.turns.Task`."""

    def __init__(
        self,
        property_: str,
        identity: Identity,
        launch: Launch,
        on_end: Callable[[PropertyOutcome], None],
    ) -> None:
        """`on_end` is called once."""
        self.property = property_
        self.identity = identity
        self._launch = launch
        self._on_end = on_end
        self._lock = threading.Lock()
        self._steps = PropertySteps(Step(self._begin))
        self._over = False
        self._end: tuple[Ending, SyncError] | None = None
        self._errors: list[SyncError] = []
        self._troubles = 0
        self._plan: PropertyPlan | None = None
        self._inspected = not launch.spec.limits.inspections_per_property
        self._probes: dict[SearchType, Probe] = {}
        self._record = PropertyRecord()
        self._started: float | None = None

    def offer(self) -> Piece | None:
        with self._lock:
            step = None if self._end is not None else self._steps.take()
            if step is None:
                return None
            density = self._record.density(step.pair)
            return Piece(partial(self._do, step), likely_rows(step.rows, step.impressions, density))

    @property
    def over(self) -> bool:
        return self._over

    def _do(self, step: Step) -> None:
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
                self._steps.one_more_beside(self._launch.spec.limits.cells_per_property)
        self._after(step)

    def _after(self, step: Step) -> None:
        with self._lock:
            if self._steps.ended(step) and self._end is None:
                self._steps.add([Step(self._decide)])
            if self._steps.idle and self._end is None and not self._inspected:
                # After all else: which pages are worth a question, the rows of this very launch tell.
                self._inspected = True
                self._steps.add([self._beside(inspect_pages)])
            self._over = over = self._steps.idle or (self._end is not None and not self._steps.running)
        if over:
            self._conclude()

    def _begin(self) -> None:
        launch, spec = self._launch, self._launch.spec
        self._started = launch.clock.monotonic()
        span = ledger_days(spec)
        entries = launch.store.ledger(self.property, span.first, span.last)
        older = launch.store.known_before(self.property, span.first)
        # Of this property only, and not before its turn: a run may have done more cells than fit into memory.
        done = {entry.cell for entry in entries if entry.is_done_by(launch.run)}
        self._plan = PropertyPlan(self.property, spec, entries, older, done, launch.clock.now())
        self._record.begun(self._plan.final_days())
        if self._plan.catch_up_days:
            tell_catch_up(self._plan, self.property, launch.tally)
        types = self._plan.types_to_probe()
        self._steps.add(Step(partial(self._probe, name), is_probe=True) for name in types)
        if not types:
            self._steps.add([self._beside(sync_sitemaps)])

    def _beside(self, work: Callable[[Launch, Account, str], None]) -> Step:
        return Step(partial(work, self._launch, self.identity.account, self.property))

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
            self._steps.side_by_side(FIRST_CELLS, launch.spec.limits.cells_per_property)
            self._record.skipped = len(decided.skip)
            self._steps.add(
                Step(
                    partial(self._cell, todo.cell, todo.split_requests),
                    todo.rows,
                    todo.impressions,
                    (todo.cell.search_type, todo.cell.dimension_set),
                )
                for todo in decided.fetch
            )
            # Last: what goes wrong with them must not keep rows waiting.
            self._steps.add([self._beside(sync_sitemaps)])

    def _cell(self, cell: Cell, split_requests: int) -> None:
        assert self._plan is not None
        launch, probe = self._launch, self._probes[cell.search_type]
        errand = Errand(
            cell,
            final=cell.day < self._plan.fresh_from(probe),
            data_state=launch.spec.window.data_state,
            expect_rows=probe.shows_rows(cell.day),
            known=self._plan.digest_of(cell),
            split_requests=split_requests,
            totals=probe.totals(cell.day),
            run=launch.run,
            launch=launch.spec.launch,
        )
        fetched, result = launch.carrier.carry(errand, self.identity.account)
        _tell_quarantined(fetched)
        launch.tally.committed(fetched, result)
        with self._lock:
            self._record.stored(fetched, result, errand.totals.impressions)

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
            self._steps.one_by_one()
            if error.failure_class is FailureClass.BAD_REQUEST:
                self._steps.forget(pair)
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
        newest = None
        if ending is Ending.SYNCED and self._plan is not None:
            newest = self._record.newest_final_day(self._plan.pairs)
        now, record = self._launch.clock.monotonic(), self._record
        self._launch.events.property_synced(
            workspace=self.identity.workspace,
            site_url=self.property,
            ending=ending.value,
            error_class=error.failure_class.value if error else "",
            cells=record.committed,
            cells_skipped=record.skipped,
            catch_up_days=self._plan.catch_up_days if self._plan else 0,
            rows_written=record.rows_written,
            duration_ms=int((now - (now if self._started is None else self._started)) * 1000),
        )
        if error is not None and ending is not Ending.UNFINISHED:
            _log.warning(
                "%s of workspace %s %s: %s", self.property, self.identity.workspace, ending.value, error
            )
        outcome = PropertyOutcome(self.property, ending, error, record.committed, record.rows_written, newest)
        self._on_end(outcome)


def _tell_quarantined(fetched: FetchedCell) -> None:
    """The first few: a day may have thousands, in every run again."""
    cell, rows = fetched.cell, fetched.quarantined
    for number, raw in enumerate(rows[:QUARANTINED_SHOWN], 1):
        _log.warning(
            "quarantined a row of %s %s %s %s (%d of %d; the table quarantine has all): %s",
            cell.property, cell.search_type, cell.dimension_set, cell.day, number, len(rows), raw[:QUARANTINED_CHARACTERS],
        )  # fmt: skip
