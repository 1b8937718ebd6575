"""When an empty answer may empty a cell. Pure.

Google sometimes answers without rows for a day that has rows. One such answer is noted and the rows stay; a second
one in a row, heard by another run, is believed.
"""

from __future__ import annotations


def keep_rows(*, stored: int, empty_answers: int, empty_run_id: str, run_id: str) -> bool:
    """True when the stored rows stay although this answer was empty."""
    if stored == 0:
        return False
    return empty_answers == 0 or empty_run_id == run_id
