"""Runs asked for by a person: the annotations `gscsync.io/run-now` and `gscsync.io/retry`, and `runOnCreate`.

`run-now` holds a token, plain or in JSON with what the run is to do; `retry` holds the id of a run that failed and a
token. A wish is followed once: its hash is kept as long as the annotation stands, and the id of a run by hand is made
from its token. One that is there when an object is first seen was copied along with the object, so it is remembered and
not followed. The annotations themselves are never changed: they are the user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.decide.asking import Refused, parse_retry, parse_run_now
from controller.decide.draft import Draft
from controller.decide.gates import chosen, elsewhere
from controller.model.decision import EventReason
from controller.model.job import JobRecord
from controller.model.names import digest, run_id_of_creation, run_id_of_token, token_hash
from controller.model.schedule import Asks, Spec
from controller.model.status import TOKENS_LIMIT, CurrentRun, Outcome, RunRecord, RunState

REPEAT = timedelta(hours=1)
"""Within this time a second run by hand is refused while the first is unfinished or succeeded."""
MAX_ATTEMPT = 20
RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish, as the run that will fulfil it."""

    kind: str
    """run-now or retry."""
    run: CurrentRun
    hashed: str

    @property
    def run_id(self) -> str:
        return self.run.run_id


def record_first_visit(draft: Draft) -> None:
    """Wishes that were there before us are remembered, not followed."""
    for kind, hashed in _hashes(draft.schedule.asks).items():
        if hashed not in draft.status.tokens:
            remember(draft, hashed)
            draft.note("Skipped", f"{kind} was set before the object was first seen")
    draft.change(tokens_seen=True)


def begin_creation_run(draft: Draft, spec: Spec) -> None:
    """The one run of `runOnCreate`, decided at the first visit; from then on it waits like any other."""
    if elsewhere(spec, draft.site) or not chosen(draft.schedule, spec):
        draft.note("Skipped", "`runOnCreate`: not for this environment, or no workspace is in the rollout")
        return
    run_id = run_id_of_creation(draft.schedule.uid)
    draft.begin(CurrentRun(run_id, _minute(draft.now), "Create", RunState.WAITING, attempt=1, launch=0))


def open_ask(draft: Draft, *, refusal: str) -> Ask | None:
    """The wish that is to be followed now; one that must be refused is refused here, once, with the reason."""
    for kind, hashed in _hashes(draft.schedule.asks).items():
        if kind == "cancel" or hashed in draft.status.tokens:
            continue
        try:
            run = _run_now(draft, refusal) if kind == "run-now" else _retry(draft, refusal)
        except Refused as why:
            reason = EventReason.RUN_NOW_REFUSED if kind == "run-now" else EventReason.RETRY_REFUSED
            refuse(draft, kind, hashed, reason, str(why))
            continue
        return Ask(kind, run, hashed)
    return None


def begin(draft: Draft, ask: Ask) -> None:
    """The run becomes the current one and its token is remembered, in the same write."""
    draft.begin(ask.run)
    if ask.kind == "run-now":
        handled(draft, ask.hashed, ask.run.slot)
    else:
        _forget_cancel(draft, ask.run_id)
        remember(draft, ask.hashed)
        draft.note("Retrying", f"by hand: attempt {ask.run.attempt}", ask.run.slot)


def adopted(draft: Draft, job: JobRecord) -> CurrentRun | None:
    """The run of a Job that was made for the wish that stands in the annotation now, with all it asks for."""
    try:
        run = _parse_run(draft)
    except Refused:
        return None
    return run if run.run_id == job.run_id else None


def handled(draft: Draft, hashed: str, slot: datetime) -> None:
    """The run-now token of that hash has its run."""
    remember(draft, hashed)
    newest = draft.status.manual_watermark
    draft.change(manual_watermark=slot if newest is None else max(newest, slot))


def refuse(draft: Draft, kind: str, hashed: str, reason: EventReason, why: str) -> None:
    """Say once that a wish is not followed."""
    remember(draft, hashed)
    draft.note("Refused", f"{kind}: {why}")
    draft.notice(reason, f"{kind} refused: {why}", warning=True)


