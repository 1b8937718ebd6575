"""Verdict: how one launch came out, from what its pod left behind. The exit code decides, the summary explains.

Order matters. The program's own word (exit 0, 75, 78) stands whatever happened around it. Then come our own deletion,
the deadline, memory, what the cluster did to the pod, and last a plain failure. With no facts at all the answer is
`ResultUnknown`, never a guess. Text out of pods is hostile: it is parsed strictly, cut and cleaned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contract import ExitCode, RunSummary, State
from controller.model.bounds import MAX_MESSAGE, MAX_REASON, read_summary
from controller.model.job import GRACE_SECONDS, Disruption, JobRecord, JobState, PodFacts, Trouble
from controller.model.schedule import Spec
from controller.model.status import ActiveLaunch, Outcome
from controller.model.text import cut

FACTS_GRACE = timedelta(seconds=5)
"""How long a finished Job may wait for the facts of its pod, which come by another watch."""
_CLOCKS_DIFFER = timedelta(seconds=60)
"""How far the clock of a node may be behind the API server's."""
COMPLETE_UNSEEN = "CompleteUnseen"
TIMED_OUT, REPLACED, CANCELLED, STOPPED = "TimedOut", "Replaced", "Cancelled", "Stopped"
_DOOMED = {
    TIMED_OUT: Outcome.TIMED_OUT,
    REPLACED: Outcome.SUPERSEDED,
    CANCELLED: Outcome.CANCELLED,
    STOPPED: Outcome.LOST,
}
"""Why the operator ends a launch, and what it counts as; any other reason is a failure."""
DEFAULT_SNOOZE_SECONDS = 300
MAX_SNOOZE_SECONDS = 86_400

