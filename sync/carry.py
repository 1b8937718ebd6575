"""One cell on its way: fetched whole, what the probe showed noted beside it, written as a set.

The heavy part of a launch, and the only one that holds rows. `property_sync` says what is to be carried; who does it is
a Carrier: this process (`Here`), or this one and others in turn (`sync.processes`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from contract.run_spec import DataState
from sync.account import Account
from sync.plan.cells import Cell, CellResult, FetchedCell
from sync.plan.probe import remembered
from sync.plan.totals import Totals
from sync.store.port import RunKey, Store


@dataclass(frozen=True, slots=True)
class Errand:
    """A cell, how to ask for it, and for which launch of which run it is written."""

    cell: Cell
    final: bool
    data_state: DataState
    expect_rows: bool
    known: bytes
    """The digest of the version that is stored; empty when there is none."""
    split_requests: int
    totals: Totals
    """What the probe shows of the cell's day."""
    run: RunKey
    launch: int


class Carried(NamedTuple):
    """What was fetched and what writing it changed; of its rows, only how many there are is sure to be there."""

    fetched: FetchedCell
    result: CellResult


class Carrier(Protocol):
    """Safe to use from many threads."""

    def carry(self, errand: Errand, account: Account) -> Carried:
        """Raises what `Account.fetch` and `Store.write_cell` raise."""


class Here:
    """In this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def carry(self, errand: Errand, account: Account) -> Carried:
        fetched = account.fetch(
            errand.cell,
            final=errand.final,
            data_state=errand.data_state,
            expect_rows=errand.expect_rows,
            known=errand.known,
            split_requests=errand.split_requests,
        )
        totals = remembered(fetched, errand.totals)
        fetched = replace(fetched, totals=totals, split_requests=errand.split_requests)
        # Dying before the commit leaves the cell as it was, to be fetched anew; dying after it, the ledger has it as done
        # by the run and the next launch leaves it out.
        return Carried(fetched, self._store.write_cell(fetched, errand.run, errand.launch))
