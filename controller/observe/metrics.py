"""Metrics: every name the operator exports, in one place, on a registry that is handed in.

Totals of runs come from what was written: the difference between the status before and after a write, counted once
the write is confirmed. Label values are bounded (namespace, schedule, closed lists). What is told of each schedule is in
`series`, which makes its samples when somebody scrapes.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from contract import FailureClass
from controller.model.bounds import read_summary
from controller.model.decision import CreateResult
from controller.model.policy import DEFAULT_QUEUE, Mode
from controller.model.status import Outcome
from controller.observe.series import ScheduleSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from prometheus_client import CollectorRegistry

    from contract import RunSummary
    from controller.model.decision import Ended, Launch
    from controller.model.job import JobRecord
    from controller.model.policy import Policy
    from controller.model.schedule import Schedule
    from controller.model.status import RunRecord, Status

DURATIONS = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
DELAYS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
ERROR_CLASSES = frozenset(FailureClass) | {"OOMKilled"}
_WITHOUT_A_WORD = (Outcome.TIMED_OUT, Outcome.LOST, Outcome.RESULT_UNKNOWN)
"""What the program did not say of itself has many reasons and one class each."""


class Metrics:
    """`serves` tells whether this replica's word on the schedules is the newest."""

    def __init__(
        self, registry: CollectorRegistry, environment: str = "", serves: Callable[[], bool] = lambda: True
    ) -> None:
        self._series = ScheduleSeries("gsc_sync_", serves)
        registry.register(self._series)

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"gsc_sync_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"gsc_sync_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"gsc_sync_{name}", text, labels, buckets=buckets, registry=registry)

        self.run_duration = histogram("run_duration_seconds", "First launch to end.", ("outcome",), DURATIONS)
        self.run_attempts = histogram(
            "run_attempts", "Attempts of a finished run.", ("outcome",), (1, 2, 3, 5, 10, 20)
        )
        self.launches = counter("launches", "Jobs asked for.", ("result",))
        self.start_delay = histogram(
            "launch_delay_seconds",
            "From the slot of a scheduled run to the creation of its first Job.",
            (),
            DELAYS,
        )
        self.decisions = counter("decisions", "Decisions noted.", ("what",))
        self.errors = counter("operator_errors", "Failures that set a schedule back.", ("where",))
        self.mode = gauge("switch_mode", "1 at the mode of the kill switch.", ("mode",))
        self.queue_limit = gauge("queue_limit", "Launches that may run; +Inf without a limit.", ("queue",))
        self.queue_paused = gauge("queue_paused", "1 while the queue is paused.", ("queue",))
        self.queue_running = gauge("queue_running", "Launches that run.", ("queue",))
        self.queue_waiting = gauge("queue_waiting", "Runs that wait for their queue.", ("queue",))
        self.leader = gauge("operator_leader", "1 while this replica leads.")
        self.skew = gauge("operator_clock_skew_seconds", "Our clock minus the API server's.")
        self.resync_age = gauge("operator_resync_age_seconds", "Since the last complete resync.")
        self.turn_age = gauge("operator_turn_age_seconds", "Since the scheduler's last turn.")
        self.depth = gauge("operator_queue_depth", "Schedules in the turn under way.")
        self.kopf_restarts = counter("operator_watch_restarts", "Restarts of the watch.")
        self.events_dropped = counter(
            "operator_events_dropped", "Events that were not written: too many, or no way to the API server."
        )
        self.ghosts = counter("operator_ghosts", "Objects found gone by a resync.", ("kind",))
        self.build_info = gauge("operator_info", "Always 1.", ("environment",))
        self.build_info.labels(environment).set(1)
        for result in CreateResult:
            self.launches.labels(result.value)

    # -- told by the launcher and the scheduler -----------------------------------------------------------------------

    def launched(
        self, schedule: Schedule, launch: Launch, result: CreateResult, job: JobRecord | None
    ) -> None:
        del schedule
        self.launches.labels(result.value).inc()
        if result is CreateResult.CREATED and job and launch.trigger == "Cron" and launch.launch == 1:
            self.start_delay.observe(max((job.created_at - launch.slot).total_seconds(), 0))

    def wrote(self, schedule: Schedule, before: Status, after: Status, ended: Iterable[Ended] = ()) -> None:
        """`ended` is every launch whose end this write tells, also of runs that are over with it."""
        where = schedule.key
        old, new = before.counters, after.counters
        add = self._series.add
        add(where, "schedule_missed", new.slots_missed - old.slots_missed)
        add(where, "schedule_skipped", new.slots_skipped - old.slots_skipped)
        add(where, "schedule_caught_up", new.slots_coalesced - old.slots_coalesced)
        add(where, "snoozes", new.snoozes - old.snoozes, "Snoozed")
        add(where, "snoozes", new.continues - old.continues, "Continues")
        add(where, "rescues", new.lost - old.lost, "Lost")
        add(where, "rescues", new.unknown - old.unknown, "ResultUnknown")
        known = {_key(record) for record in before.history}
        for record in after.history:
            if _key(record) not in known:
                self._finished(where, record)
        if _key(after.last_run) != _key(before.last_run) and (summary := read_summary(after.last_summary)):
            self._summed(where, summary)
        for failure in map(_failure, ended):
            if failure:
                add(where, "attempt_failures", 1, failure)
        self.schedule(schedule, after)

    def _finished(self, where: tuple[str, str], record: RunRecord) -> None:
        outcome = record.outcome.value
        add = self._series.add
        add(where, "runs", 1, record.trigger, outcome)
        self.run_duration.labels(outcome).observe(record.duration_seconds)
        self.run_attempts.labels(outcome).observe(record.attempts)
        add(where, "workspaces", record.workspaces_ok, "succeeded")
        add(where, "workspaces", record.workspaces_total - record.workspaces_ok, "failed")
        add(where, "rows_written", record.rows_written)

    def _summed(self, where: tuple[str, str], summary: RunSummary) -> None:
        """Of a finished run only its last launch tells; a summary that repeats an earlier one was counted then."""
        if summary.from_earlier_launch:
            return
        add = self._series.add
        add(where, "api_requests", summary.requests)
        add(where, "api_refusals", summary.refused_requests)
        add(where, "quota_wait_seconds", summary.quota_wait_ms // 1000)
        for dependency in summary.tripped_circuits:
            add(where, "circuit_trips", 1, dependency.value)

    def schedule(self, schedule: Schedule, status: Status) -> None:
        """Show the present state of one schedule."""
        self._series.show(schedule, status)

    def decided(self, what: str) -> None:
        self.decisions.labels(what).inc()

    def failed(self, where: str) -> None:
        self.errors.labels(where).inc()

    def policy(self, policy: Policy, running: Mapping[str, int], waiting: Mapping[str, int]) -> None:
        """Every mode, the default queue and every queue that has a rule, runs or waits, zeros too; no other any more."""
        for mode in Mode:
            self.mode.labels(mode.value).set(int(mode is policy.mode))
        for shown in (self.queue_limit, self.queue_paused, self.queue_running, self.queue_waiting):
            shown.clear()
        for name in {DEFAULT_QUEUE, *policy.queues, *running, *waiting}:
            rule = policy.queue(name)
            self.queue_limit.labels(name).set(inf if rule.limit is None else rule.limit)
            self.queue_paused.labels(name).set(int(rule.paused))
            self.queue_running.labels(name).set(running.get(name, 0))
            self.queue_waiting.labels(name).set(waiting.get(name, 0))

    def queue(self, depth: int) -> None:
        self.depth.set(depth)

    def forget(self, uid: str) -> None:
        """Remove every series of a schedule that is gone."""
        self._series.forget(uid)


def _key(record: RunRecord | None) -> tuple[str, datetime] | None:
    return (record.run_id, record.finished_at) if record is not None else None


def _failure(ended: Ended) -> str:
    """The class of a failed attempt; '' when it did not fail."""
    if ended.outcome in _WITHOUT_A_WORD:
        return ended.outcome.value
    if ended.outcome is not Outcome.FAILED:
        return ""
    return ended.reason if ended.reason in ERROR_CLASSES else "Other"
