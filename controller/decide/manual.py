"""Runs asked for by a person: the `gscsync.io/run-now` annotation, and `runOnCreate`.

The annotation holds a token, plain or in JSON with a reason and a name. A token runs once: its hash is kept, and the id
of its run is made from it. One that is there when an object is first seen was copied along with the object, so it is
remembered and not run. The annotation itself is never changed: it is the user's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.decide.draft import Draft
from controller.model.decision import EventReason
from controller.model.names import run_id_of_creation, run_id_of_token, token_hash
from controller.model.parse import MAX_ASK
from controller.model.status import TOKENS_LIMIT, CurrentRun, Outcome, RunState
from controller.model.text import clean, cut

MAX_TOKEN_LENGTH = 256
REPEAT = timedelta(hours=1)
"""Within this time a second run by hand is refused while the first is unfinished or succeeded."""
_KEYS = ("token", "reason", "requestedBy")


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to run now."""

    token: str
    reason: str = ""
    requested_by: str = ""


class _Refused(Exception):  # noqa: N818 - a finding about the annotation
    """Why the annotation cannot be followed, and what is allowed."""


def record_first_visit(draft: Draft) -> None:
    """Tokens that were there before us are remembered, not run; `runOnCreate` asks for its one run."""
    raw = draft.schedule.asks.run_now
    if raw and _hash(raw) not in draft.status.tokens:
        _remember(draft, _hash(raw))
        draft.note("Skipped", "run-now was set before the object was first seen")
    draft.change(tokens_seen=True)


def begin_creation_run(draft: Draft) -> None:
    """The one run of `runOnCreate`, decided at the first visit; from then on it waits like any other."""
    run_id = run_id_of_creation(draft.schedule.uid)
    draft.begin(CurrentRun(run_id, _minute(draft.now), "Create", RunState.WAITING, attempt=1, launch=0))


def open_ask(draft: Draft, *, refusal: str) -> Ask | None:
    """The wish that is to be followed now; one that must be refused is refused here, once, with the reason."""
    raw = draft.schedule.asks.run_now
    if not raw or _hash(raw) in draft.status.tokens:
        return None
    try:
        ask = _parse(raw)
        _refuse(draft, refusal)
    except _Refused as why:
        _remember(draft, _hash(raw))
        draft.note("Refused", f"run-now: {why}")
        draft.notice(EventReason.RUN_NOW_REFUSED, f"run-now refused: {why}", warning=True)
        return None
    return ask


def begin(draft: Draft, ask: Ask) -> None:
    """The run becomes the current one and its token is remembered, in the same write."""
    slot = _minute(draft.now)
    draft.begin(
        CurrentRun(
            run_id=run_id_of_token(ask.token),
            slot=slot,
            trigger="Manual",
            state=RunState.WAITING,
            attempt=1,
            launch=0,
            token=ask.token,
            reason=ask.reason,
            requested_by=ask.requested_by,
        )
    )
    handled(draft, token_hash(ask.token), slot)


def handled(draft: Draft, hashed: str, slot: datetime) -> None:
    """The token of that hash has its run."""
    _remember(draft, hashed)
    newest = draft.status.manual_watermark
    draft.change(manual_watermark=slot if newest is None else max(newest, slot))


def _parse(raw: str) -> Ask:
    if len(raw) > MAX_ASK:
        raise _Refused(f"the annotation is longer than {MAX_ASK} characters")
    if not raw.lstrip().startswith("{"):
        return Ask(_token(raw))
    try:
        wish = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _Refused("the annotation is not valid JSON; a plain token is allowed too") from error
    unknown = sorted(set(wish) - set(_KEYS))
    if unknown:
        raise _Refused(f"unknown key '{clean(unknown[0])[:32]}'; allowed are {', '.join(_KEYS)}")
    if not all(isinstance(value, str) for value in wish.values()):
        raise _Refused("every value must be a text")
    return Ask(_token(wish.get("token", "")), wish.get("reason", ""), wish.get("requestedBy", ""))


def _token(text: str) -> str:
    token = text.strip()
    if not 0 < len(token) <= MAX_TOKEN_LENGTH:
        raise _Refused(f"the token must have 1 to {MAX_TOKEN_LENGTH} characters")
    return token


def _hash(raw: str) -> str:
    """Of the token, however it is wrapped; of the whole text when it cannot be read."""
    try:
        return token_hash(_parse(raw).token)
    except _Refused:
        return token_hash(raw)


def _refuse(draft: Draft, refusal: str) -> None:
    if refusal:
        raise _Refused(refusal)
    current, since = draft.status.current, draft.now - REPEAT
    if current is not None and current.trigger == "Manual" and current.slot > since:
        raise _Refused(f"run {current.run_id}, asked for within the last hour, is not finished")
    for record in draft.status.history:
        if record.trigger == "Manual" and record.slot > since and record.outcome is Outcome.SUCCEEDED:
            raise _Refused(f"run {cut(record.run_id, 63)}, asked for within the last hour, succeeded")


def _remember(draft: Draft, hashed: str) -> None:
    if hashed not in draft.status.tokens:
        draft.change(tokens=(hashed, *draft.status.tokens)[:TOKENS_LIMIT])


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
