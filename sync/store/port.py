"""The store as the run sees it: a small port with two adapters of equal standing, Postgres and memory.

Every method is safe to call from many threads. Every write is safe to repeat. Errors are those of `sync.errors`:
nothing of psycopg passes this door.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Protocol, Self

from contract import RunSummary
from contract.dimension_sets import DimensionSet, SearchType
from sync.account import Site
from sync.plan.cells import AnyRow, Cell, CellResult, FetchedCell
from sync.plan.inspection import Inspection
from sync.plan.inventory import Sitemap
from sync.plan.order import Synced
from sync.plan.totals import Totals
from sync.quota.port import QuotaTable


@dataclass(frozen=True, slots=True)
class RunKey:
    """Names a run in `gsc.run`; `launch` is the fence, not part of the key."""

    schedule_uid: str
    run_id: str
    shard: int = 0
    shards: int = 1
    """A shard counts for this division only: divided otherwise, its rows of the fence are others."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The run row is ours; `previous_launch` is the launch it was taken over from, or 0."""

    previous_launch: int = 0


@dataclass(frozen=True, slots=True)
class AlreadyComplete:
    """An earlier launch finished the run; answer with its summary and write nothing."""

    summary: RunSummary


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger knows of one cell."""

    cell: Cell
    rows: int
    digest: bytes
    final: bool
    saturated: bool
    run_id: str
    empty_answers: int
    """How often in a row Google answered empty while rows were stored."""
    totals: Totals | None = None
    """What the probe showed when the cell was fetched last; None when that answer is not to be relied on."""
    fetched_at: datetime | None = None
    """When the cell was last asked for; being skipped does not count."""
    schedule_uid: str = ""
    """With `run_id`, the run that asked for the cell or skipped it last."""
    parts: int = 0
    """Into how many parts a cell at the cap was split; 0 when it was not."""
    split_requests: int = 0
    """How many requests might be spent on that when it was fetched last."""

    def is_done_by(self, run: RunKey) -> bool:
        """Whether the run committed the cell or skipped it, in whatever shard and launch, and no other run has since."""
        return (self.schedule_uid, self.run_id) == (run.schedule_uid, run.run_id)


class Inventory(Protocol):
    """What there is at Google beside facts. Lists are replaced as sets; what went away is marked and kept."""

    def note_properties(self, workspace: str, sites: Sequence[Site], run: RunKey, launch: int) -> None:
        """All properties that the identity of a workspace sees.

        Raises Superseded.
        """

    def write_sitemaps(
        self, property_: str, sitemaps: Sequence[Sitemap] | None, run: RunKey, launch: int
    ) -> None:
        """The sitemaps of a property; None notes that this identity may not see them and leaves them as they are.

        Raises Superseded.
        """

    def sitemaps_asked_at(self, property_: str) -> datetime | None:
        """When they were last answered, a refusal is no answer; None when never."""

    def properties(self) -> Mapping[tuple[str, str], tuple[str, bool]]:
        """(workspace, property) to its permission and whether it is still seen. For tests."""

    def sitemaps(self, property_: str) -> Sequence[Sitemap]:
        """Those still listed, in the order of their paths. For tests."""


class Inspections(Protocol):
    """Pages as Google's index knows them."""

    def due(self, property_: str, since: date, before: datetime, most: int) -> Sequence[str]:
        """Pages with impressions on `since` or later, most first, not inspected since `before`; at most `most`.

        They come from the facts by page, of whichever set there are.
        """

    def asked_since(self, property_: str, moment: datetime) -> int:
        """How many pages of the property were inspected at or after a moment."""

    def write(self, property_: str, inspections: Sequence[Inspection], run: RunKey, launch: int) -> None:
        """What was learnt of pages, in place of what was known of them.

        Raises Superseded.
        """

    def known(self, property_: str) -> Sequence[Inspection]:
        """Everything known, in the order of pages. For tests."""


class Store(Protocol):
    """Rows, ledger, run fence, inventory and inspections."""

    @property
    def inventory(self) -> Inventory: ...

    @property
    def inspections(self) -> Inspections: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def shared_by(self, processes: int) -> bool:
        """Be ready, before anything else is asked, that so many processes forked from this one use it side by side.

        False when they would not see each other's writes.
        """

    def migrate(self) -> None:
        """Bring the schema to this program's version, under a lock; refuse a schema that is too new.

        The run calls it once, before `claim_run` (the fence lives in a table that may not exist yet). An adapter told
        not to migrate only checks the version here.

        Raises DatabaseIncompatible (encoding, server or schema version: the launch ends as CANCELLED), DatabaseRefused
        (password, privilege, unreadable Secret: the launch ends as FAILURE, so that a mended Secret heals by the
        retry) or DatabaseUnavailable. Messages name the next step and never quote a password or a URI.
        """

    def drop_before(self, first_kept: date) -> int:
        """Give up every month before that of `first_kept`, rows and ledger; the number of partitions that went.

        A month that somebody is reading stays until the next time.
        """

    def settle(self, enough: Callable[[], bool]) -> Sequence[str]:
        """Make indexes and constraints that take long, until `enough` says so; the names of those still missing.

        Disturbs no reader and no writer. Dying anywhere is mended by the next call.
        """

    def check(self) -> Sequence[str]:
        """Problems a person can mend, as sentences with the next step (a missing GRANT, a wrong encoding); changes nothing."""

    def quotas(self) -> QuotaTable:
        """The table of budgets beside the rows, on a connection of its own; to be closed by the caller. Connects later."""

    def claim_run(self, run: RunKey, launch: int) -> Claimed | AlreadyComplete:
        """Take the run row over; only a higher (or the same) launch may.

        Rows of the same run that was divided into another number of shards are taken from lower launches as well.

        Raises Superseded when a higher launch holds it.
        """

    def write_cell(self, fetched: FetchedCell, run: RunKey, launch: int) -> CellResult:
        """Replace the cell as a set, in one transaction with its ledger row and the fence held.

        Raises Superseded when the launch no longer holds the run, DatabaseUnavailable or DatabaseRefused.
        """

    def skip_cells(self, cells: Collection[Cell], run: RunKey, launch: int) -> None:
        """Count cells that the ledger knows as done by the run, without touching their rows; all of one property.

        Raises Superseded.
        """

    def finish_run(self, run: RunKey, launch: int, summary: RunSummary, *, complete: bool) -> None:
        """Store the summary; `complete` closes the run for good, so that a later launch only repeats the summary.

        Raises Superseded.
        """

    def ledger(self, property_: str, first: date, last: date) -> Sequence[LedgerEntry]:
        """The entries of one property between two days, both included."""

    def known_before(self, property_: str, day: date) -> Collection[tuple[SearchType, DimensionSet]]:
        """The search types and sets of a property that have entries before `day`."""

    def synced(self, properties: Sequence[str], first: date) -> Mapping[str, Synced]:
        """When each was looked at last, and its rows from the day `first` on; absent when it has no entry since then."""

    def rows(self, cell: Cell) -> Sequence[AnyRow]:
        """The stored rows of a cell, in key order. For tests and `check`, not for the hot path."""
