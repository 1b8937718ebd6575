"""URL inspection: what the index says of a page, and which pages are worth one of the few questions a day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sync.plan.windows import PACIFIC, pacific_day

AGAIN_AFTER = timedelta(days=7)
"""A page is inspected again after this long: the index moves slowly, and Google answers 2,000 questions a day."""

LOOK_BACK = timedelta(days=28)
"""Pages with impressions lately come first; one that had none for so long is not asked about."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What Google's index says of one page, in Google's words; empty where it says nothing."""

    page: str
    verdict: str = ""
    coverage: str = ""
    robots: str = ""
    indexing: str = ""
    fetched: str = ""
    crawled_as: str = ""
    crawled_at: datetime | None = None
    google_canonical: str = ""
    user_canonical: str = ""


def day_began(now: datetime) -> datetime:
    """The Pacific midnight at which Google's daily quotas started anew."""
    return datetime.combine(pacific_day(now), time.min, tzinfo=PACIFIC)
