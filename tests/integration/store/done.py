"""Which cells a run has done, as its next launch finds them in the ledger."""

from __future__ import annotations

from datetime import date

from sync.plan.cells import Cell
from sync.store.port import RunKey, Store


def done_by(store: Store, run: RunKey, *properties: str) -> set[Cell]:
    return {
        entry.cell
        for name in properties
        for entry in store.ledger(name, date.min, date.max)
        if entry.is_done_by(run)
    }
