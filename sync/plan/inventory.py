"""What there is at Google beside facts: which properties an identity sees, and the sitemaps of a property. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ASK_AGAIN_AFTER = timedelta(hours=20)
"""Sitemaps change seldom, so once a day is enough; less than 24 hours, so that a daily schedule asks in each run."""

DOMAIN, URL_PREFIX = "domain", "url-prefix"


@dataclass(frozen=True, slots=True, order=True)
class Sitemap:
    """One sitemap as Google lists it. `contents` are submitted URLs by kind, in the order of the kinds."""

    path: str
    type: str = ""
    is_index: bool = False
    is_pending: bool = False
    submitted_at: datetime | None = None
    downloaded_at: datetime | None = None
    warnings: int = 0
    errors: int = 0
    contents: tuple[tuple[str, int], ...] = ()


def kind_of(property_: str) -> str:
    """A domain property covers all hosts and schemes; the others cover what begins like them."""
    return DOMAIN if property_.startswith("sc-domain:") else URL_PREFIX


def sitemaps_are_due(asked_at: datetime | None, now: datetime) -> bool:
    return asked_at is None or now - asked_at >= ASK_AGAIN_AFTER