def remember(draft: Draft, hashed: str) -> None:
    """The newest hashes are kept, and those whose annotation stands: nothing is followed twice."""
    if hashed in draft.status.tokens:
        return
    standing = set(_hashes(draft.schedule.asks).values())
    tokens = [hashed, *draft.status.tokens]
    while len(tokens) > TOKENS_LIMIT:
        tokens.remove(next((item for item in reversed(tokens) if item not in standing), tokens[-1]))
    draft.change(tokens=tuple(tokens))


def _forget_cancel(draft: Draft, run_id: str) -> None:
    """The run is opened again, so it may be cancelled again in the same words, unless those still stand from before."""
    old = digest("cancel", run_id)
    if old != cancel_hash(draft.schedule.asks):
        draft.change(tokens=tuple(item for item in draft.status.tokens if item != old))


def cancel_hash(asks: Asks) -> str:
    """Of the cancel annotation; '' when there is none."""
    return _hashes(asks).get("cancel", "")


def _hashes(asks: Asks) -> dict[str, str]:
    """The wishes that stand, by kind: hash of the token, however it is wrapped; of the whole text if it is unreadable."""
    found = {}
    if asks.retry:
        found[RETRY] = digest("retry", asks.retry.strip())
    if asks.cancel:
        found["cancel"] = digest("cancel", asks.cancel.strip())
    if asks.run_now:
        try:
            found["run-now"] = token_hash(parse_run_now(asks.run_now).token)
        except Refused:
            found["run-now"] = token_hash(asks.run_now)
    return found


def _run_now(draft: Draft, refusal: str) -> CurrentRun:
    run = _parse_run(draft)
    if refusal:
        raise Refused(refusal)
    since = draft.now - REPEAT
    for unfinished in draft.status.runs:
        if unfinished.trigger == "Manual" and unfinished.slot > since:
            raise Refused(f"run {unfinished.run_id}, asked for within the last hour, is not finished")
    for record in draft.status.history:
        if record.trigger == "Manual" and record.slot > since and record.outcome is Outcome.SUCCEEDED:
            raise Refused(f"run {record.run_id}, asked for within the last hour, succeeded")
    return run


def _parse_run(draft: Draft) -> CurrentRun:
    wish = parse_run_now(draft.schedule.asks.run_now)
    spec = draft.schedule.spec
    known = [workspace.name for workspace in spec.workspaces] if spec else []
    if unknown := [name for name in wish.workspaces if name not in known]:
        raise Refused(f"no workspace '{unknown[0]}'; allowed are {', '.join(known[:10])}")
    if spec is not None and not wish.workspaces and not chosen(draft.schedule, spec):
        raise Refused("no workspace is in the rollout; name those to run in 'workspaces'")
    return CurrentRun(
        run_id=run_id_of_token(wish.token),
        slot=_minute(draft.now),
        trigger="Manual",
        state=RunState.WAITING,
        attempt=1,
        launch=0,
        token=wish.token,
        reason=wish.reason,
        requested_by=wish.requested_by,
        workspaces=wish.workspaces,
        window_days=wish.window_days,
        dry_run=wish.dry_run,
    )


def _retry(draft: Draft, refusal: str) -> CurrentRun:
    run_id = parse_retry(draft.schedule.asks.retry)
    if refusal:
        raise Refused(refusal)
    if draft.status.run(run_id) is not None:
        raise Refused(f"run {run_id} is not finished")
    record = next((item for item in draft.status.history if item.run_id == run_id), None)
    if record is None:
        raise Refused(f"run {run_id} is not among the last runs in `.status.history`")
    return _again(draft, record)


def _again(draft: Draft, record: RunRecord) -> CurrentRun:
    """The run once more, with one attempt beyond those it had."""
    if record.outcome not in (Outcome.FAILED, Outcome.CANCELLED):
        raise Refused(
            f"run {record.run_id} ended as {record.outcome}; only a failed or cancelled one is run again"
        )
    if record.trigger == "Manual":
        raise Refused(f"run {record.run_id} was asked for by run-now: ask again with a new token")
    if record.attempts >= MAX_ATTEMPT:
        raise Refused(
            f"run {record.run_id} has used {record.attempts} attempts, and {MAX_ATTEMPT} is the most"
        )
    return CurrentRun(
        run_id=record.run_id,
        slot=record.slot,
        trigger=record.trigger,
        state=RunState.RETRYING,
        attempt=record.attempts + 1,
        launch=record.launches,
        granted=max(0, record.attempts + 1 - draft.policy.max_attempts),
    )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
