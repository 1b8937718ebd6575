"""Status <-> the `.status` of a resource. docs/semantics.md lists every path; the schema of the CRD follows it.

Written: the records, plus columns derived from them for `kubectl get` (never read back). The result is a merge patch:
absent values are null. It depends on nothing but its arguments, so a status that was read and is written again is the
same, and an unchanged status costs no write. It is at most 16 KiB, whatever the records hold.

Read: leniently. Status is ours, but anybody with the right may have written nonsense into it; what cannot be read is
absent, and `decide` rebuilds what it needs from the Jobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contract import RunSummary
from controller.model import bounds
from controller.model.codec import dump, format_moment, load, load_list
from controller.model.raw import mapping, moment, text, whole
from controller.model.schedule import Schedule, Spec
from controller.model.spread import SpreadError, spread
from controller.model.status import (
    DECISIONS_LIMIT,
    HISTORY_LIMIT,
    NEXT_LIMIT,
    RUNS_LIMIT,
    TOKENS_LIMIT,
    WAITING_LIMIT,
    ActiveLaunch,
    Condition,
    ConditionType,
    Counters,
    CurrentRun,
    DecisionNote,
    Outcome,
    RunRecord,
    Status,
)
from controller.model.text import clean, cut, json_bytes

ACTIVE_LIMIT = 4
_SUMMARY_KEYS = tuple(item.alias or name for name, item in RunSummary.model_fields.items())


def write_status(status: Status, schedule: Schedule) -> dict[str, Any]:
    """The status as a merge patch of `.status`."""
    written = _written(status, schedule)
    while json_bytes(_without_nulls(written)) > bounds.MAX_STATUS and _shrink(written):
        pass
    return written


def _written(status: Status, schedule: Schedule) -> dict[str, Any]:
    spec, run, last = schedule.spec, status.current, status.last_run
    current = None
    if run is not None:
        current = _run(run, spec) | ({} if spec else {"maxAttempts": None})
    last_run = None
    if last is not None:
        last_run = dump(bounds.run_record(last)) | {"summary": _summary(status.last_summary)}
    ready = status.condition(ConditionType.READY)
    workspaces = f"{last.workspaces_ok}/{last.workspaces_total}" if last and last.workspaces_total else ""
    return {
        "observedGeneration": status.observed_generation,
        "conditions": [
            dump(bounds.condition(item), in_list=True) for item in status.conditions[: len(ConditionType)]
        ],
        # Columns, derived from the rest.
        "lastResult": str(last.outcome) if last else None,
        "result": _SHORT.get(last.outcome, str(last.outcome)) if last else None,
        "nextRun": f"{status.next_slot.astimezone(UTC):%Y-%m-%dT%H:%MZ}" if status.next_slot else None,
        "message": bounds.condition(ready).message if ready else None,
        "active": len(status.active),
        "retries": status.counters.retries,
        "workspaces": workspaces or (str(len(spec.workspaces)) if spec else None),
        "effective": None
        if spec is None
        else {
            "timeoutSeconds": spec.timeout_seconds,
            "pendingDeadlineSeconds": spec.pending_deadline_seconds,
            "maxAttempts": spec.retry.max_attempts,
            "maxSnoozes": spec.retry.max_snoozes,
            "windowDays": spec.window_days,
            "maxAgeSeconds": spec.catch_up.max_age_seconds,
            "freshnessSeconds": spec.freshness_seconds,
            "timeZone": cut(spec.time_zone, 64),
            "schedule": _spread(spec.schedule, schedule.uid),
        },
        # State.
        "scheduleHash": cut(status.schedule_hash, 64) or None,
        "effectiveSince": format_moment(status.effective_since) if status.effective_since else None,
        "lastScheduleTime": format_moment(status.watermark) if status.watermark else None,
        "lastManualTime": format_moment(status.manual_watermark) if status.manual_watermark else None,
        "nextScheduleTime": format_moment(status.next_slot) if status.next_slot else None,
        "nextScheduleTimes": [format_moment(slot) for slot in status.next_slots[:NEXT_LIMIT]],
        "lastSuccessTime": format_moment(status.last_success_at) if status.last_success_at else None,
        "lastFailureTime": format_moment(status.last_failure_at) if status.last_failure_at else None,
        "newestFinalDay": status.newest_final_day.isoformat() if status.newest_final_day else None,
        "consecutiveFailures": status.consecutive_failures,
        "currentRun": current,
        "otherRuns": [_run(item, spec, in_list=True) for item in status.beside[: RUNS_LIMIT - 1]],
        "activeLaunches": [
            dump(bounds.active_launch(item), in_list=True) for item in status.active[:ACTIVE_LIMIT]
        ],
        "waiting": _named(status.waiting[:WAITING_LIMIT], 63),
        "counters": dump(status.counters),
        "lastRun": last_run,
        "history": [dump(bounds.run_record(item), in_list=True) for item in status.history[:HISTORY_LIMIT]],
        "decisions": [
            dump(bounds.note(item.at, item.slot, item.what, item.why), in_list=True)
            for item in status.decisions[:DECISIONS_LIMIT]
        ],
        "handledTokens": _named(status.tokens[:TOKENS_LIMIT], 16),
        "firstVisitDone": status.tokens_seen,
    }


_SHORT = {Outcome.PARTIALLY_SUCCEEDED: "Partial"}
"""What a printed column says, where the outcome's own name would not fit a terminal."""


