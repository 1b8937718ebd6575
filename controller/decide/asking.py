"""Asking: what stands in the annotations by which people ask for runs, checked, as values.

Text in annotations is written by hand and by programs: whatever is wrong is refused with what is allowed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from controller.model.bounds import MAX_CHOSEN
from controller.model.parameters import MAX_WINDOW_DAYS
from controller.model.parse import MAX_ASK
from controller.model.text import clean, cut

MAX_TOKEN_LENGTH = 256
_KEYS = ("token", "reason", "requestedBy", "workspaces", "windowDays", "dryRun")


class Refused(Exception):  # noqa: N818 - a finding about the annotation
    """Why a wish cannot be followed, and what is allowed."""


@dataclass(frozen=True, slots=True)
class RunNow:
    """What `gscsync.io/run-now` asks for."""

    token: str
    reason: str = ""
    requested_by: str = ""
    workspaces: tuple[str, ...] = ()
    window_days: int = 0
    dry_run: bool = False


def parse_run_now(raw: str) -> RunNow:
    """A plain token, or a JSON object. Raises Refused."""
    if len(raw) > MAX_ASK:
        raise Refused(f"the annotation is longer than {MAX_ASK} characters")
    if not raw.lstrip().startswith("{"):
        return RunNow(_token(raw))
    try:
        wish: dict[str, Any] = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused("the annotation is not valid JSON; a plain token is allowed too") from error
    if unknown := sorted(set(wish) - set(_KEYS)):
        raise Refused(f"unknown key '{clean(unknown[0])[:32]}'; allowed are {', '.join(_KEYS)}")
    return RunNow(
        token=_token(_text(wish, "token")),
        reason=_text(wish, "reason"),
        requested_by=_text(wish, "requestedBy"),
        workspaces=_workspaces(wish.get("workspaces", [])),
        window_days=_days(wish.get("windowDays", 0), given="windowDays" in wish),
        dry_run=_flag(wish.get("dryRun", False)),
    )


def parse_retry(raw: str) -> str:
    """The run id of `<run id>/<token>`. Raises Refused."""
    run_id, slash, token = raw.strip().partition("/")
    if not run_id or not slash or not token or len(raw) > MAX_TOKEN_LENGTH:
        raise Refused("the annotation must be '<run id>/<token>', such as '29415120/again-1'")
    return cut(run_id, 63)


def _text(wish: dict[str, Any], key: str) -> str:
    value = wish.get(key, "")
    if not isinstance(value, str):
        raise Refused(f"'{key}' must be a text")
    return value


def _token(text: str) -> str:
    token = text.strip()
    if not 0 < len(token) <= MAX_TOKEN_LENGTH:
        raise Refused(f"the token must have 1 to {MAX_TOKEN_LENGTH} characters")
    return token


def _workspaces(value: object) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or len(value) > MAX_CHOSEN
        or not all(isinstance(item, str) for item in value)
    ):
        raise Refused(f"'workspaces' must be a list of at most {MAX_CHOSEN} names")
    return tuple(dict.fromkeys(value))


def _days(value: object, *, given: bool) -> int:
    low = 1 if given else 0
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= MAX_WINDOW_DAYS:
        raise Refused(f"'windowDays' must be a whole number from 1 to {MAX_WINDOW_DAYS}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused("'dryRun' must be true or false")
    return value
