"""When an empty answer may empty a cell. Pure.

Google sometimes answers without rows for a day that has rows. One such answer is noted and the rows stay; a second
one in a row, heard by another run, is believed, unless the totals of the day go on showing impressions. Runs are told
apart by their id alone, on purpose: two schedules that ask in the same minute hear one and the same hiccup.
"""

from __future__ import annotations

from sync.plan.cells import FetchedCell

MAY_LACK_ROWS = "search-appearance"
"""The only set of which a day with impressions may have no row: nothing was shown in a special appearance."""


def keep_rows(
    *, stored: int, fetched: FetchedCell, empty_answers: int, empty_run_id: str, run_id: str
) -> bool:
    """True when the stored rows stay although this answer held none that can be stored."""
    if stored == 0:
        return False
    if fetched.quarantined or _against_totals(fetched):
        # Rows came, but none that makes sense, or the totals know of some: no emptiness, however often it is heard.
        return True
    return empty_answers == 0 or empty_run_id == run_id


def _against_totals(fetched: FetchedCell) -> bool:
    shown = fetched.totals is not None and fetched.totals.impressions > 0
    return shown and fetched.cell.dimension_set != MAY_LACK_ROWS
