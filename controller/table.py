"""Table: what the operator knows of the cluster, as slim frozen records by UID.

Filled by the watch (through `call_soon_threadsafe`), by the resync and by the answers to our own writes; read by the
scheduler. It belongs to one event loop. A resource version never goes back, so the order in which these three
arrive does not matter; a UID that was deleted stays deleted. Facts of a pod outlive the pod until its Job goes.
`knows` alone may be asked from another thread.
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from controller.model.job import JobState
from controller.pods import Pods

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controller.model.job import JobRecord, PodFacts
    from controller.model.schedule import Schedule
    from controller.model.status import Status

TOMBSTONES = 20_000
"""Deleted UIDs remembered: enough for every answer that can still be on its way."""


class Entry(NamedTuple):
    """A schedule and its status as of one resource version."""

    schedule: Schedule
    status: Status


class Table:
    def __init__(self) -> None:
        self._schedules: dict[str, Entry] = {}
        self._uid_of: dict[tuple[str, str], str] = {}
        self._jobs: dict[str, JobRecord] = {}
        self._jobs_of: dict[str, set[str]] = {}
        self._pods = Pods()
        self._dead: OrderedDict[str, None] = OrderedDict()
        self._orphans: set[str] = set()
        self._changed: dict[str, None] = {}
        self._later: dict[str, None] = {}
        self.wake = asyncio.Event()
        """Set while something changed that the scheduler has not taken."""

    # -- reading ------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._schedules)

    def entry(self, uid: str) -> Entry | None:
        return self._schedules.get(uid)

    def knows(self, uid: str, resource_version: str) -> bool:
        """Whether this very state of a schedule or a Job was taken in: it need not even be parsed again."""
        known = self._schedules.get(uid)
        of = known.schedule if known else self._jobs.get(uid)
        return of is not None and of.resource_version == resource_version

    def find(self, namespace: str, name: str) -> Entry | None:
        uid = self._uid_of.get((namespace, name))
        return self._schedules.get(uid) if uid else None

    def entries(self) -> Iterator[Entry]:
        return iter(tuple(self._schedules.values()))

    def jobs_of(self, uid: str) -> tuple[JobRecord, ...]:
        """Return the Jobs whose controller is this schedule, each with the newest facts of its pod, by launch."""
        jobs = [self._with_pod(self._jobs[job]) for job in self._jobs_of.get(uid, ())]
        return tuple(sorted(jobs, key=lambda job: (job.created_at, job.launch, job.uid)))

    def jobs(self) -> Iterator[JobRecord]:
        """All Jobs, without their pods."""
        return iter(tuple(self._jobs.values()))

    def job(self, uid: str) -> JobRecord | None:
        job = self._jobs.get(uid)
        return self._with_pod(job) if job else None

    def _with_pod(self, job: JobRecord) -> JobRecord:
        pod = self._pods.facts(job.uid, job.shards)
        return replace(job, pod=pod) if pod else job

    # -- waking -------------------------------------------------------------------------------------------------------

    def touch(self, uid: str) -> None:
        """Have the scheduler look at this schedule in its next turn."""
        self._changed[uid] = None
        self.wake.set()

    def touch_later(self, uid: str) -> None:
        """Have the scheduler look at it when it gets to it: what is due or changed goes before."""
        self._changed.pop(uid, None)
        self._later[uid] = None
        self.wake.set()

    def take_changed(self, *, later: int = sys.maxsize) -> tuple[str, ...]:
        """All that changed, and up to `later` of those that can wait; a tenth of it when anything changed.

        `wake` stays set while some are left.
        """
        for uid in self._changed:
            self._later.pop(uid, None)
        waited = tuple(islice(self._later, later // 10 if self._changed else later))
        for uid in waited:
            del self._later[uid]
        changed = (*self._changed, *waited)
        self._changed.clear()
        if not self._later:
            self.wake.clear()
        return changed

    # -- writing ------------------------------------------------------------------------------------------------------

    def put_schedule(self, schedule: Schedule, status: Status, *, wake: bool = True) -> bool:
        """Return True when it is news. `wake=False` for answers to our own writes, which the scheduler knows of."""
        if schedule.uid in self._dead:
            return False
        known = self._schedules.get(schedule.uid)
        if known and version(known.schedule.resource_version) >= version(schedule.resource_version):
            return False
        namesake = self._uid_of.get(schedule.key)
        if namesake and namesake != schedule.uid:
            # Made anew under the old name while nobody watched: the old one is gone, whatever the order of news.
            self.drop_schedule(namesake)
        self._schedules[schedule.uid] = Entry(schedule, status)
        self._uid_of[schedule.key] = schedule.uid
        if wake:
            self.touch(schedule.uid)
        return True

    def drop_schedule(self, uid: str) -> None:
        self._bury(uid)
        entry = self._schedules.pop(uid, None)
        if entry is None:
            return
        if self._uid_of.get(entry.schedule.key) == uid:
            del self._uid_of[entry.schedule.key]
        self.touch(uid)

    def put_job(self, job: JobRecord, *, wake: bool = True, proven: bool = False) -> bool:
        """Return True when it is news. `proven`: it was asked for after it seemed gone, and is there."""
        if proven:
            self._dead.pop(job.uid, None)
        if job.uid in self._dead:
            return False
        known = self._jobs.get(job.uid)
        if known and version(known.resource_version) >= version(job.resource_version):
            return False
        if known and known.owner_uid != job.owner_uid:
            self._unlink(known)
        self._jobs[job.uid] = replace(job, pod=None)
        self._jobs_of.setdefault(job.owner_uid, set()).add(job.uid)
        if wake:
            self._touch_owner(job)
        return True

    def condemn_job(self, uid: str) -> None:
        """Note that its deletion was accepted, which the watch will show later: nobody needs to ask for it again."""
        job = self._jobs.get(uid)
        if job:
            self._jobs[uid] = replace(job, deleting=True)

    def drop_job(self, uid: str) -> None:
        self._bury(uid)
        job = self._jobs.pop(uid, None)
        self._pods.drop(uid)
        if job is None:
            return
        self._unlink(job)
        self._touch_owner(job)

    def put_pod(self, job_uid: str, facts: PodFacts, resource_version: str) -> bool:
        """Take in what a pod says; True when it is news."""
        if job_uid in self._dead:
            return False
        if not self._pods.put(job_uid, facts, version(resource_version)):
            return False
        self._touch_job(job_uid)
        return True

    def lose_pod(self, job_uid: str, pod_uid: str) -> None:
        """Note that the pod object is gone; what it told stays."""
        if self._pods.lose(job_uid, pod_uid):
            self._touch_job(job_uid)

    # -- resync -------------------------------------------------------------------------------------------------------

    def schedule_uids(self, namespace: str = "") -> frozenset[str]:
        """Known UIDs, to be taken *before* a list starts: only these may be dropped for being absent from it."""
        return frozenset(
            uid for uid, entry in self._schedules.items() if namespace in {"", entry.schedule.namespace}
        )

    def job_uids(self, namespace: str = "") -> frozenset[str]:
        """Without those that go on and that no list shows; such a one is asked for by its name until it has ended."""
        return frozenset(
            uid
            for uid, job in self._jobs.items()
            if namespace in {"", job.namespace} and not (job.unlabelled and job.state is JobState.ACTIVE)
        )

    def pod_uids(self, namespace: str = "") -> frozenset[tuple[str, str]]:
        """(Job UID, pod UID) of pods not known to be gone."""
        return frozenset(
            (uid, pod_uid)
            for uid, pod_uid in self._pods.standing()
            if (job := self._jobs.get(uid)) and namespace in {"", job.namespace}
        )

    def drop_absent_schedules(self, before: Iterable[str], seen: set[str]) -> int:
        ghosts = [uid for uid in before if uid not in seen and uid in self._schedules]
        for uid in ghosts:
            self.drop_schedule(uid)
        return len(ghosts)

    def drop_absent_jobs(self, before: Iterable[str], seen: set[str]) -> int:
        ghosts = [uid for uid in before if uid not in seen and uid in self._jobs]
        for uid in ghosts:
            self.drop_job(uid)
        return len(ghosts)

    def drop_orphan_pods(self) -> int:
        """Drop facts whose Job is unknown now and was at the last call: a Job may only be late, a pod is told once."""
        orphans = {uid for uid in self._pods.jobs() if uid not in self._jobs}
        dropped = orphans & self._orphans
        for uid in dropped:
            self._pods.drop(uid)
        self._orphans = orphans - dropped
        return len(dropped)

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _touch_owner(self, job: JobRecord) -> None:
        if job.owner_uid in self._schedules:
            self.touch(job.owner_uid)

    def _touch_job(self, job_uid: str) -> None:
        job = self._jobs.get(job_uid)
        if job:
            self._touch_owner(job)

    def _unlink(self, job: JobRecord) -> None:
        siblings = self._jobs_of.get(job.owner_uid, set())
        siblings.discard(job.uid)
        if not siblings:
            self._jobs_of.pop(job.owner_uid, None)

    def _bury(self, uid: str) -> None:
        self._dead[uid] = None
        self._dead.move_to_end(uid)
        while len(self._dead) > TOMBSTONES:
            self._dead.popitem(last=False)


def version(resource_version: str) -> int:
    """Resource versions are comparable whole numbers (KEP-5504); what is none counts as oldest."""
    return int(resource_version) if resource_version.isdecimal() else 0
