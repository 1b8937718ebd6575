"""Tell: what was decided, as log lines with stable event names, once it stands in the status.

`decision` for every note; `job.start`, `job.stop` and `job.exception` for each launch, with the milliseconds it waited from
its slot and the milliseconds it took. Who dies before this line loses the line and nothing else.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from controller.model.names import slot_of_minutes
from controller.model.status import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from controller.model.decision import Decision
    from controller.model.schedule import Schedule
    from controller.model.status import ActiveLaunch

_EXCEPTIONS = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST, Outcome.RESULT_UNKNOWN})

log = logging.getLogger("gsc.decision")


def tell(schedule: Schedule, decision: Decision) -> None:
    where: dict[str, Any] = {"namespace": schedule.namespace, "schedule": schedule.name}
    run = decision.status.current
    for note in decision.notes:
        slot = note.slot.isoformat() if note.slot else None
        extra = where | {"event": "decision", "slot": slot, "what": note.what, "why": note.why}
        log.info("%s: %s", note.what, note.why, extra=extra | {"run": run.run_id if run else None})
    for launch in decision.entered:
        slot_time = slot_of_minutes(int(launch.run_id)) if launch.run_id.isdecimal() else launch.created_at
        extra = (
            where | _of(launch) | {"event": "job.start", "queue_time_ms": _ms(slot_time, launch.created_at)}
        )
        log.info(
            "Job %s started",
            launch.job_name,
            extra=extra | {"queue": schedule.spec.queue if schedule.spec else None},
        )
    for ended in decision.ended:
        failed = ended.outcome in _EXCEPTIONS
        extra = where | _of(ended.launch) | {"outcome": ended.outcome.value, "reason": ended.reason}
        extra |= {
            "event": "job.exception" if failed else "job.stop",
            "duration_ms": _ms(ended.launch.started_at or ended.launch.created_at, ended.finished_at),
        }
        log.log(
            logging.WARNING if failed else logging.INFO,
            "Job %s: %s",
            ended.launch.job_name,
            ended.outcome,
            extra=extra,
        )


def _of(launch: ActiveLaunch) -> dict[str, Any]:
    return {"run": launch.run_id, "attempt": launch.attempt, "launch": launch.launch, "job": launch.job_name}


def _ms(since: datetime, until: datetime) -> int:
    return max(0, int((until - since).total_seconds() * 1000))
