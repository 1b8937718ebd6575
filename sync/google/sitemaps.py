"""Sitemaps of a property: the question, and the answer in Google's peculiar form.

Counters are strings (64-bit integers of JSON's mapping), what is false or zero is left out, and so is the whole list
when it is empty. What cannot be read of an entry is taken as left out; an entry without a path is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sync.google.bodies import BadBodyError, whole_object
from sync.google.question import Question
from sync.plan.inventory import Sitemap
from sync.rows import whole_text

MAX_COUNTER = 2**63 - 1
MAX_TYPE_CHARACTERS = 40


def sitemaps_question(property_: str) -> Question:
    return Question("sitemaps.list", f"sites/{quote(property_, safe='')}/sitemaps", property_)


def decode_sitemaps(body: bytes) -> Sequence[Sitemap]:
    """Distinct by path, in the order of paths.

    Raises BadBodyError.
    """
    entries = whole_object(body).get("sitemap", [])
    if not isinstance(entries, list):
        raise BadBodyError("`sitemap` is no list")
    found = {
        entry["path"]: _sitemap(entry)
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and entry["path"]
    }
    return sorted(found.values(), key=lambda each: each.path)


def _sitemap(entry: dict[str, Any]) -> Sitemap:
    contents: dict[str, int] = {}
    listed = entry.get("contents")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and isinstance(each.get("type"), str):
            name = _short(each["type"])
            contents[name] = min(contents.get(name, 0) + _counter(each.get("submitted")), MAX_COUNTER)
    return Sitemap(
        path=whole_text(entry["path"]),
        type=_short(entry.get("type")),
        is_index=entry.get("isSitemapsIndex") is True,
        is_pending=entry.get("isPending") is True,
        submitted_at=_moment(entry.get("lastSubmitted")),
        downloaded_at=_moment(entry.get("lastDownloaded")),
        warnings=_counter(entry.get("warnings")),
        errors=_counter(entry.get("errors")),
        contents=tuple(sorted(contents.items())),
    )


def _short(text: Any) -> str:
    return whole_text(text)[:MAX_TYPE_CHARACTERS] if isinstance(text, str) else ""


def _counter(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 <= value <= MAX_COUNTER else 0


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
