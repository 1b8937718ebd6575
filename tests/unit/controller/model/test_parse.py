"""Bodies into records: what the schema promises is read, what breaks it becomes a problem, nothing raises."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.model import names
from controller.model.job import MAX_TERMINATION_MESSAGE, Disruption, JobState, PodFacts, Trouble
from controller.model.parse import parse_job, parse_pod, parse_schedule
from tests.unit.controller.decide.world import BORN, SPEC, World

WHEN = "2026-03-10T04:00:00Z"
AT = datetime(2026, 3, 10, 4, tzinfo=UTC)


def test_a_small_schedule_gets_the_defaults() -> None:
    spec = World().schedule().spec
    assert spec is not None
    assert (spec.time_zone, spec.suspend, spec.timeout_seconds, spec.pending_deadline_seconds) == (
        "Etc/UTC",
        False,
        600,
        300,
    )
    assert (spec.retry.max_attempts, spec.retry.max_snoozes, spec.window_days) == (3, 50, 14)
    assert spec.max_catch_up_days == 60
    assert (spec.catch_up.max_age_seconds, spec.freshness_seconds, spec.min_success_ratio) == (
        604_800,
        259_200,
        0.0,
    )
    [workspace] = spec.workspaces
    assert (workspace.include, workspace.exclude, workspace.subject) == (("*",), (), None)


PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "no schedule": ({"schedule": None}, "`spec.schedule` must be a text of 1 to 256 characters"),
    "a number for a schedule": ({"schedule": 5}, "`spec.schedule` must be a text"),
    "no workspaces": ({"workspaces": []}, "`spec.workspaces` must have at least one entry"),
    "workspaces of the wrong kind": ({"workspaces": {"name": "a"}}, "`spec.workspaces` must be a list of at most 100"),
    "doubled workspaces": ({"workspaces": SPEC["workspaces"] * 2}, "distinct names"),
    "the identity of the pod beside a Secret": (
        {"workspaces": [{"name": "a", "credentials": "Ambient", "credentialsSecretRef": {"name": "s"}}]},
        "must stand alone",
    ),
    "the identity of the pod and a subject": (
        {"workspaces": [{"name": "a", "credentials": "Ambient", "subject": "a@b.example"}]},
        "must stand alone",
    ),
    "an unknown kind of credentials": ({"workspaces": [{"name": "a", "credentials": "Default"}]}, "'Ambient'"),
    "no credential": ({"workspaces": [{"name": "a"}]}, "credentialsSecretRef"),
    "no destination": ({"destination": None}, "`spec.destination.secretRef.name` must be a text"),
    "0 days": ({"window": {"days": 0}}, "`spec.window.days` must be a whole number from 1 to 480"),
    "no days to catch up": (
        {"window": {"maxCatchUpDays": 0}},
        "`spec.window.maxCatchUpDays` must be a whole number from 1 to 480",
    ),
    "true days": ({"window": {"days": True}}, "`spec.window.days` must be a whole number"),
    "21 attempts": ({"retry": {"maxAttempts": 21}}, "`spec.retry.maxAttempts` must be a whole number from 1 to 20"),
    "a ratio of 2": ({"minSuccessRatio": 2}, "`spec.minSuccessRatio` must be a number from 0 to 1"),
    "an unknown search type": ({"searchTypes": ["podcasts"]}, "`spec.searchTypes` must be of 'web', 'image'"),
    "no search type": ({"searchTypes": []}, "`spec.searchTypes` must be of"),
    "an unknown dimension set": ({"dimensionSets": ["everything"]}, "`spec.dimensionSets` must be of 'page-query', 'totals'"),
    "sets that Google gives for none of the types": (
        {"searchTypes": ["discover"], "dimensionSets": ["query", "device"]},
        "`spec.searchTypes` and `spec.dimensionSets`: Google gives 'query', 'device' for none of 'discover'",
    ),
    "an unknown inventory": ({"inventory": ["everything"]}, "`spec.inventory` must be of 'properties', 'sitemaps'"),
    "more requests for splitting than allowed": (
        {"splitRequestsPerCell": 1001}, "`spec.splitRequestsPerCell` must be a whole number from 0 to 1000",
    ),
    "an unknown policy": ({"concurrencyPolicy": "Maybe"}, "`spec.concurrencyPolicy` must be of 'Forbid', 'Replace', 'Allow'"),
    "an unknown catch-up": ({"catchUp": {"policy": "Some"}}, "`spec.catchUp.policy` must be of 'Latest', 'All', 'None'"),
    "all of them, each replacing the last": (
        {"concurrencyPolicy": "Replace", "catchUp": {"policy": "All"}}, "must be 'Latest' or 'None' with `concurrencyPolicy: Replace`",
    ),
    "an unknown backoff": ({"retry": {"backoff": {"type": "Linear"}}}, "`spec.retry.backoff.type` must be of 'Oban'"),
    "a history of -1": ({"history": {"failedLimit": -1}}, "`spec.history.failedLimit` must be a whole number from 0 to 100"),
    "an unknown data state": ({"window": {"dataState": "Fresh"}}, "`spec.window.dataState` must be of 'All', 'Final'"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "says"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_spec_that_cannot_be_served_says_what_is_allowed(changes: dict[str, Any], says: str) -> None:
    schedule = World(spec=changes).schedule()
    assert schedule.spec is None
    assert says in schedule.problem


def test_resources_and_search_types_are_kept() -> None:
    world = World(
        spec={"resources": {"limits": {"memory": "1Gi", "cpu": 2}}, "searchTypes": ["web", "image", "web"]}
    )
    spec = world.schedule().spec
    assert spec is not None
    assert spec.resources == (("limits", (("cpu", "2"), ("memory", "1Gi"))),)
    assert spec.search_types == ("web", "image")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), json_values),
    st.dictionaries(st.sampled_from([*SPEC, "window", "retry"]), json_values),
)
@settings(max_examples=200)
def test_no_body_raises(body: dict[str, Any], spec: dict[str, Any]) -> None:
    schedule = parse_schedule(body)
    assert schedule.problem or schedule.spec
    parse_schedule({"metadata": {}, "spec": SPEC | spec})
    parse_job(body)
    parse_pod(body)
    references = [{"controller": True, "kind": "Job", "uid": "u"}]
    parse_pod(
        {"metadata": {"ownerReferences": references, "creationTimestamp": WHEN}, "status": body.get("status")}
    )
    parse_job(
        {"metadata": {"name": "n", "uid": "u", "creationTimestamp": WHEN}, "status": body.get("status")}
    )


# -- Jobs ----------------------------------------------------------------------------------------------------------------


def job_body(conditions: list[dict[str, str]] | None = None, **metadata: Any) -> dict[str, Any]:
    labels = {
        names.LABEL_RUN: "29551920", names.LABEL_SLOT: "29551920", names.LABEL_ATTEMPT: "2", names.LABEL_LAUNCH: "3",
        names.LABEL_TRIGGER: "Cron",
    }  # fmt: skip
    return {
        "metadata": {
            "name": "marketing-1", "namespace": "team", "uid": "job-1", "creationTimestamp": WHEN, "labels": labels,
            "ownerReferences": [{"kind": "GscSyncSchedule", "uid": "s-1", "controller": True}],
        } | metadata,
        "status": {"conditions": conditions or []},
    }  # fmt: skip


STATES = {
    "young": ([], JobState.ACTIVE, ""),
    "complete": ([{"type": "Complete", "status": "True", "lastTransitionTime": WHEN}], JobState.COMPLETE, ""),
    "failed": (
        [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": WHEN}],
        JobState.FAILED,
        "BackoffLimitExceeded",
    ),
    "R5 about to fail, its pod still ending": (
        [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}],
        JobState.ACTIVE,
        "DeadlineExceeded",
    ),
    "not failed": ([{"type": "Failed", "status": "False", "reason": "x"}], JobState.ACTIVE, ""),
}


@pytest.mark.parametrize(("conditions", "state", "reason"), STATES.values(), ids=STATES.keys())
def test_the_state_of_a_job(conditions: list[dict[str, str]], state: JobState, reason: str) -> None:
    job = parse_job(job_body(conditions))
    assert job is not None
    assert (job.state, job.failure_reason) == (state, reason)
    assert job.finished_at == (AT if state is not JobState.ACTIVE else None)
    assert (job.run_id, job.slot_minutes, job.attempt, job.launch, job.trigger) == (
        "29551920",
        29551920,
        2,
        3,
        "Cron",
    )
    assert job.is_launch("s-1", "29551920", 3)
    assert not job.is_launch("s-2", "29551920", 3)


def test_a_foreign_job_has_a_record_without_a_run() -> None:
    job = parse_job(
        job_body(
            labels={"app": "other", names.LABEL_SLOT: "²", names.LABEL_LAUNCH: "9" * 12}, ownerReferences=[]
        )
    )
    assert job is not None
    assert (job.run_id, job.owner_uid, job.slot_minutes, job.launch, job.trigger) == ("", "", 0, 0, "")


def test_a_body_without_a_name_is_no_job() -> None:
    assert parse_job({"metadata": {"uid": "u", "creationTimestamp": WHEN}}) is None


# -- pods ----------------------------------------------------------------------------------------------------------------


def pod(status: dict[str, Any], **metadata: Any) -> PodFacts:
    body = {
        "metadata": {
            "uid": "pod-1", "creationTimestamp": WHEN,
            "ownerReferences": [{"kind": "Job", "uid": "job-1", "controller": True}],
        } | metadata,
        "status": status,
    }  # fmt: skip
    found = parse_pod(body)
    assert found is not None
    assert found[0] == "job-1"
    return found[1]


def container(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "sync", "state": state}]}


def unready(kind: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": "False", "reason": reason, "message": message}


TROUBLES: dict[str, tuple[dict[str, Any], Trouble, str]] = {
    "image": (
        container(waiting={"reason": "ImagePullBackOff", "message": "not found"}),
        Trouble.IMAGE,
        "not found",
    ),
    "config": (
        container(waiting={"reason": "CreateContainerConfigError"}),
        Trouble.CONFIG,
        "CreateContainerConfigError",
    ),
    "unschedulable": (
        {"conditions": [unready("PodScheduled", "Unschedulable", "0/3 nodes are available")]},
        Trouble.UNSCHEDULABLE,
        "0/3 nodes are available",
    ),
    "volumes": (
        container(waiting={"reason": "ContainerCreating"})
        | {"conditions": [unready("PodReadyToStartContainers")]},
        Trouble.VOLUME,
        "the pod's volumes or network are not ready on its node",
    ),
    "only young": (container(waiting={"reason": "ContainerCreating"}), Trouble.NONE, ""),
    "running": (
        container(running={"startedAt": WHEN}) | {"conditions": [unready("Ready")]},
        Trouble.NONE,
        "",
    ),
}


@pytest.mark.parametrize(("status", "trouble", "message"), TROUBLES.values(), ids=TROUBLES.keys())
def test_why_a_container_does_not_start(status: dict[str, Any], trouble: Trouble, message: str) -> None:
    facts = pod(status)
    assert (facts.trouble, facts.trouble_message) == (trouble, message)


DISRUPTIONS: dict[str, tuple[dict[str, Any], Disruption]] = {
    "preempted": ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}, Disruption.PREEMPTED),
    "tainted": ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]}, Disruption.NODE_LOST),
    "drained": ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}, Disruption.EVICTED),
    "a reason of tomorrow": ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "New"}]}, Disruption.EVICTED),
    "node pressure": ({"reason": "Evicted"}, Disruption.EVICTED),
    "shutdown": ({"reason": "Terminated"}, Disruption.NODE_LOST),
    "no room on the node": ({"reason": "OutOfcpu"}, Disruption.REJECTED),
    "none": ({}, Disruption.NONE),
}  # fmt: skip


@pytest.mark.parametrize(("status", "disruption"), DISRUPTIONS.values(), ids=DISRUPTIONS.keys())
def test_who_took_the_pod_away(status: dict[str, Any], disruption: Disruption) -> None:
    assert pod(status).disruption is disruption


def test_a_pod_that_is_being_deleted_was_deleted() -> None:
    assert pod({}, deletionTimestamp=WHEN).disruption is Disruption.DELETED


def test_the_end_of_a_container() -> None:
    terminated = {
        "exitCode": 1,
        "reason": "Error",
        "message": "x" * 9000,
        "startedAt": WHEN,
        "finishedAt": WHEN,
    }
    facts = pod(container(terminated=terminated))
    assert (facts.exit_code, facts.termination_reason, facts.started_at, facts.finished_at) == (
        1,
        "Error",
        AT,
        AT,
    )
    assert len(facts.termination_message) == MAX_TERMINATION_MESSAGE


@pytest.mark.parametrize(
    "references",
    [[], [{"kind": "Job", "uid": "u"}], [{"kind": "ReplicaSet", "uid": "u", "controller": True}]],
)
def test_a_pod_that_no_job_controls_is_none_of_ours(references: list[dict[str, Any]]) -> None:
    assert (
        parse_pod({"metadata": {"uid": "p", "creationTimestamp": WHEN, "ownerReferences": references}})
        is None
    )


def test_newer_facts_forget_nothing() -> None:
    ended = PodFacts("pod-1", AT, AT, AT, 0, "Completed", "{}")
    assert ended.updated(PodFacts("pod-1", AT, gone=True)) == PodFacts(
        "pod-1", AT, AT, AT, 0, "Completed", "{}", gone=True
    )
    evicted = PodFacts("pod-1", AT, AT, disruption=Disruption.EVICTED)
    later = evicted.updated(PodFacts("pod-1", AT, exit_code=143, finished_at=AT))
    assert (later.started_at, later.disruption, later.exit_code) == (AT, Disruption.EVICTED, 143)


def test_another_pod_replaces_an_older_one_but_not_a_newer() -> None:
    older, newer = PodFacts("pod-1", BORN, exit_code=1), PodFacts("pod-2", AT)
    assert older.updated(newer) is newer
    assert newer.updated(older) is newer
