"""Pages with wrong rows: what scripted faults make of the rows of a report.

Nothing here is prepared or cached: a faulty page is made anew from all rows of the report. Poisoned rows are added to a
page and never replace a true one, so that the rows of the data set stay the measure of what must arrive.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from emulator.faults import Fault
from emulator.pages import row_json, shuffle_ties
from emulator.query import Query
from emulator.report import Report, ReportRow

_LONG = 64 * 1024
Json = dict[str, Any]


def faulty_rows(report: Report, query: Query, fault: Fault, rng: random.Random) -> list[Json]:
    """The rows of a page under a page fault or poison."""
    rows, start, limit = report.rows, query.start_row, query.row_limit
    page = [row_json(row) for row in rows[start : start + limit]]
    match fault.kind:
        case "empty-rows":
            return []
        case "short-page":
            return page[: limit // 2 if fault.rows is None else fault.rows]
        case "long-page":
            return [row_json(row) for row in rows[start : start + limit + (fault.rows or 10)]]
        case "ignore-start-row":
            return [row_json(row) for row in rows[:limit]]
        case "duplicate-rows":
            return page + _duplicates(rows, query, fault)
        case "moved-ties":
            return [row_json(row) for row in shuffle_ties(rows, report.tie, rng)[start : start + limit]]
        case "poison":
            return _poisoned(page, query.dimensions, fault.what)
        case _:
            return page


def _duplicates(rows: list[ReportRow], query: Query, fault: Fault) -> list[Json]:
    """Rows of the page before, or of this one when it is the first."""
    count = fault.rows or 10
    start = query.start_row
    again = rows[max(0, start - count) : start] if start else rows[: min(count, query.row_limit)]
    copies = [row_json(row) for row in again]
    if fault.changed:
        for copy in copies:
            copy["clicks"] += 1
            copy["impressions"] += 1
    return copies


def encode(document: Json, fault: Fault) -> bytes:
    """JSON as a broken server might write it: NaN, lone surrogates and bytes that are not UTF-8 included."""
    text = json.dumps(document, ensure_ascii=fault.what == "lone-surrogate", separators=(",", ":"))
    body = text.encode()
    return body.replace(b"poison=invalid-utf8", b"poison=\xff\xfe") if fault.what == "invalid-utf8" else body


def _poisoned(page: list[Json], dimensions: tuple[str, ...], what: str) -> list[Json]:
    if not page:
        return page
    if what == "unknown-fields":
        return [row | {"novelty": {"nested": [1]}, "clicksV2": "3"} for row in page]
    text_at = next((dimensions.index(name) for name in ("page", "query") if name in dimensions), 0)
    extra: Json = {
        "keys": list(page[0].get("keys", ())),
        "clicks": 1,
        "impressions": 2,
        "ctr": 0.5,
        "position": 3.5,
    }
    keys = extra["keys"]
    if keys:
        keys[text_at] = f"{keys[text_at]}?poison={what}"
    if what in _ON_NUMBERS:
        extra |= _ON_NUMBERS[what]
    elif what == "no-position":
        del extra["position"]
    elif what == "look-alikes":
        return page + [extra | {"keys": _with(keys, text_at, text)} for text in _look_alikes(keys[text_at])]
    elif keys:
        _ON_KEYS[what](keys, dimensions, text_at)
    return [*page, extra]


def _with(keys: list[Any], index: int, text: str) -> list[Any]:
    return [*keys[:index], text, *keys[index + 1 :]]


def _look_alikes(text: str) -> list[str]:
    """Texts that are equal to careless eyes only."""
    return [
        text,
        f"{text}/",
        text.upper(),
        f"{text}%c3%bc",
        f"{text}%C3%BC",
        f"{text}\u00fc",
        f"{text}u\u0308",
        f"{text} ",
    ]


_ON_NUMBERS: dict[str, Json] = {
    "negative": {"clicks": -1, "impressions": -5},
    "nan": {"position": float("nan")},
    "infinity": {"impressions": float("inf")},
    "huge-number": {"impressions": 1e308},
    "beyond-int32": {"clicks": 2**31, "impressions": 2**40},
    "string-number": {"clicks": "7", "impressions": "9"},
    "fractional-clicks": {"clicks": 1.5},
    "clicks-above-impressions": {"clicks": 9, "impressions": 2},
    "zero-row": {"clicks": 0, "impressions": 0, "ctr": 0, "position": 0},
}


def _set(name: str, value: Any) -> Callable[[list[Any], tuple[str, ...], int], None]:
    """Put a value at a dimension, or at the first text where the request lacks it."""

    def change(keys: list[Any], dimensions: tuple[str, ...], text_at: int) -> None:
        keys[dimensions.index(name) if name in dimensions else text_at] = value

    return change


def _append(text: str) -> Callable[[list[Any], tuple[str, ...], int], None]:
    def change(keys: list[Any], _dimensions: tuple[str, ...], text_at: int) -> None:
        keys[text_at] += text

    return change


_ON_KEYS: dict[str, Callable[[list[Any], tuple[str, ...], int], None]] = {
    "nul": _append("\x00end"),
    "lone-surrogate": _append("\ud800"),
    "invalid-utf8": _append(""),
    "long-url": _append("/" + "x" * _LONG),
    "long-query": _set("query", "word " * (_LONG // 5)),
    "control-characters": _append("\t\n\r\\.\\N\x01\x7f"),
    "markup": _append("<script>alert(1)</script>'; DROP TABLE x; --\u202e😀{{7*7}}"),
    "empty-query": _set("query", ""),
    "unknown-country": _set("country", "xqz"),
    "unknown-device": _set("device", "GLASSES"),
    "extra-key": lambda keys, _dimensions, _at: keys.append("surplus"),
    "missing-key": lambda keys, _dimensions, _at: keys.pop() and None,
    "null-key": _set("page", None),
    "number-key": _set("page", 42),
    "bad-date": _set("date", "2026-13-45"),
    "date-outside": _set("date", "1999-12-31"),
}
