"""What a refusal of Google means. Pure: status, headers and body in, a Verdict out.

Quota comes as 403 as often as permission does, and only the body tells them apart; proxies answer HTML; the places that
give tokens have languages of their own (`classify_token`). A table of words and reasons, read top down, decides. Nothing
of the body is quoted but Google's own message, cut short.
"""

from __future__ import annotations

import email.utils
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from contract import FailureClass
from sync.rows import whole_text


class Kind(Enum):
    """What a refusal calls for."""

    RATE = "slow down"
    LOAD = "let the property rest"
    DAILY = "let the project rest until Pacific midnight"
    UNAUTHORIZED = "get a new token"
    ACCOUNT = "this identity cannot work"
    PROPERTY = "this identity cannot read this property"
    REQUEST = "the question is wrong"
    TRANSIENT = "ask again"
    UNCLEAR = "a refusal nobody understands"
    BAD_ANSWER = "an answer that makes no sense"
    OVERSIZED = "an answer beyond all bounds"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A refusal, understood. `retry_after` is what the server asked for, in seconds, when it asked for sense."""

    kind: Kind
    failure_class: FailureClass
    message: str
    retry_after: float | None = None


_RATE_REASONS = {
    "quotaexceeded",
    "ratelimitexceeded",
    "userratelimitexceeded",
    "rate_limit_exceeded",
    "resource_exhausted",
    "servinglimitexceeded",
    "concurrentlimitexceeded",
}
_DAILY_REASONS = {"dailylimitexceeded", "dailylimitexceededunreg"}
DISABLED_REASONS = {"accessnotconfigured", "service_disabled"}
_SCOPE_REASONS = {"access_token_scope_insufficient"}
_PERMISSION_REASONS = {"forbidden", "insufficientpermissions", "permission_denied"}
_MESSAGE_LENGTH = 300


def classify(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict | None:
    """The verdict on an API answer; None when it is no refusal."""
    error = envelope_of(body) if status >= 400 or b'"error"' in body[:200] else None
    if status == 200:
        return None if error is None else _refusal(_inner_code(error), headers, error, now)
    if 200 <= status < 400:
        text = f"Google answered HTTP {status}, which is no answer to a query; redirects are not followed"
        return Verdict(Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, text)
    return _refusal(status, headers, error, now)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds the server asks to wait, from seconds or a date; None when absent, past or nonsense."""
    raw = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", raw):
        return float(raw)
    try:
        moment = email.utils.parsedate_to_datetime(raw)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def _refusal(status: int, headers: Mapping[str, str], error: dict[str, Any] | None, now: datetime) -> Verdict:
    pause = retry_after(headers, now)
    said = said_by(error)
    text = f"HTTP {status}: {said}" if said else f"HTTP {status} without a reason"
    if status in {403, 429}:
        return _refused(status, error, text, pause)
    if status == 401:
        return Verdict(
            Kind.UNAUTHORIZED, FailureClass.CREDENTIALS_INVALID, f"Google does not accept the token ({text})"
        )
    if status == 404:
        return Verdict(
            Kind.PROPERTY,
            FailureClass.PROPERTY_GONE,
            f"Google does not know this property any more ({text}); stored rows are kept",
        )
    if status in {408, 425} or status >= 500:
        return Verdict(Kind.TRANSIENT, FailureClass.GOOGLE_UNAVAILABLE, text, pause)
    if error is None:
        return Verdict(Kind.BAD_ANSWER, FailureClass.BAD_ANSWER, f"{text}; is a proxy in the way?")
    return Verdict(Kind.REQUEST, FailureClass.BAD_REQUEST, text)


def _refused(status: int, error: dict[str, Any] | None, text: str, pause: float | None) -> Verdict:
    """403 and 429: disabled API, scope, daily quota, load quota, rate, permission - told apart in this order."""
    reasons = reasons_of(error)
    words = words_of(error)
    if reasons & DISABLED_REASONS or "has not been used in project" in words:
        return Verdict(
            Kind.ACCOUNT,
            FailureClass.API_DISABLED,
            f"the Search Console API is off in the Google Cloud project of this credential; enable it there ({text})",
        )
    if reasons & _SCOPE_REASONS or "insufficient authentication scopes" in words:
        return Verdict(
            Kind.ACCOUNT,
            FailureClass.CREDENTIALS_INVALID,
            f"the credential lacks the scope https://www.googleapis.com/auth/webmasters.readonly; consent again with it ({text})",
        )
    if reasons & _DAILY_REASONS:
        return Verdict(Kind.DAILY, FailureClass.DAILY_QUOTA, text, pause)
    if "load quota" in words:
        return Verdict(Kind.LOAD, FailureClass.LOAD_QUOTA, text, pause)
    if status == 429 or reasons & _RATE_REASONS or "qps quota" in words:
        if "per day" in words or "daily limit" in words:
            return Verdict(Kind.DAILY, FailureClass.DAILY_QUOTA, text, pause)
        return Verdict(Kind.RATE, FailureClass.RATE_LIMITED, text, pause)
    if reasons & _PERMISSION_REASONS or "sufficient permission" in words:
        return Verdict(
            Kind.PROPERTY,
            FailureClass.PERMISSION_DENIED,
            f"this identity may not read this property; add it as a user in Search Console ({text})",
        )
    return Verdict(
        Kind.UNCLEAR, FailureClass.PERMISSION_DENIED, f"Google refused without saying why ({text})", pause
    )


def object_of(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def envelope_of(body: bytes) -> dict[str, Any] | None:
    """The inside of `{"error": {...}}`, or None."""
    error = (object_of(body) or {}).get("error")
    return error if isinstance(error, dict) else None


def _inner_code(error: dict[str, Any]) -> int:
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code <= 599 else 500


def _parts(error: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The error itself and each entry of `errors` and `details`, whichever are there."""
    if error is None:
        return []
    lists = [error.get("errors"), error.get("details")]
    return [
        error,
        *(entry for found in lists if isinstance(found, list) for entry in found if isinstance(entry, dict)),
    ]


def reasons_of(error: dict[str, Any] | None) -> set[str]:
    found = (part.get(key) for part in _parts(error) for key in ("reason", "status"))
    return {reason.lower() for reason in found if isinstance(reason, str)}


def words_of(error: dict[str, Any] | None) -> str:
    found = (part.get("message") for part in _parts(error))
    return " ".join(message.lower() for message in found if isinstance(message, str))


def said_by(error: dict[str, Any] | None) -> str:
    message = None if error is None else error.get("message")
    return cut(message) if isinstance(message, str) else ""


def cut(text: str) -> str:
    return whole_text(text[:_MESSAGE_LENGTH]).strip()
