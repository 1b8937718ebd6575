"""How a property and a workspace ended: the facts of which the launch's verdict is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sync.errors import SyncError


class Ending(StrEnum):
    """What became of a property or a workspace in this launch."""

    SYNCED = "synced"
    FAILED = "failed"
    POSTPONED = "postponed"
    """Google's quota is spent: a later launch goes on."""
    UNFINISHED = "unfinished"
    """The launch ended first."""


@dataclass(frozen=True, slots=True)
class PropertyOutcome:
    """One property of one workspace. `error` says why it is not synced."""

    property: str
    ending: Ending
    error: SyncError | None = None
    committed: int = 0
    rows_written: int = 0
    newest_final_day: date | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceOutcome:
    """One workspace; `error` is set when the identity itself failed, and then says more than any property."""

    name: str
    ending: Ending
    properties: tuple[PropertyOutcome, ...] = ()
    error: SyncError | None = None


def conclude(
    name: str, properties: tuple[PropertyOutcome, ...], error: SyncError | None = None
) -> WorkspaceOutcome:
    """A workspace is as good as its worst property; one without properties is synced."""
    endings = {outcome.ending for outcome in properties}
    if error is not None:
        ending = Ending.FAILED
    else:
        worst_first = (Ending.FAILED, Ending.UNFINISHED, Ending.POSTPONED, Ending.SYNCED)
        ending = next((found for found in worst_first if found in endings), Ending.SYNCED)
    return WorkspaceOutcome(name, ending, properties, error)