_NEXT_STEP = {
    Trouble.IMAGE: "check the image name and pull secret in the operator's chart values",
    Trouble.UNSCHEDULABLE: "check node capacity, node selector and tolerations, or lower `resources`",
    Trouble.VOLUME: "check the Secrets named in the schedule and the node's events",
    Trouble.CONFIG: "check the pod's events",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a launch ended."""

    outcome: Outcome
    reason: str
    message: str
    finished_at: datetime
    snooze_seconds: int = 0
    summary: RunSummary | None = None


@dataclass(frozen=True, slots=True)
class Doom:
    """Why a Job that still runs, or will never run, is to be deleted."""

    reason: str
    message: str


def verdict(job: JobRecord, active: ActiveLaunch, now: datetime) -> Verdict | None:
    """The verdict over a launch whose Job exists; None while it goes on."""
    pod = job.pod
    # A Job being deleted vanishes together with its facts: once its container has ended, it is judged at once.
    ended = job.state is not JobState.ACTIVE or (
        job.deleting and pod is not None and pod.exit_code is not None
    )
    if not ended or (lacks_facts(job, active) and now < (job.finished_at or now) + FACTS_GRACE):
        return None
    finished = min(job.finished_at or (pod.finished_at if pod else None) or now, now)
    made = _by_program(pod, finished) or _by_circumstance(job, active, finished)
    if made.outcome in (Outcome.SNOOZED, Outcome.CONTINUES) and active.doomed in (REPLACED, CANCELLED):
        # Told to end, the program says that it could go on. It is not to.
        return replace(_doomed(active, finished), summary=made.summary)
    return made


def lacks_facts(job: JobRecord, active: ActiveLaunch) -> bool:
    """Whether a finished Job cannot be judged yet for want of its pod's facts."""
    pod = job.pod
    known = pod is not None and (pod.exit_code is not None or pod.disruption)
    return job.state is not JobState.ACTIVE and not (
        known
        or (active.doomed and job.state is not JobState.COMPLETE)
        or job.failure_reason == "DeadlineExceeded"
    )


def vanished(active: ActiveLaunch, now: datetime) -> Verdict:
    """The verdict over a launch whose Job is gone without a trace."""
    if active.doomed:
        return _doomed(active, now)
    return Verdict(
        Outcome.RESULT_UNKNOWN,
        "JobVanished",
        f"Job {active.job_name} was deleted before its result was seen",
        now,
    )


def overdue(job: JobRecord, active: ActiveLaunch, spec: Spec, now: datetime) -> Doom | None:
    """Whether the operator must end a launch that does not end by itself, within the limits that it began with."""
    if job.suspended:
        return None
    started = _started(job, active)
    if started is not None:
        limit, _ = limits(job, spec)
        if now < started + timedelta(seconds=limit + GRACE_SECONDS):
            return None
        return Doom(TIMED_OUT, f"the program ran longer than `timeoutSeconds` ({limit} s)")
    _, limit = limits(job, spec)
    if now < job.pending_since + timedelta(seconds=limit):
        return None
    return Doom(*pending_reason(job, limit))


def limits(job: JobRecord | None, spec: Spec) -> tuple[int, int]:
    """Seconds that the program may run, and that it may take to start: those of the Job, which no edit changes."""
    run, start = (job.timeout_seconds, job.pending_deadline_seconds) if job is not None else (0, 0)
    return run or spec.timeout_seconds, start or spec.pending_deadline_seconds


def _started(job: JobRecord, active: ActiveLaunch) -> datetime | None:
    """When its program began; a program that Kueue took away before it admitted the Job again does not count."""
    pod, known = job.pod, active.started_at
    if pod is not None and not pod.gone and (known is None or pod.created_at > known):
        return pod.started_at
    begun = known or (pod.started_at if pod is not None else None)
    if begun is not None and job.admitted_at is not None and begun < job.admitted_at - _CLOCKS_DIFFER:
        return None
    return begun


def pending_reason(job: JobRecord, seconds: int | None = None) -> tuple[str, str]:
    """Why its container did not start."""
    within = f" within {seconds} s" if seconds is not None else " before the Job's deadline"
    if job.pod is None:
        return (
            "PodNotCreated",
            f"no pod came up{within}: check quotas and admission policies of the namespace",
        )
    if job.pod.trouble is Trouble.NONE:
        return "PendingTooLong", f"the container did not start{within}: check the pod's events"
    detail = cut(job.pod.trouble_message, 120)
    return (
        job.pod.trouble.value,
        f"the container did not start{within}: {detail}; {_NEXT_STEP[job.pod.trouble]}",
    )


def _by_program(pod: PodFacts | None, finished: datetime) -> Verdict | None:
    """What the program itself said, if it had the last word."""
    if pod is None or pod.exit_code not in (ExitCode.SUCCESS, ExitCode.SNOOZED, ExitCode.CANCELLED):
        return None
    summary = read_summary(pod.termination_message)
    message = _message(pod, summary)
    if pod.exit_code == ExitCode.SUCCESS:
        partial = summary is not None and (
            summary.failed_workspaces > 0 or summary.state is State.PARTIALLY_SUCCEEDED
        )
        outcome = Outcome.PARTIALLY_SUCCEEDED if partial else Outcome.SUCCEEDED
        return Verdict(outcome, outcome.value, message, finished, summary=summary)
    reason = _class(summary)
    if pod.exit_code == ExitCode.CANCELLED:
        return Verdict(Outcome.CANCELLED, reason or "Cancelled", message, finished, summary=summary)
    seconds = DEFAULT_SNOOZE_SECONDS if summary is None else min(summary.snooze_seconds, MAX_SNOOZE_SECONDS)
    outcome = Outcome.SNOOZED if seconds else Outcome.CONTINUES
    return Verdict(
        outcome, reason or outcome.value, message, finished, snooze_seconds=seconds, summary=summary
    )


def _by_circumstance(job: JobRecord, active: ActiveLaunch, finished: datetime) -> Verdict:
    pod = job.pod
    if active.doomed and job.state is not JobState.COMPLETE:
        return _doomed(active, finished)
    if job.failure_reason == "DeadlineExceeded":
        if active.started_at is None and (pod is None or pod.started_at is None):
            return Verdict(Outcome.FAILED, *pending_reason(job), finished)
        return Verdict(
            Outcome.TIMED_OUT,
            "DeadlineExceeded",
            "the program ran longer than its time",
            finished,
            summary=_summary(pod),
        )
    if pod is None or (pod.exit_code is None and not pod.disruption):
        if job.state is JobState.COMPLETE:
            # Only exit code 0 completes a Job; what it did is unknown, and a further launch asks the database.
            return Verdict(
                Outcome.RESULT_UNKNOWN, COMPLETE_UNSEEN, "the Job is complete, its pod is gone", finished
            )
        return Verdict(Outcome.RESULT_UNKNOWN, "ResultNotSeen", "the Job failed, its pod is gone", finished)
    if pod.termination_reason == "OOMKilled":
        message = "the program ran out of memory: raise `resources.limits.memory`"
        return Verdict(Outcome.FAILED, "OOMKilled", message, finished)
    if pod.disruption or pod.termination_reason == "ContainerStatusUnknown":
        reason = pod.disruption.value or Disruption.NODE_LOST.value
        return Verdict(
            Outcome.LOST, reason, f"the cluster took the pod away ({reason})", finished, summary=_summary(pod)
        )
    summary = _summary(pod)
    reason = _class(summary) or cut(pod.termination_reason, MAX_REASON)
    return Verdict(
        Outcome.FAILED,
        reason if reason and reason != "Error" else f"ExitCode{pod.exit_code}",
        _message(pod, summary),
        finished,
        summary=summary,
    )


def _doomed(active: ActiveLaunch, finished: datetime) -> Verdict:
    outcome = _DOOMED.get(active.doomed, Outcome.FAILED)
    return Verdict(outcome, active.doomed, active.doomed_message, finished)


def _summary(pod: PodFacts | None) -> RunSummary | None:
    return read_summary(pod.termination_message) if pod is not None else None


def _class(summary: RunSummary | None) -> str:
    if summary is None:
        return ""
    if summary.error_class is not None:
        return summary.error_class.value
    return summary.failures[0].failure_class.value if summary.failures else ""


def _message(pod: PodFacts, summary: RunSummary | None) -> str:
    """One line: the summary's words, the first failing workspace, or the exit code with what the pod printed."""
    if summary is not None:
        parts = [summary.message] if summary.message else []
        if summary.failed_workspaces:
            parts.append(f"{summary.failed_workspaces} of {summary.total_workspaces} workspaces failed")
        parts += [
            f"{item.workspace}: {item.failure_class.value}: {item.message}" for item in summary.failures[:1]
        ]
        return cut("; ".join(parts), MAX_MESSAGE)
    if pod.exit_code == 0:
        return "no readable summary"
    said = cut(pod.termination_message, 160)
    return cut(f"exit code {pod.exit_code}{': ' if said else ''}{said}", MAX_MESSAGE)