def _run(run: CurrentRun, spec: Spec | None, *, in_list: bool = False) -> dict[str, Any]:
    allowed = {"maxAttempts": spec.retry.max_attempts + run.granted} if spec else {}
    return dump(bounds.current_run(run), in_list=in_list) | allowed


def _spread(expression: str, uid: str) -> str | None:
    try:
        return cut(spread(expression, uid), 256)
    except SpreadError:
        return None


def _named(items: tuple[str, ...], limit: int) -> list[str]:
    return [text for item in items if (text := cut(item, limit))]


def _summary(stored: str) -> dict[str, Any] | None:
    """Every key of a summary, the absent ones as null, so that a merge patch leaves nothing of an older one."""
    summary = bounds.read_summary(stored)
    if summary is None:
        return None
    values = json.loads(bounds.short_summary(summary))
    return {key: values.get(key) for key in _SUMMARY_KEYS}


def _shrink(written: dict[str, Any]) -> bool:
    """Drops the least useful thing; False when nothing is left to drop."""
    for part in ("decisions", "history", "activeLaunches"):
        if len(written[part]) > 1:
            written[part] = written[part][:-1]
            return True
    return False


def _without_nulls(value: Any) -> Any:
    """As the API server stores it once the merge patch is applied."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def read_status(body: Mapping[str, Any]) -> Status:
    """The status out of a resource; what cannot be read is absent. Never raises."""
    status = mapping(body.get("status"))
    last_run = mapping(status.get("lastRun"))
    summary = last_run.get("summary")
    current = load(CurrentRun, status.get("currentRun"))
    stored = (
        bounds.canonical({key: value for key, value in summary.items() if value is not None})
        if isinstance(summary, Mapping)
        else ""
    )
    day = moment(f"{text(status.get('newestFinalDay'))[:10]}T00:00:00Z")
    return Status(
        observed_generation=_count(status.get("observedGeneration")),
        schedule_hash=text(status.get("scheduleHash")),
        effective_since=moment(status.get("effectiveSince")),
        watermark=moment(status.get("lastScheduleTime")),
        manual_watermark=moment(status.get("lastManualTime")),
        next_slots=_moments(status),
        waiting=_texts(status.get("waiting"), WAITING_LIMIT),
        current=current,
        beside=load_list(CurrentRun, status.get("otherRuns"), RUNS_LIMIT - 1),
        active=load_list(ActiveLaunch, status.get("activeLaunches"), ACTIVE_LIMIT),
        counters=load(Counters, mapping(status.get("counters"))) or Counters(),
        consecutive_failures=_count(status.get("consecutiveFailures")),
        last_success_at=moment(status.get("lastSuccessTime")),
        last_failure_at=moment(status.get("lastFailureTime")),
        newest_final_day=day.date() if day else None,
        last_run=load(RunRecord, last_run),
        last_summary=stored if bounds.read_summary(stored) is not None else "",
        history=load_list(RunRecord, status.get("history"), HISTORY_LIMIT),
        tokens=_texts(status.get("handledTokens"), TOKENS_LIMIT),
        tokens_seen=status.get("firstVisitDone") is True,
        decisions=load_list(DecisionNote, status.get("decisions"), DECISIONS_LIMIT),
        conditions=load_list(Condition, status.get("conditions"), len(ConditionType)),
    )


def _moments(status: Mapping[str, Any]) -> tuple[datetime, ...]:
    """The next slots; a status of an older operator has only the first."""
    found = status.get("nextScheduleTimes")
    items = found if isinstance(found, list | tuple) and found else (status.get("nextScheduleTime"),)
    return tuple(at for item in items if (at := moment(item)) is not None)[:NEXT_LIMIT]


def _count(value: object) -> int:
    return max(0, whole(value) or 0)


def _texts(value: object, limit: int) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else ()
    return tuple(clean(item)[:64] for item in items if isinstance(item, str) and item)[:limit]
