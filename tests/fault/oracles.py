"""Oracles: what must hold after every plan, judged from the API server's audit log and from what is left in it.

Pure functions of Evidence; the operator's own word (its status) is only ever compared with what the audit log says
happened. Each returns sentences that begin with the number of the promise: O1 one Job for each (schedule, run, launch)
and no run missing, O2 end state as without faults, O3 as many creates and deletes, O4 quiet at the end, O5 counters
and times, O6 nothing left behind, O7 no overlap, O9 logs and writes, O11 the process.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.fault.audit import Record
from tests.fault.process import Ended
from tests.fault.workloads import Expected

Object = dict[str, Any]

FINISHED = {"Complete", "Failed"}
MAY_WRITE = {
    ("create", "jobs", ""),
    ("delete", "jobs", ""),
    ("patch", "gscsyncschedules", "status"),
    ("create", "events", ""),
    ("patch", "events", ""),
    ("create", "leases", ""),
    ("update", "leases", ""),
}
"""All that the operator's identity may ever try."""
NODE = "kwok"
ZERO = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one plan left behind."""

    operator: str
    """The user name of the operator's service account."""
    audit: list[Record]
    expected: Mapping[str, Expected]
    """By mark."""
    made: Mapping[str, Object]
    """Schedules as they were made, by mark."""
    schedules: Mapping[str, Object]
    """At the end, by name."""
    jobs: Mapping[str, Object]
    ends: tuple[Ended, ...] = ()
    was_quiet: bool = True
    bad_lines: tuple[str, ...] = ()
    reference: Object | None = None
    """What `shape` said of the same workload without faults."""
    refusals_allowed: bool = False
    held_creates: bool = False
    """Whether the plan held back a create that had been sent, so that it took effect later."""
    problems: tuple[str, ...] = ()

    def uid(self, mark: str) -> str:
        return str(self.made[mark]["metadata"]["uid"])

    def end_of(self, mark: str) -> Object | None:
        """The schedule as it stands at the end, None when that very object is gone."""
        name = self.made[mark]["metadata"]["name"]
        found = self.schedules.get(name)
        return found if found and found["metadata"]["uid"] == self.uid(mark) else None


@dataclass(frozen=True, slots=True)
class Launch:
    """One Job that was really created, from its audit record."""

    owner: str
    run: str
    launch: int
    attempt: int
    trigger: str
    slot: int
    name: str
    uid: str
    created: datetime
    ended: datetime | None


def launches(evidence: Evidence) -> list[Launch]:
    """Every Job that was created by the operator, with the moment at which its program ended, or it was gone."""
    ends: dict[str, datetime] = {}
    gone: dict[str, datetime] = {}
    programs = _program_ends(evidence)
    for record in evidence.audit:
        if record.resource != "jobs" or not 200 <= record.code < 300:
            continue
        meta = record.response.get("metadata") or {}
        conditions = (record.response.get("status") or {}).get("conditions") or ()
        if any(it.get("type") in FINISHED and it.get("status") == "True" for it in conditions):
            ends.setdefault(str(meta.get("uid")), record.at)
        if record.verb == "delete" or _last_finalizer_left(record):
            gone.setdefault(record.name, record.at)
    made = []
    for record in evidence.audit:
        if (record.verb, record.resource, record.subresource) != ("create", "jobs", "") or record.code != 201:
            continue
        if record.user != evidence.operator:
            continue
        meta = record.response["metadata"]
        labels = meta.get("labels") or {}
        owner = next((it["uid"] for it in meta.get("ownerReferences") or () if it.get("controller")), "")
        made.append(
            Launch(
                owner=owner,
                run=labels.get("gscsync.io/run", ""),
                launch=int(labels.get("gscsync.io/launch", 0)),
                attempt=int(labels.get("gscsync.io/attempt", 0)),
                trigger=labels.get("gscsync.io/trigger", ""),
                slot=int(labels.get("gscsync.io/slot", 0)),
                name=meta["name"],
                uid=meta["uid"],
                created=record.at,
                ended=min(
                    (
                        it
                        for it in (programs.get(meta["name"]), ends.get(meta["uid"]), gone.get(meta["name"]))
                        if it
                    ),
                    default=None,
                ),
            )
        )
    return made


