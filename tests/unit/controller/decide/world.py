"""World: one schedule, its Jobs and an operator that may die anywhere, all in memory, with a clock that is set by hand.

The operator of this world does what the real one does, in the same order: decide, create, write the status, delete.
The status goes through JSON and a merge patch, as it does in a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contract import RunSummary, State
from contract.run_spec import unix_minutes
from controller.decide.decide import after_create, decide
from controller.model.decision import CreateResult, Decision, EventReason, Launch
from controller.model.job import JobRecord, JobState, PodFacts
from controller.model.parameters import Parameters
from controller.model.parse import parse_schedule
from controller.model.policy import Site
from controller.model.schedule import Schedule
from controller.model.status import Condition, ConditionType, Status
from controller.model.status_io import read_status, write_status

UID = "5f0c1a52-0000-4000-8000-000000000001"
BORN = datetime(2026, 3, 10, 3, 30, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "schedule": "0 4 * * *",
    "workspaces": [{"name": "acme", "credentialsSecretRef": {"name": "acme-google"}}],
    "destination": {"secretRef": {"name": "warehouse"}},
}


class Died(Exception):  # noqa: N818 - not an error, the story's turn
    """The operator died at this point."""


def at(text: str) -> datetime:
    """'04:00' on the first day, or a whole time."""
    text = text if "-" in text else f"2026-03-10T{text}"
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def summary(state: State = State.SUCCEEDED, **values: Any) -> str:
    defaults = {
        "total_workspaces": 1,
        "succeeded_workspaces": 1,
        "rows_written": 10,
        "newest_final_day": "2026-03-08",
    }
    return RunSummary(state=state, **(defaults | values)).to_json()


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7386), as the API server applies it."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


@dataclass
class World:
    spec: dict[str, Any] = field(default_factory=dict)
    now: datetime = BORN
    run_now: str = ""
    cancel: str = ""
    retry: str = ""
    generation: int = 1
    body: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    answer: CreateResult | None = None
    """What the API server says to creates, when it is not itself."""
    held: str = ""
    queued: str = ""
    site: Site = field(default_factory=Site)
    made: list[Launch] = field(default_factory=list)
    said: list[tuple[EventReason, str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    writes: int = 0
    uids: int = 0

    def schedule(self) -> Schedule:
        metadata = {
            "namespace": "team", "name": "marketing", "uid": UID, "generation": self.generation,
            "resourceVersion": "1", "creationTimestamp": BORN.isoformat(),
            "annotations": {
                f"gscsync.io/{name}": text
                for name, text in (("run-now", self.run_now), ("cancel", self.cancel), ("retry", self.retry))
                if text
            },
        }  # fmt: skip
        return parse_schedule({"metadata": metadata, "spec": SPEC | self.spec})

    @property
    def status(self) -> Status:
        return read_status(self.body)

    def condition(self, kind: ConditionType) -> Condition:
        found = self.status.condition(kind)
        assert found is not None
        return found

    def edit(self, **spec: Any) -> None:
        self.spec |= spec
        self.generation += 1

    # -- the operator --------------------------------------------------------------------------------------------------

    def turn(self, *, dies: str = "", view: tuple[JobRecord, ...] | None = None) -> Decision:
        """One turn; `dies` at 'create', 'created' or 'written', `view` is what the watch shows."""
        schedule, status = self.schedule(), self.status
        jobs = tuple(self.jobs.values())
        seen = jobs if view is None else view
        how: dict[str, Any] = {"held": self.held, "queued": self.queued, "site": self.site}
        decision = decide(schedule, status, seen, self.now, jobs_fresh=False, **how)
        if decision.needs_fresh_jobs:
            assert decision == Decision(status=status, needs_fresh_jobs=True)
            decision = decide(schedule, status, jobs, self.now, jobs_fresh=True, **how)
            assert not decision.needs_fresh_jobs
        assert decision.wake_at is None or decision.wake_at > self.now
        if dies == "create":
            raise Died
        if decision.launch is not None:
            decision = self._create(decision, schedule)
            if dies == "created":
                raise Died
        if decision.status != status:
            self.writes += 1
            self.body["status"] = merge(self.body.get("status", {}), write_status(decision.status, schedule))
            assert self.status == decision.status
        if dies == "written":
            raise Died
        for deletion in decision.deletions:
            self.deleted.append(deletion.name)
            if (job := self.jobs.get(deletion.name)) and job.uid == deletion.uid:
                self.jobs[job.name] = replace(job, deleting=True, deleting_since=self.now)
        self.said += [(notice.reason, notice.message) for notice in decision.notices]
        return decision

    def rest(self) -> Decision:
        """Turns until nothing is left to say, as the scheduler takes them."""
        for _ in range(6):
            writes = self.writes
            decision = self.turn()
            if self.writes == writes and decision.launch is None:
                return decision
        raise AssertionError("the operator does not come to rest")

    def go(self, to: str | datetime | timedelta) -> Decision:
        self.now = self.now + to if isinstance(to, timedelta) else at(to) if isinstance(to, str) else to
        return self.rest()

    def _create(self, decision: Decision, schedule: Schedule) -> Decision:
        launch = decision.launch
        assert launch is not None
        known = self.jobs.get(launch.job_name)
        if self.answer is not None:
            return after_create(decision, schedule, self.answer, known, "quota exceeded", self.now, self.site)
        if known is not None:
            result = CreateResult.ADOPTED if known.is_launch(UID, launch.run_id, launch.launch) else None
            return after_create(
                decision, schedule, result or CreateResult.NAME_CONFLICT, known, "", self.now, self.site
            )
        self.uids += 1
        self.made.append(launch)
        job = JobRecord(
            namespace="team", name=launch.job_name, uid=f"job-{self.uids}", resource_version=str(self.uids),
            owner_uid=UID, run_id=launch.run_id, slot_minutes=unix_minutes(launch.slot), attempt=launch.attempt,
            launch=launch.launch, trigger=launch.trigger, created_at=self.now.replace(microsecond=0),
            state=JobState.ACTIVE, generation=schedule.generation,
            timeout_seconds=schedule.spec.timeout_seconds if schedule.spec else 0,
            pending_deadline_seconds=schedule.spec.pending_deadline_seconds if schedule.spec else 0,
            parameters=Parameters(launch.workspaces, launch.window_days, launch.dry_run) if launch.trigger == "Manual" else None,
        )  # fmt: skip
        self.jobs[job.name] = job
        return after_create(decision, schedule, CreateResult.CREATED, job, "", self.now, self.site)

    # -- the cluster ---------------------------------------------------------------------------------------------------

    def job(self) -> JobRecord:
        """The newest Job."""
        return list(self.jobs.values())[-1]

    def start(self) -> None:
        """Its container starts."""
        self._change(pod=PodFacts(uid=f"pod-{self.job().uid}", created_at=self.now, started_at=self.now))

    def end(self, exit_code: int | None, message: str = "", *, reason: str = "", **facts: Any) -> None:
        """Its container ends, and the Job with it."""
        job = self.job()
        moment = self.now.replace(microsecond=0)
        pod = job.pod or PodFacts(uid=f"pod-{job.uid}", created_at=moment, started_at=moment)
        pod = replace(pod, finished_at=moment, exit_code=exit_code, termination_message=message, **facts)
        state = JobState.COMPLETE if exit_code == 0 else JobState.FAILED
        self._change(state=state, failure_reason=reason, finished_at=moment, pod=pod)

    def vanish(self) -> None:
        del self.jobs[self.job().name]

    def finish(self, exit_code: int | None, message: str = "", **facts: Any) -> Decision:
        """The Job ends, and the operator sees it."""
        self.end(exit_code, message, **facts)
        return self.rest()

    def _change(self, **values: Any) -> None:
        self.jobs[self.job().name] = replace(self.job(), **values)

    def heard(self, reason: EventReason) -> list[str]:
        return [message for said, message in self.said if said is reason]

    def decided(self) -> list[str]:
        """What was decided, oldest first."""
        return [note.what for note in reversed(self.status.decisions)]
