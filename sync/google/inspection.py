"""URL inspection: the question, and the answer. It lives below another address than everything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sync.google.bodies import BadBodyError, whole_object
from sync.google.question import Question
from sync.plan.inspection import Inspection
from sync.rows import whole_text

MAX_WORD = 200


def inspection_question(property_: str, page: str) -> Question:
    return Question(
        "urlInspection.inspect",
        "urlInspection/index:inspect",
        property_,
        query={"inspectionUrl": page, "siteUrl": property_},
    )


def inspection_decoder(page: str) -> Callable[[bytes], Inspection]:
    """Reads an answer about this page; raises BadBodyError for what is none."""

    def decode(body: bytes) -> Inspection:
        result = whole_object(body).get("inspectionResult")
        status = result.get("indexStatusResult") if isinstance(result, dict) else None
        if not isinstance(status, dict):
            raise BadBodyError("`indexStatusResult` is missing")
        return Inspection(
            page,
            verdict=_word(status.get("verdict")),
            coverage=_word(status.get("coverageState")),
            robots=_word(status.get("robotsTxtState")),
            indexing=_word(status.get("indexingState")),
            fetched=_word(status.get("pageFetchState")),
            crawled_as=_word(status.get("crawledAs")),
            crawled_at=_moment(status.get("lastCrawlTime")),
            google_canonical=_text(status.get("googleCanonical")),
            user_canonical=_text(status.get("userCanonical")),
        )

    return decode


def _word(value: Any) -> str:
    return _text(value)[:MAX_WORD]


def _text(value: Any) -> str:
    return whole_text(value) if isinstance(value, str) else ""


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
