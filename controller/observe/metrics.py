"""Metrics: every name the operator exports, in one place, on a registry that is handed in.

Totals of runs come from what was written: the difference between the status before and after a write, counted once
the write is confirmed. Label values are bounded (namespace, schedule, closed lists), and all series of a schedule go
when it goes.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from contract import FailureClass
from controller.model.decision import CreateResult
from controller.model.policy import Mode
from controller.model.status import ConditionType, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics import MetricWrapperBase

    from controller.model.decision import Launch
    from controller.model.job import JobRecord
    from controller.model.policy import Policy
    from controller.model.schedule import Schedule
    from controller.model.status import RunRecord, Status

OF_SCHEDULE = ("namespace", "schedule")
DURATIONS = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
DELAYS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
PHASES = ("Idle", "Waiting", "Queued", "Pending", "Running", "Retrying", "Snoozed", "Suspended", "Stalled")
ERROR_CLASSES = frozenset(FailureClass) | {"TimedOut", "OOMKilled", "Lost", "ResultUnknown"}


class Metrics:
    def __init__(self, registry: CollectorRegistry, environment: str = "") -> None:
        self._uids: dict[str, tuple[str, str]] = {}
        self._info: dict[str, tuple[str, ...]] = {}
        self._phase_of: dict[str, str] = {}

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"gsc_sync_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"gsc_sync_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"gsc_sync_{name}", text, labels, buckets=buckets, registry=registry)

        self.schedule_info = gauge("schedule_info", "Always 1.", (*OF_SCHEDULE, "queue", "cron", "time_zone"))
        self.schedules = gauge("schedules", "Schedules by what they are doing.", ("phase",))
        self.next_at = gauge("schedule_next_timestamp_seconds", "Next slot.", OF_SCHEDULE)
        self.last_success = gauge(
            "schedule_last_success_timestamp_seconds", "End of the last success.", OF_SCHEDULE
        )
        self.consecutive_failures = gauge(
            "schedule_consecutive_failures", "Failed runs in a row.", OF_SCHEDULE
        )
        self.newest_final_day = gauge(
            "schedule_newest_final_day_timestamp_seconds",
            "Newest day with final data, at 00:00 UTC.",
            OF_SCHEDULE,
        )
        self.missed = counter("schedule_missed", "Slots that were too old to run.", OF_SCHEDULE)
        self.skipped = counter("schedule_skipped", "Slots passed over by a rollout or an edit.", OF_SCHEDULE)
        self.caught_up = counter("schedule_caught_up", "Slots coalesced into a newer one.", OF_SCHEDULE)
        self.runs = counter("runs", "Finished runs.", (*OF_SCHEDULE, "trigger", "outcome"))
        self.run_duration = histogram("run_duration_seconds", "First launch to end.", ("outcome",), DURATIONS)
        self.run_attempts = histogram(
            "run_attempts", "Attempts of a finished run.", ("outcome",), (1, 2, 3, 5, 10, 20)
        )
        self.attempt_failures = counter("attempt_failures", "Failed attempts.", (*OF_SCHEDULE, "error_class"))
        self.snoozes = counter(
            "snoozes", "Launches that asked to be repeated later.", (*OF_SCHEDULE, "reason")
        )
        self.rescues = counter("rescues", "Launches repeated after a loss.", (*OF_SCHEDULE, "reason"))
        self.workspaces = counter("workspaces", "Workspaces of finished runs.", (*OF_SCHEDULE, "outcome"))
        self.rows_written = counter("rows_written", "Rows written by finished runs.", OF_SCHEDULE)
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
        self.ghosts = counter("operator_ghosts", "Objects found gone by a resync.", ("kind",))
        self.build_info = gauge("operator_info", "Always 1.", ("environment",))
        self.build_info.labels(environment).set(1)
        for phase in PHASES:
            self.schedules.labels(phase).set(0)
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

    def wrote(self, schedule: Schedule, before: Status, after: Status) -> None:
        where = schedule.key
        old, new = before.counters, after.counters
        _add(self.missed.labels(*where), new.slots_missed - old.slots_missed)
        _add(self.skipped.labels(*where), new.slots_skipped - old.slots_skipped)
        _add(self.caught_up.labels(*where), new.slots_coalesced - old.slots_coalesced)
        _add(self.snoozes.labels(*where, "Snoozed"), new.snoozes - old.snoozes)
        _add(self.snoozes.labels(*where, "Continues"), new.continues - old.continues)
        _add(self.rescues.labels(*where, "Lost"), new.lost - old.lost)
        _add(self.rescues.labels(*where, "ResultUnknown"), new.unknown - old.unknown)
        known = {(record.run_id, record.finished_at) for record in before.history}
        for record in after.history:
            if (record.run_id, record.finished_at) not in known:
                self._finished(where, record)
        seen = {error for run in before.runs for error in run.errors}
        for error in (error for run in after.runs for error in run.errors):
            if error not in seen:
                known_class = error.reason if error.reason in ERROR_CLASSES else "Other"
                self.attempt_failures.labels(*where, known_class).inc()
        self.schedule(schedule, after)

    def _finished(self, where: tuple[str, str], record: RunRecord) -> None:
        outcome = record.outcome.value
        self.runs.labels(*where, record.trigger, outcome).inc()
        self.run_duration.labels(outcome).observe(record.duration_seconds)
        self.run_attempts.labels(outcome).observe(record.attempts)
        _add(self.workspaces.labels(*where, "succeeded"), record.workspaces_ok)
        _add(self.workspaces.labels(*where, "failed"), record.workspaces_total - record.workspaces_ok)
        _add(self.rows_written.labels(*where), record.rows_written)

    def schedule(self, schedule: Schedule, status: Status) -> None:
        """Show the present state of one schedule."""
        where, uid = schedule.key, schedule.uid
        self._uids[uid] = where
        spec = schedule.spec
        info = (*where, *((spec.queue, spec.schedule, spec.time_zone) if spec else ("", "", "")))
        if self._info.get(uid) != info:
            self._drop_info(uid)
            self._info[uid] = info
            self.schedule_info.labels(*info).set(1)
        if status.next_slot is None:
            _remove(self.next_at, where)
        else:
            self.next_at.labels(*where).set(status.next_slot.timestamp())
        if status.last_success_at is not None:
            self.last_success.labels(*where).set(status.last_success_at.timestamp())
        if status.newest_final_day is not None:
            day = status.newest_final_day
            self.newest_final_day.labels(*where).set((day.toordinal() - 719_163) * 86_400)
        self.consecutive_failures.labels(*where).set(status.consecutive_failures)
        self._enter_phase(uid, phase_of(schedule, status))

    def decided(self, what: str) -> None:
        self.decisions.labels(what).inc()

    def failed(self, where: str) -> None:
        self.errors.labels(where).inc()

    def policy(self, policy: Policy, running: Mapping[str, int], waiting: Mapping[str, int]) -> None:
        """Every mode and every queue that is known, zeros too."""
        for mode in Mode:
            self.mode.labels(mode.value).set(int(mode is policy.mode))
        for name in {*policy.queues, *running, *waiting}:
            rule = policy.queue(name)
            self.queue_limit.labels(name).set(inf if rule.limit is None else rule.limit)
            self.queue_paused.labels(name).set(int(rule.paused))
            self.queue_running.labels(name).set(running.get(name, 0))
            self.queue_waiting.labels(name).set(waiting.get(name, 0))

    def queue(self, depth: int) -> None:
        self.depth.set(depth)

    def forget(self, uid: str) -> None:
        """Remove every series of a schedule that is gone."""
        where = self._uids.pop(uid, None)
        self._drop_info(uid)
        self._enter_phase(uid, None)
        if where is None or where in self._uids.values():
            return
        for metric in self._of_schedules():
            for labels in [key for key in metric._metrics if key[:2] == where]:  # noqa: SLF001 - no public way to list series
                _remove(metric, labels)

    def _of_schedules(self) -> list[MetricWrapperBase]:
        return [
            self.next_at,
            self.last_success,
            self.consecutive_failures,
            self.newest_final_day,
            self.missed,
            self.skipped,
            self.caught_up,
            self.runs,
            self.attempt_failures,
            self.snoozes,
            self.rescues,
            self.workspaces,
            self.rows_written,
        ]

    def _drop_info(self, uid: str) -> None:
        old = self._info.pop(uid, None)
        if old is not None and old not in self._info.values():
            _remove(self.schedule_info, old)

    def _enter_phase(self, uid: str, phase: str | None) -> None:
        old = self._phase_of.pop(uid, None)
        if old is not None:
            self.schedules.labels(old).dec()
        if phase is not None:
            self._phase_of[uid] = phase
            self.schedules.labels(phase).inc()


def phase_of(schedule: Schedule, status: Status) -> str:
    stalled = status.condition(ConditionType.STALLED)
    if schedule.spec is None or (stalled and stalled.status == "True"):
        return "Stalled"
    if status.current is not None:
        return RunState(status.current.state).value
    return "Suspended" if schedule.spec.suspend else "Idle"


def _add(counter: Counter, amount: int) -> None:
    if amount > 0:
        counter.inc(amount)


def _remove(metric: MetricWrapperBase, labels: Sequence[str]) -> None:
    if labels in metric._metrics:  # noqa: SLF001 - remove() raises for unknown series and offers no question
        metric.remove(*labels)