def _program_ends(evidence: Evidence) -> dict[str, datetime]:
    """When the program of each Job ended, by the Job's name: the node tells of each pod twice, of its start and its end."""
    told: dict[str, list[datetime]] = defaultdict(list)
    for record in evidence.audit:
        if (
            record.user == NODE
            and (record.resource, record.subresource) == ("pods", "status")
            and record.code == 200
        ):
            told[record.name].append(record.at)
    return {pod.rsplit("-", 1)[0]: times[1] for pod, times in told.items() if len(times) > 1}


def too_late(evidence: Evidence) -> frozenset[str]:
    """UIDs of Jobs whose create was sent while their schedule was there and took effect when it was not.

    The Job of that launch is gone with the schedule, so its name is free, and no precondition of a create can ask for an
    owner: only the garbage collector can take such a Job away again, which O6 asks for.
    """
    if not evidence.held_creates:
        return frozenset()
    bearer: dict[str, str] = {}
    deleted: dict[str, datetime] = {}
    for record in evidence.audit:
        match record.verb, record.resource, record.code:
            case "create", "gscsyncschedules", 201:
                bearer[record.name] = record.response["metadata"]["uid"]
            case "delete", "gscsyncschedules", 200 if record.name in bearer:
                deleted[bearer.pop(record.name)] = record.at
    return frozenset(
        made.uid
        for made in launches(evidence)
        if made.owner in deleted and made.created > deleted[made.owner]
    )


def _last_finalizer_left(record: Record) -> bool:
    meta = record.response.get("metadata") or {}
    return bool(meta.get("deletionTimestamp")) and not meta.get("finalizers")


# -- O1, O7 -----------------------------------------------------------------------------------------------------------


