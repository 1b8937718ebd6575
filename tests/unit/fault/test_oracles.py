"""The fault tier's oracles must be able to fail: each of these ends is wrong in one way, and is caught for that."""

import copy
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from tests.fault.audit import Record
from tests.fault.oracles import Evidence, judge, shape
from tests.fault.plan import Fault, Plan, name_exchange
from tests.fault.process import Ended
from tests.fault.workloads import Expected, Run

US = "system:serviceaccount:f-1:operator"
SLOT = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
RUN = str(int(SLOT.timestamp()) // 60)
MADE = {"metadata": {"name": "ok", "uid": "u1"}}
CONDITIONS = [{"type": "Ready", "status": "True", "reason": "Serving", "observedGeneration": 1}]


def status(runs: int, **more):
    counters = {"runs": runs, "succeeded": runs, "launches": 1}
    return {"counters": counters, "lastScheduleTime": "2026-11-28T04:00:00Z", "conditions": CONDITIONS} | more


def job(launch: int = 1, run: str = RUN, owner: str = "u1"):
    labels = {"gscsync.io/run": run, "gscsync.io/slot": RUN, "gscsync.io/trigger": "Cron",
              "gscsync.io/launch": str(launch), "gscsync.io/attempt": str(launch)}  # fmt: skip
    meta = {"name": f"ok-{run}-{launch}", "uid": f"j-{run}-{launch}", "labels": labels,
            "ownerReferences": [{"uid": owner, "controller": True}]}  # fmt: skip
    return {"metadata": meta, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}


def record(
    second, user, verb, resource, name, code=200, subresource="", request=None, response=None
) -> Record:
    at = SLOT + timedelta(seconds=second)
    return Record(at, user, verb, resource, subresource, name, code, "", request or {}, response or {})


def created(second: int, made) -> Record:
    body = copy.deepcopy(made) | {"status": {}}
    return record(second, US, "create", "jobs", made["metadata"]["name"], 201, response=body)


def ended(second: int, made) -> Record:
    return record(second, "system:kube-controller-manager", "update", "jobs", made["metadata"]["name"],
                  subresource="status", response=made)  # fmt: skip


def wrote(second: int, version: int, body, user: str = US) -> Record:
    response = {"metadata": {"uid": "u1", "resourceVersion": str(version)}, "status": body}
    request = {"metadata": {"resourceVersion": str(version - 1)}, "status": body}
    return record(
        second,
        user,
        "patch",
        "gscsyncschedules",
        "ok",
        subresource="status",
        request=request,
        response=response,
    )


def good() -> Evidence:
    audit = [created(1, job()), wrote(2, 11, status(0)), ended(5, job()), wrote(6, 12, status(1))]
    return Evidence(
        operator=US,
        audit=audit,
        expected={"ok": Expected((Run("Cron", slot=SLOT),))},
        made={"ok": MADE},
        schedules={"ok": MADE | {"status": status(1)}},
        jobs={"a": job()},
        ends=(Ended(1, 1, 0, meant=True),),
    )


def with_(**changes) -> Evidence:
    return dataclasses.replace(good(), **changes)


def plus(*records: Record, **changes) -> Evidence:
    return with_(audit=[*good().audit, *records], **changes)


def test_a_good_end_is_not_faulted() -> None:
    assert judge(with_(reference=shape(good()))) == []


OTHER = job(run="29000000")
BAD_ENDS = {
    "a second Job for the same launch": ("O1: 2 Jobs", plus(created(7, job()))),
    "a run nobody asked for": ("O1: runs of ok", plus(created(7, OTHER), ended(8, OTHER))),
    "a slot that never ran": ("O1: runs of ok", with_(audit=good().audit[1:2])),
    "a launch left out": ("O1: launches of run", plus(created(7, job(3)))),
    "a Job for a stranger": ("O1: Jobs were created for an unknown", plus(created(7, job(owner="u9")))),
    "two launches side by side": ("O7", plus(created(3, job(2)))),
    "another end than without faults": ("O2: .schedules.ok.lastResult", with_(reference=shape(good()) | {
        "schedules": {"ok": shape(good())["schedules"]["ok"] | {"lastResult": "Failed"}}})),
    "a delete too many": ("O3", plus(record(7, US, "delete", "jobs", "x"), reference=shape(good()))),
    "no rest": ("O4", with_(was_quiet=False)),
    "a counter that fell": ("O5: ok: counter runs fell", plus(wrote(7, 13, status(0)))),
    "a watermark that went back": ("O5: ok: lastScheduleTime went back", plus(wrote(7, 13, status(1, lastScheduleTime=None)))),
    "a counter that counts too much": ("O5: ok: counter launches is 2", with_(schedules={"ok": MADE | {
        "status": status(1) | {"counters": {"runs": 1, "succeeded": 1, "launches": 2}}}})),
    "outcomes that do not add up": ("O5: ok: outcomes", with_(schedules={"ok": MADE | {
        "status": status(1) | {"counters": {"runs": 1, "succeeded": 0, "launches": 1}}}})),
    "a finalizer": ("O6: ok has finalizers", with_(schedules={"ok": {
        "metadata": MADE["metadata"] | {"finalizers": ["x"]}, "status": status(1)}})),
    "an orphan": ("O6: Job a belongs to nobody", with_(jobs={"a": job(owner="u9")})),
    "a write that is not its own": ("O9: the operator tried", plus(record(7, US, "patch", "gscsyncschedules", "ok"))),
    "a look at a Secret": ("O9: the operator touched", plus(record(7, US, "get", "secrets", "warehouse"))),
    "a refusal": ("O9: patch events", plus(record(7, US, "patch", "events", "e", 422))),
    "a write without a resource version": ("O9", plus(record(
        7, US, "patch", "gscsyncschedules", "ok", 409, "status", request={"status": {"x": 1}}))),
    "an error in the log": ("O9: in the log", with_(bad_lines=("boom",))),
    "an exit nobody asked for": ("O11: replica 1 ended by itself", with_(ends=(Ended(1, 1, 1, meant=False),))),
    "a process that had to be killed": ("O11: replica 1 ended with code -9", with_(ends=(Ended(1, 1, -9, meant=True),))),
    "what the scene saw itself": ("O4: not converged", with_(problems=("O4: not converged",))),
}  # fmt: skip


@pytest.mark.parametrize(("caught", "end"), BAD_ENDS.values(), ids=BAD_ENDS.keys())
def test_a_bad_end_is_caught(caught: str, end: Evidence) -> None:
    assert any(sentence.startswith(caught) for sentence in judge(end)), judge(end)


DELETED = (
    record(0, "admin", "create", "gscsyncschedules", "ok", 201, response=MADE),
    *good().audit[:3],
    record(7, "admin", "delete", "gscsyncschedules", "ok"),
)
GONE = {"expected": {"ok": Expected((Run("Cron", slot=SLOT),), gone=True)}, "schedules": {}, "jobs": {}}


def again(second: int, **changes) -> Evidence:
    """The same launch is created once more, when its Job has ended or its schedule is gone."""
    late = copy.deepcopy(job())
    late["metadata"]["uid"] = "late"
    return with_(audit=[*DELETED, created(second, late)], **GONE, **changes)


LATE = {
    "held back, and its schedule is gone": (again(8, held_creates=True), 0),
    "held back, and its schedule is there": (again(6, held_creates=True), 1),
    "nothing was held back": (again(8), 1),
}


@pytest.mark.parametrize(("end", "wrong"), LATE.values(), ids=LATE.keys())
def test_a_create_may_take_effect_after_its_schedule_when_it_was_held_back(end: Evidence, wrong: int) -> None:
    assert [it[:2] for it in judge(end)] == ["O1"] * wrong
    assert shape(end)["writes"] == {"create": 1 + wrong}


def test_a_plan_file_is_read_as_it_was_written() -> None:
    plan = Plan("p", "retry", (Fault("patch status", "kill-lost", 3), Fault("event jobs", "delay", value=6)))
    assert Plan.from_json(plan.to_json()) == plan


NS = "/apis/x/namespaces/f-1"


@pytest.mark.parametrize(
    ("method", "path", "query", "name"),
    [
        ("POST", f"{NS}/jobs", {}, "create jobs"),
        ("DELETE", f"{NS}/jobs/a", {}, "delete jobs"),
        ("PATCH", f"{NS}/gscsyncschedules/a/status", {}, "patch status"),
        ("GET", f"{NS}/gscsyncschedules/a", {}, "get schedules"),
        ("GET", f"{NS}/pods", {}, "list pods"),
        ("GET", f"{NS}/pods", {"watch": "true"}, "watch pods"),
        ("GET", f"{NS}/jobs", {"continue": "x"}, "continue jobs"),
        ("PUT", f"{NS}/leases/a", {}, "update leases"),
        ("GET", "/version", {}, "get version"),
        ("GET", "/apis", {}, ""),
    ],
)
def test_exchanges_have_names(method: str, path: str, query: dict, name: str) -> None:
    assert name_exchange(method, path, query) == name
