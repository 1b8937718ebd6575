"""What an answer of the API server means: an HTTP status and a `Status` body become one error of the port's tree.

Pure, so that each row of the table can be tested without a server. Nothing in an answer is trusted: a Retry-After in
any form and a body that is no JSON must not end the operator.
"""

from __future__ import annotations

import json
from typing import Any

from controller.cluster.port import (
    AlreadyExists,
    ClusterError,
    Conflict,
    NotFound,
    NotServed,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)

MAX_MESSAGE = 512
MAX_RETRY_AFTER = 60.0


def error_of(status: int, body: bytes, retry_after: str | None) -> ClusterError | None:
    """Return the error that this answer stands for, or None when it is a success."""
    if 200 <= status < 300:
        return None
    reason, message = _explain(body)
    text = f"HTTP {status} {reason}: {message}"[:MAX_MESSAGE]
    if status == 401:
        return Unauthorized(text)
    if status == 404:
        # Without a Status it is no object that is missing: the API server does not serve the path (yet, or any more).
        return NotFound(text) if reason else NotServed(text)
    if status == 409:
        return AlreadyExists(text) if reason == "AlreadyExists" else Conflict(text)
    if status == 429:
        return Throttled(text, retry_after_seconds(retry_after))
    if status in {408, 410} or status >= 500 or status < 400:
        # 410 comes when a chunked list outlived its snapshot: beginning again is the cure, as with a lost answer.
        return Unavailable(text)
    return Refused(message[:MAX_MESSAGE] or text)


def retry_after_seconds(value: str | None) -> float:
    """Seconds to wait, 1 to 60; a date, text or nonsense counts as one second."""
    try:
        seconds = float(value or "")
    except ValueError:
        return 1.0
    return min(max(seconds, 1.0), MAX_RETRY_AFTER) if seconds == seconds else 1.0  # noqa: PLR0124 - NaN


def _explain(body: bytes) -> tuple[str, str]:
    try:
        status: Any = json.loads(body)
    except ValueError:
        return "", body[:MAX_MESSAGE].decode(errors="replace")
    if not isinstance(status, dict):
        return "", ""
    return str(status.get("reason") or ""), str(status.get("message") or "")