def one_job_a_launch(evidence: Evidence) -> Iterator[str]:
    """O1: never two Jobs for one (schedule, run, launch); launches numbered without gaps; the runs that must be."""
    by_key: Counter[tuple[str, str, int]] = Counter()
    by_run: dict[str, dict[str, list[Launch]]] = defaultdict(lambda: defaultdict(list))
    late = too_late(evidence)
    for made in launches(evidence):
        by_key[made.owner, made.run, made.launch] += made.uid not in late
        by_run[made.owner][made.run].append(made)
    for (_, run_id, launch), number in by_key.items():
        if number > 1:
            yield f"O1: {number} Jobs were created for run {run_id}, launch {launch}"
    known = set()
    for mark, expected in evidence.expected.items():
        uid = evidence.uid(mark)
        known.add(uid)
        seen = Counter(
            (
                jobs[0].trigger,
                jobs[0].slot if jobs[0].trigger == "Cron" else 0,
                len({made.launch for made in jobs}),
            )
            for jobs in by_run[uid].values()
        )
        want = Counter(
            (run.trigger, int(run.slot.timestamp()) // 60 if run.slot else 0, run.launches)
            for run in expected.runs
        )
        # A launch that nobody remembers may be ended and made anew; a run may not.
        parts = 2 if expected.forgotten else 3
        if Counter(it[:parts] for it in seen.elements()) != Counter(it[:parts] for it in want.elements()):
            yield f"O1: runs of {mark} (trigger, slot, launches): {sorted(seen.elements())}, expected {sorted(want.elements())}"
        for run_id, jobs in by_run[uid].items():
            numbers = sorted({made.launch for made in jobs})
            if numbers != list(range(1, len(numbers) + 1)):
                yield f"O1: launches of run {run_id} are numbered {numbers}"
            if jobs[0].trigger == "Cron" and run_id != str(jobs[0].slot):
                yield f"O1: run {run_id} has the slot {jobs[0].slot}"
    for owner in by_run:
        if owner not in known:
            yield f"O1: Jobs were created for an unknown schedule {owner or '(nobody)'}"


def no_overlap(evidence: Evidence) -> Iterator[str]:
    """O7: under Forbid and Replace no launch begins before the one before it is over."""
    for mark, expected in evidence.expected.items():
        if expected.policy == "Allow":
            continue
        mine = sorted(
            (it for it in launches(evidence) if it.owner == evidence.uid(mark)), key=lambda it: it.created
        )
        for earlier, later in pairwise(mine):
            if earlier.ended is None or earlier.ended > later.created:
                yield f"O7: {later.name} was created at {later.created} while {earlier.name} ran until {earlier.ended}"


# -- O2, O3 -----------------------------------------------------------------------------------------------------------


def shape(evidence: Evidence) -> Object:
    """What two good ends of the same workload have in common: no times, no names made of hashes, no notes."""
    loose = any(it.by_deadline for it in evidence.expected.values())
    jobs = sorted(_shape_of_job(job) for job in evidence.jobs.values())
    writes = job_writes(evidence)
    return {
        "schedules": {
            mark: _shape_of_status((evidence.end_of(mark) or {}).get("status"))
            for mark in sorted(evidence.expected)
        },
        "jobs": [job for job in jobs if job[-1] == ["Complete"]] if loose else jobs,
        "writes": {"create": writes["create"]} if loose else dict(sorted(writes.items())),
    }


def job_writes(evidence: Evidence) -> Counter[str]:
    """O3: Jobs that the operator really created and deleted (a repeated delete of the same Job is one)."""
    counts: Counter[str] = Counter()
    deleted, late = set(), too_late(evidence)
    for record in evidence.audit:
        if record.user != evidence.operator or record.resource != "jobs" or not 200 <= record.code < 300:
            continue
        if record.verb == "create":
            counts["create"] += record.response["metadata"]["uid"] not in late
        elif record.verb == "delete" and record.name not in deleted:
            deleted.add(record.name)
            counts["delete"] += 1
    return counts


def _shape_of_status(status: Object | None) -> Object | None:
    if status is None:
        return None
    return {
        "counters": {key: value for key, value in (status.get("counters") or {}).items() if value},
        "consecutiveFailures": status.get("consecutiveFailures"),
        "lastResult": status.get("lastResult"),
        "active": status.get("active"),
        "currentRun": bool(status.get("currentRun")),
        "waiting": status.get("waiting") or [],
        "tokens": len(status.get("handledTokens") or ()),
        "history": [
            [it.get("trigger"), it.get("outcome"), it.get("attempts"), it.get("launches"), it.get("reason"),
             it.get("rowsWritten")]
            for it in status.get("history") or ()
        ],
        "conditions": sorted(
            [it["type"], it["status"], it["reason"], it.get("observedGeneration")]
            for it in status.get("conditions") or ()
        ),
    }  # fmt: skip


def _shape_of_job(job: Object) -> list[Any]:
    labels = job["metadata"].get("labels") or {}
    conditions = (job.get("status") or {}).get("conditions") or ()
    ended = sorted(it["type"] for it in conditions if it["type"] in FINISHED and it["status"] == "True")
    return [
        labels.get("gscsync.io/trigger"),
        labels.get("gscsync.io/launch"),
        labels.get("gscsync.io/attempt"),
        ended,
    ]


def as_without_faults(evidence: Evidence) -> Iterator[str]:
    """O2 and O3: nothing of it differs from the run that nothing disturbed."""
    if evidence.reference is None:
        return
    for path, want, got in _differences("", evidence.reference, shape(evidence)):
        number = "O3" if path.startswith(".writes") else "O2"
        yield f"{number}: {path} is {got}, without faults {want}"


def _differences(path: str, want: Any, got: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted({*want, *got}):
            yield from _differences(f"{path}.{key}", want.get(key), got.get(key))
    elif want != got:
        yield path, want, got


# -- O4, O5 -----------------------------------------------------------------------------------------------------------


def quiet(evidence: Evidence) -> Iterator[str]:
    """O4: once converged, nobody writes any more."""
    if not evidence.was_quiet:
        yield "O4: the operator still wrote when it should have come to rest"


def versions(evidence: Evidence, uid: str) -> list[tuple[str, Object]]:
    """Every status that the object of that UID ever had: (who wrote it, status), in order."""
    found: dict[int, tuple[str, Object]] = {}
    for record in evidence.audit:
        if record.resource != "gscsyncschedules" or not record.is_write or not 200 <= record.code < 300:
            continue
        meta = record.response.get("metadata") or {}
        if meta.get("uid") == uid and str(meta.get("resourceVersion", "")).isdecimal():
            found.setdefault(int(meta["resourceVersion"]), (record.user, record.response.get("status") or {}))
    return [found[version] for version in sorted(found)]


def counters(evidence: Evidence) -> Iterator[str]:
    """O5: the counters equal a recount from the Jobs, never fell in any version, and watermarks never went back."""
    made = launches(evidence)
    for mark, expected in evidence.expected.items():
        uid = evidence.uid(mark)
        history = versions(evidence, uid)
        for (_, before), (user, after) in pairwise(history):
            if user != evidence.operator:
                continue
            old, new = before.get("counters") or {}, after.get("counters") or {}
            for name in sorted(old):
                if new.get(name, 0) < old[name]:
                    yield f"O5: {mark}: counter {name} fell from {old[name]} to {new.get(name, 0)}"
            for name in ("lastScheduleTime", "lastManualTime"):
                if (after.get(name) or ZERO) < (before.get(name) or ZERO):
                    yield f"O5: {mark}: {name} went back from {before.get(name)} to {after.get(name)}"
        end = evidence.end_of(mark)
        if end is None or expected.gone or expected.forgotten:
            continue
        mine = [it for it in made if it.owner == uid]
        told = (end.get("status") or {}).get("counters") or {}
        runs = {it.run for it in mine}
        recount = {
            "launches": len({(it.run, it.launch) for it in mine}),
            "runs": len(runs),
            "retries": sum(max(it.attempt for it in mine if it.run == run) - 1 for run in runs),
            **expected.counters,
        }
        for name, number in recount.items():
            if told.get(name, 0) != number:
                yield f"O5: {mark}: counter {name} is {told.get(name, 0)}, a recount says {number}"
        outcomes = ("succeeded", "partiallySucceeded", "failed", "cancelled")
        if sum(told.get(name, 0) for name in outcomes) + told.get("superseded", 0) != told.get("runs", 0):
            yield f"O5: {mark}: outcomes do not add up to the runs: {told}"


# -- O6, O9, O11 ------------------------------------------------------------------------------------------------------


def nothing_left(evidence: Evidence) -> Iterator[str]:
    """O6: no finalizer on schedules, no Job whose schedule is gone."""
    living = {item["metadata"]["uid"] for item in evidence.schedules.values()}
    for name, item in evidence.schedules.items():
        if item["metadata"].get("finalizers"):
            yield f"O6: {name} has finalizers {item['metadata']['finalizers']}"
    for name, job in evidence.jobs.items():
        owners = [it["uid"] for it in job["metadata"].get("ownerReferences") or ()]
        if not any(owner in living for owner in owners):
            yield f"O6: Job {name} belongs to nobody"


def only_its_own(evidence: Evidence) -> Iterator[str]:
    """O9: the operator writes status, Jobs, events and its Lease; reads no Secret; is refused nothing it needs."""
    for record in evidence.audit:
        if record.user != evidence.operator:
            continue
        what = f"{record.verb} {record.resource}/{record.subresource} {record.name}"
        if record.is_write and (record.verb, record.resource, record.subresource) not in MAY_WRITE:
            yield f"O9: the operator tried to {what}"
        if record.resource == "secrets":
            yield f"O9: the operator touched a Secret: {what}"
        if record.code in {401, 403, 422} and not evidence.refusals_allowed:
            yield f"O9: {what} was refused with {record.code}"
        if record.request and (record.resource, record.subresource) == ("gscsyncschedules", "status"):
            beside = set(record.request) - {"metadata", "status"}
            if beside or set(record.request.get("metadata") or {}) - {"resourceVersion"}:
                yield f"O9: {what} carries more than a status: {sorted(beside)}"
            if "resourceVersion" not in (record.request.get("metadata") or {}):
                yield f"O9: {what} has no resource version"


def clean_log(evidence: Evidence) -> Iterator[str]:
    """O9: no error in the log that the plan does not explain."""
    for line in evidence.bad_lines[:3]:
        yield f"O9: in the log: {line[:400]}"


def process(evidence: Evidence) -> Iterator[str]:
    """O11: the process ends only when it is ended, and then in order."""
    for end in evidence.ends:
        if not end.meant:
            yield f"O11: replica {end.replica} ended by itself in its life {end.life}, exit code {end.code}"
        elif end.code != 0 and not (end.killed and end.code == -9):
            yield f"O11: replica {end.replica} ended with code {end.code} when it was asked to stop"


ORACLES: tuple[Callable[[Evidence], Iterable[str]], ...] = (
    one_job_a_launch, no_overlap, as_without_faults, quiet, counters, nothing_left, only_its_own, clean_log, process,
)  # fmt: skip


def judge(evidence: Evidence) -> list[str]:
    """Everything that does not hold."""
    return [*evidence.problems, *(sentence for oracle in ORACLES for sentence in oracle(evidence))]
