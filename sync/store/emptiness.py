"""When an empty answer may empty a cell. Pure.

Google sometimes answers without rows for a day that has rows. One such answer is noted and the rows stay; a second
one in a row, heard by another run, is believed. Runs are told apart by their id alone, on purpose: two schedules that
ask in the same minute hear one and the same hiccup.
"""

from __future__ import annotations


def keep_rows(*, stored: int, quarantined: int, empty_answers: int, empty_run_id: str, run_id: str) -> bool:
    """True when the stored rows stay although this answer held none that can be stored."""
    if stored == 0:
        return False
    if quarantined:
        # Rows came, but none that makes sense: that is no emptiness, however often it is heard.
        return True
    return empty_answers == 0 or empty_run_id == run_id
