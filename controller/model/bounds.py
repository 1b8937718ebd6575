"""Bounds: the sizes that keep a status below 16 KiB, applied where records are made and once more where they are written.

Sizes are bytes of JSON. Applying a bound twice changes nothing, so a status that was read and is written again is equal.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from contract import ContractError, RunSummary
from controller.model.codec import dump
from controller.model.status import (
    ERRORS_LIMIT,
    ActiveLaunch,
    AttemptError,
    Condition,
    CurrentRun,
    DecisionNote,
    RunRecord,
)
from controller.model.text import cut, json_bytes

MAX_STATUS = 16 * 1024
MAX_HISTORY_ENTRY = 512
MAX_NOTE = 160
MAX_SUMMARY = 2048
MAX_MESSAGE = 256
MAX_REASON = 64
MAX_CONDITION_MESSAGE = 384
MAX_TOKEN = 64
MAX_CHOSEN = 20
"""Workspaces that a run by hand may name."""
_NOTE_FRAME = len('{"time":"2026-01-01T00:00:00Z","what":"","why":""}')
_SLOT_FRAME = len('"slot":"2026-01-01T00:00:00Z",')


def note(at: datetime, slot: datetime | None, what: str, why: str) -> DecisionNote:
    """A decision note of at most MAX_NOTE bytes."""
    what = cut(what, 24)
    frame = _NOTE_FRAME + json_bytes(what) - 2 + (_SLOT_FRAME if slot else 0)
    return DecisionNote(at=at, slot=slot, what=what, why=cut(why, MAX_NOTE - frame))


def attempt_error(error: AttemptError) -> AttemptError:
    return replace(error, reason=cut(error.reason, MAX_REASON), message=cut(error.message, MAX_MESSAGE))


def run_record(record: RunRecord) -> RunRecord:
    """A history entry of at most MAX_HISTORY_ENTRY bytes: the message yields."""
    record = replace(
        record,
        run_id=cut(record.run_id, 63),
        trigger=cut(record.trigger, 16),
        reason=cut(record.reason, MAX_REASON),
    )
    bare = json_bytes(dump(replace(record, message=""), in_list=True)) + len(',"message":""')
    return replace(record, message=cut(record.message, MAX_HISTORY_ENTRY - bare))


def active_launch(launch: ActiveLaunch) -> ActiveLaunch:
    return replace(
        launch,
        run_id=cut(launch.run_id, 63),
        job_name=cut(launch.job_name, 63),
        job_uid=cut(launch.job_uid, 64),
        doomed=cut(launch.doomed, MAX_REASON),
        doomed_message=cut(launch.doomed_message, MAX_MESSAGE // 2),
    )


def condition(made: Condition) -> Condition:
    return replace(
        made, reason=cut(made.reason, MAX_REASON), message=cut(made.message, MAX_CONDITION_MESSAGE)
    )


def current_run(run: CurrentRun) -> CurrentRun:
    return replace(
        run,
        run_id=cut(run.run_id, 63),
        trigger=cut(run.trigger, 16),
        token=cut(run.token, MAX_TOKEN),
        reason=cut(run.reason, MAX_MESSAGE // 2),
        requested_by=cut(run.requested_by, MAX_TOKEN),
        workspaces=tuple(cut(name, 63) for name in run.workspaces[:MAX_CHOSEN]),
        refusal=cut(run.refusal, MAX_MESSAGE),
        errors=tuple(attempt_error(error) for error in run.errors[-ERRORS_LIMIT:]),
    )


def canonical(summary: object) -> str:
    """JSON text that is equal for equal values, whoever ordered the keys."""
    return json.dumps(summary, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def read_summary(text: str) -> RunSummary | None:
    """A summary out of a pod or a status; None when it does not follow the contract. Never raises."""
    try:
        return RunSummary.from_json(text)
    except (ContractError, ValueError, RecursionError):
        return None


def short_summary(summary: RunSummary) -> str:
    """The summary as canonical JSON of at most MAX_SUMMARY bytes: lists and messages yield, counts never."""
    text = ""
    for length, items in ((256, 12), (128, 6), (96, 4), (64, 2), (32, 1), (0, 0)):
        text = canonical(
            summary.model_copy(
                update={
                    "run_id": cut(summary.run_id, 63),
                    "message": cut(summary.message, length),
                    "successes": [
                        success.model_copy(update={"workspace": cut(success.workspace, 63)})
                        for success in summary.successes[:items]
                    ],
                    "failures": [
                        failure.model_copy(
                            update={
                                "workspace": cut(failure.workspace, 63),
                                "message": cut(failure.message, length),
                            }
                        )
                        for failure in summary.failures[:items]
                    ],
                }
            ).model_dump(mode="json", by_alias=True, exclude_none=True)
        )
        if len(text.encode(errors="surrogatepass")) <= MAX_SUMMARY:
            break
    return text
