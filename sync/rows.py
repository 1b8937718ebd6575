"""Which rows may be stored. Pure: one row of Google's JSON in, a Row or its raw text out.

The careful path: the fast one (`sync.google.answers`) takes whole pages whose every row is plainly right, and hands a
page with any other row to this. A row is repaired only where nothing is guessed (5.0 is 5; a broken character is shown
by its escape); everything else goes into quarantine as raw JSON, and its cell is not final.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from sync.plan.cells import AnyRow, DimensionRow, HourRow, Row, TotalsRow

MAX_COUNT = 2**31 - 1
"""Clicks and impressions of one page or query are stored in 32 bits; Google's largest day is far below."""

MAX_SUM = 2**53 - 1
"""Sums over a whole property are stored in 64 bits; JSON numbers are exact up to here."""

MAX_POSITION = 1_000_000.0
MAX_RAW_CHARACTERS = 4096
_NEARLY = 1e-6

MAY_BE_EMPTY = "query"
"""The only dimension of which the empty string is a value."""


def check_row(raw: Any, dimensions: tuple[str, ...]) -> AnyRow | str:
    """A row of the kind that the dimensions make, or the raw JSON (cut to a bounded length) of one that follows no rule."""
    if not isinstance(raw, dict):
        return _quarantined(raw)
    keys = raw.get("keys") if dimensions else raw.get("keys", [])
    most = max_count(dimensions)
    clicks, impressions = _count(raw.get("clicks"), most), _count(raw.get("impressions"), most)
    position = raw.get("position")
    if (
        not isinstance(keys, list)
        or len(keys) != len(dimensions)
        or not all(_is_key(key, name) for key, name in zip(keys, dimensions, strict=True))
        or clicks is None
        or impressions is None
        or not _is_position(position)
    ):
        return _quarantined(raw)
    texts = [whole_text(key) for key in keys]
    place = None if position is None else float(position)
    if not dimensions:
        return TotalsRow(clicks, impressions, place)
    if dimensions[0] == "hour":
        hour = _hour(texts[0])
        return HourRow(hour, texts[1], clicks, impressions, place) if hour else _quarantined(raw)
    if len(dimensions) == 1:
        return DimensionRow(texts[0], clicks, impressions, place)
    named = dict(zip(dimensions, texts, strict=True))
    return Row(
        named.get("page", ""),
        named.get("query", ""),
        named.get("country", ""),
        named.get("device", ""),
        clicks,
        impressions,
        place,
    )


def max_count(dimensions: tuple[str, ...]) -> int:
    """What clicks and impressions may be at most in rows of these dimensions."""
    return MAX_COUNT if {"page", "query"} & set(dimensions) else MAX_SUM


def whole_text(text: str) -> str:
    r"""Text that UTF-8 can hold: a lone surrogate is shown as its escape, `\ud800`; everything else stays as it is."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_key(key: Any, dimension: str) -> bool:
    return isinstance(key, str) and (key != "" or dimension == MAY_BE_EMPTY)


def _hour(text: str) -> datetime | None:
    """The moment that an hour with its offset from UTC names."""
    try:
        hour = datetime.fromisoformat(text)
        return hour.astimezone(UTC) if hour.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _count(value: Any, most: int) -> int | None:
    """A whole number in range; a double within 1e-6 of one counts as it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):  # asked of an endless integer, it would raise
        return None
    nearest = round(value)
    return nearest if abs(value - nearest) <= _NEARLY and 0 <= nearest <= most else None


def _is_position(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_POSITION


def _quarantined(raw: Any) -> str:
    return json.dumps(raw, ensure_ascii=True)[:MAX_RAW_CHARACTERS]
