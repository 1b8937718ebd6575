"""From the bytes of small answers to values: read leniently, since little is in them and much hangs on it.

A body that is no JSON object at all raises BadBodyError and is asked for again; pages of rows are read by
`sync.google.answers`, which falls back on this when they are not as they should be.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from sync.account import Probe, Site
from sync.rows import MAX_SUM, whole_text


class BadBodyError(Exception):
    """The body is not what an answer looks like; it may be cut, or not from Google at all."""


def decode_probe(body: bytes) -> Probe:
    """Totals per day and the first incomplete date, in both spellings of its name.

    Raises BadBodyError.
    """
    answer = whole_object(body)
    metadata = answer.get("metadata")
    rows = answer.get("rows", [])
    if not isinstance(rows, list):
        raise BadBodyError("`rows` is no list")
    impressions: dict[date, float] = {}
    clicks: dict[date, float] = {}
    for row in rows:
        keys = row.get("keys") if isinstance(row, dict) else None
        day = _day(keys[0]) if isinstance(keys, list) and keys else None
        for name, sums in (("impressions", impressions), ("clicks", clicks)):
            shown = row.get(name) if isinstance(row, dict) else None
            if day is not None and isinstance(shown, int | float) and 0 <= shown <= MAX_SUM:
                sums[day] = sums.get(day, 0) + shown
    first = None
    if isinstance(metadata, dict):
        first = _day(metadata.get("first_incomplete_date")) or _day(metadata.get("firstIncompleteDate"))
    return Probe(first, impressions, clicks)


def decode_sites(body: bytes) -> Sequence[Site]:
    """The properties of a `sites.list` answer; the key is absent when there is none.

    Raises BadBodyError.
    """
    entries = whole_object(body).get("siteEntry", [])
    if not isinstance(entries, list):
        raise BadBodyError("`siteEntry` is no list")
    return [
        # A name that no request can carry is shown by its escape: Google then refuses that property alone.
        Site(whole_text(entry["siteUrl"]), whole_text(str(entry.get("permissionLevel", ""))[:40]))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("siteUrl"), str) and entry["siteUrl"]
    ]


def whole_object(body: bytes) -> dict[str, Any]:
    r"""The JSON object of a body, read leniently: a BOM is skipped, bytes that are no UTF-8 become lone surrogates.

    Raises BadBodyError.
    """
    try:
        answer = json.loads(body.decode("utf-8-sig", "surrogateescape"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadBodyError("the body is no whole JSON") from error
    if not isinstance(answer, dict):
        raise BadBodyError("the body is no JSON object")
    return answer


def _refuse_constant(name: str) -> str:
    """NaN and Infinity are no JSON: as text they fail the check of the one row that has them."""
    return name


def _day(text: Any) -> date | None:
    if not isinstance(text, str) or len(text) != 10:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
