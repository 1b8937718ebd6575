"""Spread: `H` in a cron expression, so that schedules written alike do not all come due in one minute.

`H` stands for one value that a stable hash of the object's UID chooses; `H/15` for every 15th from such a value;
`H(9-17)` and `H(0-29)/10` for the same within a range. Days of the month are chosen up to 28, which every month has.
"""

from __future__ import annotations

import re

from controller.model.names import digest

_RANGES = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 28),
    ("month", 1, 12),
    ("day of week", 0, 6),
)
_TOKEN = re.compile(r"H(?:\((\d{1,2})-(\d{1,2})\))?(?:/(\d{1,2}))?")


class SpreadError(ValueError):
    """An `H` that stands for nothing; the message says what is allowed."""


def spread(expression: str, uid: str) -> str:
    """The expression with a value for every `H`; without one it is returned as it is. Raises SpreadError."""
    fields = expression.split()
    if len(fields) != len(_RANGES) or not any(_has(field) for field in fields):
        return expression
    return " ".join(
        ",".join(_value(term, number, uid) for term in field.split(","))
        for number, field in enumerate(fields)
    )


def _has(field: str) -> bool:
    return any(term.startswith("H") for term in field.split(","))


def _value(term: str, number: int, uid: str) -> str:
    if not term.startswith("H"):
        return term
    name, low, high = _RANGES[number]
    found = _TOKEN.fullmatch(term)
    if found is None:
        raise SpreadError(f"field {name}: '{term[:32]}' must be like H, H/15, H(0-29) or H(0-29)/10")
    first, last = (int(found[1]), int(found[2])) if found[1] else (low, high)
    step = int(found[3]) if found[3] else 0
    if not low <= first <= last <= high or (found[3] and not 1 <= step <= last - first + 1):
        raise SpreadError(
            f"field {name}: '{term[:32]}' must lie in {low}-{high}, begin before it ends, and step within it"
        )
    chosen = int(digest("H", uid, str(number)), 16)
    if not step:
        return str(first + chosen % (last - first + 1))
    start = first + chosen % step
    # A range of one value takes no step.
    return str(start) if start + step > last else f"{start}-{last}/{step}"
