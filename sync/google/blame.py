"""Whose rate a refusal says was exceeded. Pure: the body goes in, scopes come out; none when it does not say.

The words differ by front end. `userRateLimitExceeded` blames the user and `rateLimitExceeded` the project; Search
Console's own "QPS quota exceeded" stands for the site, and for one query in flight too many as well. Newer front ends
name the limit in the metadata of an ErrorInfo instead ("...PerMinutePerProject", "1/min/{project}/{user}").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sync.quota.names import Scope

_REASONS = {
    "userratelimitexceeded": Scope.IDENTITY,
    "ratelimitexceeded": Scope.PROJECT,
    "quotaexceeded": Scope.PROPERTY,
}


def blamed(body: bytes) -> frozenset[Scope]:
    """Scopes whose limit was exceeded, as far as the body of a rate refusal tells."""
    parts = list(_parts(body))
    limits = " ".join(
        str(metadata.get(key, ""))
        for part in parts
        if isinstance(metadata := part.get("metadata"), dict)
        for key in ("quota_limit", "quota_unit")
    ).lower()
    if "user" in limits:
        return frozenset({Scope.IDENTITY})
    if "site" in limits or "property" in limits:
        return frozenset({Scope.PROPERTY})
    if "project" in limits:
        return frozenset({Scope.PROJECT})
    reasons = {str(part.get("reason", "")).lower() for part in parts}
    return frozenset(scope for reason, scope in _REASONS.items() if reason in reasons)


def _parts(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        answer = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return
    for found in (error.get("errors"), error.get("details")):
        if isinstance(found, list):
            yield from (part for part in found if isinstance(part, dict))
