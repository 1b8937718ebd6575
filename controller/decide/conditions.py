"""Conditions: the status as people and tools (kstatus, `kubectl wait`) read it. All six are always present.

Ready says whether the schedule is served, never how the last run went; Stalled that a user must change something;
Reconciling that the operator is held up by something that passes; Synced how the last finished run went; Degraded that
data is not what was promised. Messages are one line and end with the next step. Nothing in them changes with the clock
alone, so an idle schedule is never written.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from controller.decide.gates import elsewhere, paused
from controller.model import bounds
from controller.model.bounds import read_summary
from controller.model.codec import format_moment
from controller.model.policy import Site
from controller.model.schedule import ConcurrencyPolicy, Schedule
from controller.model.status import GOOD, Condition, ConditionType, CurrentRun, Outcome, RunState, Status

STUCK, UNLABELLED = "JobStuckTerminating", "JobLabelsRemoved"
_PACIFIC_MIDNIGHT = time(8, tzinfo=UTC)
"""Midnight in Pacific standard time: the end of a Search Console day, an hour early in summer."""


class Hindrance(NamedTuple):
    """What is wrong with a Job, as a condition says it."""

    reason: str
    message: str


def conditions(
    schedule: Schedule,
    status: Status,
    now: datetime,
    site: Site,
    *,
    problem: str = "",
    held: str = "",
    hindrance: Hindrance | None = None,
) -> tuple[Condition, ...]:
    """The six conditions.

    `problem` is what is wrong with the spec, `held` why nothing may be launched now, `hindrance` what is wrong with a Job.
    """
    answers = {
        ConditionType.READY: _ready(schedule, status, site, problem, held, hindrance),
        ConditionType.SUSPENDED: _suspended(schedule, site),
        ConditionType.RECONCILING: _reconciling(schedule, status, site, problem, held, hindrance),
        ConditionType.STALLED: ("True", "InvalidSpec", _sentence(problem))
        if problem
        else ("False", "AsExpected", ""),
        ConditionType.SYNCED: _synced(status),
        ConditionType.DEGRADED: _degraded(schedule, status, now),
    }
    made = []
    for kind, (state, reason, message) in answers.items():
        old = status.condition(kind)
        since = old.last_transition_time if old and old.status == state else now.replace(microsecond=0)
        made.append(bounds.condition(Condition(kind, state, reason, message, schedule.generation, since)))
    return tuple(made)


def stale_at(schedule: Schedule, status: Status) -> datetime | None:
    """When the newest complete day will be older than `freshnessSeconds`."""
    if schedule.spec is None or status.newest_final_day is None:
        return None
    end = datetime.combine(status.newest_final_day + timedelta(days=1), _PACIFIC_MIDNIGHT)
    return end + timedelta(seconds=schedule.spec.freshness_seconds)


Answer = tuple[str, str, str]


def _ready(
    schedule: Schedule, status: Status, site: Site, problem: str, held: str, hindrance: Hindrance | None
) -> Answer:
    if problem:
        return "False", "InvalidSpec", _sentence(problem)
    if hindrance and hindrance.reason == STUCK and _waits_for_all(schedule, site):
        return "False", *hindrance
    if held:
        return "False", "Held", _sentence(f"no launches now: {held}")
    run = status.current
    if schedule.spec is not None and (why := paused(schedule.spec, site)):
        waits = f"; run {run.run_id} waits" if run is not None and not status.active else ""
        resume = "set `suspend: false` to resume" if schedule.spec.suspend else why
        return "True", "Suspended", f"Suspended{waits}; {resume}."
    if run is not None and run.refusals:
        return "False", "LaunchRefused", _refused(run)
    if run is not None:
        return "True", "Serving", _progress(schedule, run)
    following = f"Next run at {format_moment(status.next_slot)}." if status.next_slot else "No next run."
    return "True", "Serving", following


def _waits_for_all(schedule: Schedule, site: Site) -> bool:
    """Whether it would launch, were it not for a launch that does not end: with `Allow` others go beside it."""
    spec = schedule.spec
    return spec is not None and not paused(spec, site) and spec.concurrency is not ConcurrencyPolicy.ALLOW


def _progress(schedule: Schedule, run: CurrentRun) -> str:
    attempts = schedule.spec.retry.max_attempts + run.granted if schedule.spec else run.attempt
    what = f"Run {run.run_id}, attempt {run.attempt}/{attempts}"
    if run.state is RunState.PENDING:
        return f"{what}: waiting for its pod to start."
    if run.state is RunState.RUNNING:
        return f"{what}: running."
    if run.state is RunState.QUEUED:
        return f"{what}: waits in queue '{schedule.spec.queue if schedule.spec else ''}'."
    when = f" until {format_moment(run.not_before)}" if run.not_before else ""
    why = f" after {run.errors[-1].reason}" if run.errors and run.state is RunState.RETRYING else ""
    return f"{what}: {run.state.lower()}{when}{why}."


def _refused(run: CurrentRun) -> str:
    when = format_moment(run.not_before) if run.not_before else "once"
    return f"The API server refused the Job: {run.refusal}; tried again at {when}. Check quotas and admission policies."


def _suspended(schedule: Schedule, site: Site) -> Answer:
    if schedule.spec is not None and schedule.spec.suspend:
        return "True", "SuspendRequested", "`spec.suspend` is true."
    if schedule.spec is not None and (why := elsewhere(schedule.spec, site)):
        return "True", "OtherEnvironment", _sentence(why)
    return "False", "NotSuspended", ""


def _reconciling(
    schedule: Schedule, status: Status, site: Site, problem: str, held: str, hindrance: Hindrance | None
) -> Answer:
    if hindrance and not problem:
        return "True", *hindrance
    if held:
        return "True", "Held", _sentence(held)
    run = status.current
    waits = problem or (schedule.spec is not None and paused(schedule.spec, site))
    if run is not None and run.refusals and not waits:
        return "True", "LaunchRefused", _refused(run)
    return "False", "AsExpected", ""


def _synced(status: Status) -> Answer:
    last = status.last_run
    if last is None:
        return "Unknown", "NoRunYet", "No run has finished yet."
    state = "True" if last.outcome in GOOD else "False"
    reason = last.outcome.value if state == "True" else last.reason or last.outcome.value
    detail = f": {last.message}" if last.message else ""
    return (
        state,
        _camel(reason),
        f"Run {last.run_id} {last.outcome} at {format_moment(last.finished_at)}{detail}",
    )


def _degraded(schedule: Schedule, status: Status, now: datetime) -> Answer:
    last = status.last_run
    if status.consecutive_failures:
        number = status.consecutive_failures
        name_taken = last is not None and last.reason == "NameConflict"
        why = (
            f"; last: {last.reason}: {last.message}" if last is not None and last.outcome not in GOOD else ""
        )
        many = "1 run in a row has" if number == 1 else f"{number} runs in a row have"
        return "True", "NameConflict" if name_taken else "RunsFailing", f"{many} not succeeded{why}"
    if last is not None and last.outcome is Outcome.PARTIALLY_SUCCEEDED:
        summary = read_summary(status.last_summary)
        names = (
            ", ".join(f"{item.workspace} ({item.failure_class})" for item in summary.failures)
            if summary
            else ""
        )
        return "True", "PartiallySucceeded", f"{last.message}{f'; failing: {names}' if names else ''}"
    stale = stale_at(schedule, status)
    if stale is not None and now >= stale:
        return (
            "True",
            "StaleData",
            f"The newest complete day is {status.newest_final_day}, older than `freshnessSeconds`.",
        )
    return "False", "AsExpected", ""


def _camel(reason: str) -> str:
    """A condition's reason must be one word of letters and digits."""
    word = "".join(character for character in reason if character.isascii() and character.isalnum())
    return word if word[:1].isalpha() else f"Reason{word}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def settle(
    schedule: Schedule,
    status: Status,
    now: datetime,
    site: Site,
    *,
    problem: str = "",
    held: str = "",
    hindrance: Hindrance | None = None,
) -> Status:
    """The status with its conditions and generation brought up to date."""
    made = conditions(schedule, status, now, site, problem=problem, held=held, hindrance=hindrance)
    return replace(status, conditions=made, observed_generation=schedule.generation)


def hold(schedule: Schedule, status: Status, now: datetime, site: Site, *, problem: str, held: str) -> Status:
    """The status, saying that it is held by a wrong clock, and nothing else that such a clock would say."""
    made = conditions(schedule, status, now, site, problem=problem, held=held)
    told = (ConditionType.READY, ConditionType.RECONCILING)
    kept = [status.condition(item.type) for item in made]
    return replace(
        status,
        conditions=tuple(
            new if old is None or new.type in told else old for new, old in zip(made, kept, strict=True)
        ),
    )
