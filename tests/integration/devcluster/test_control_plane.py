"""Two control planes side by side, pods that end as they are told to, and nothing left when they are gone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devcluster import api, processes
from devcluster.api import ControlPlane, simulate
from devcluster.places import Places
from tests.integration.devcluster.pods import Kubectl

pytestmark = [pytest.mark.needs_cluster, pytest.mark.timeout(300)]


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def job(name: str, annotations: dict[str, str], **labels: str) -> dict[str, Any]:
    container = {"name": "sync", "image": "localhost/simulated:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": {"annotations": annotations, "labels": labels},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane.start() as started:
        yield started


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Kubectl:
    return Kubectl(plane.kubeconfig, "default")


def pod_of(kubectl: Kubectl, name: str) -> dict[str, Any] | None:
    pods: list[dict[str, Any]] = kubectl.get("pods", "-l", f"job-name={name}")["items"]
    return pods[0] if pods else None


def ended(kubectl: Kubectl, name: str) -> Callable[[], dict[str, Any] | None]:
    def look() -> dict[str, Any] | None:
        pod = pod_of(kubectl, name)
        return pod["status"] if pod and pod["status"]["phase"] in {"Succeeded", "Failed"} else None

    return look


@pytest.mark.parametrize(
    ("name", "annotations", "phase", "state"),
    [
        ("done", simulate.as_annotations(), "Succeeded", {"exitCode": 0, "reason": "Completed"}),
        (
            "snoozed",
            simulate.as_annotations(exit_code=75, message='{"snoozeSeconds": 60, "said": "grüße\\n"}'),
            "Failed",
            {"exitCode": 75, "reason": "Error", "message": '{"snoozeSeconds": 60, "said": "grüße\\n"}'},
        ),
        ("memory", simulate.as_annotations("oom-killed"), "Failed", {"exitCode": 137, "reason": "OOMKilled"}),
        ("evicted", simulate.as_annotations("evicted"), "Failed", {"exitCode": 137}),
        ("preempted", simulate.as_annotations("preempted", run_for="200ms"), "Failed", {"exitCode": 137}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pod_ends_as_its_annotations_say(
    kubectl: Kubectl, name: str, annotations: dict[str, str], phase: str, state: dict[str, Any]
) -> None:
    kubectl.apply(job(name, annotations))

    status = until(ended(kubectl, name))

    assert status["phase"] == phase
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert {key: terminated.get(key) for key in state} == state
    disrupted = any(condition["type"] == "DisruptionTarget" for condition in status["conditions"])
    assert disrupted == (name in {"evicted", "preempted"})
    assert (status.get("reason") == "Evicted") == (name == "evicted")
    kubectl(
        "wait",
        f"job/{name}",
        f"--for=condition={'Complete' if phase == 'Succeeded' else 'Failed'}",
        "--timeout=30s",
    )


def test_an_image_that_cannot_be_pulled_keeps_the_pod_waiting_with_that_reason(kubectl: Kubectl) -> None:
    kubectl.apply(job("no-image", simulate.as_annotations("image-missing")))

    def waiting() -> dict[str, Any] | None:
        pod = pod_of(kubectl, "no-image")
        states = pod["status"].get("containerStatuses") if pod else None
        return states[0]["state"].get("waiting") if states else None

    assert until(waiting)["reason"] == "ImagePullBackOff"
    pod = pod_of(kubectl, "no-image")
    assert pod is not None
    assert pod["status"]["phase"] == "Pending"


def test_a_pod_without_annotations_runs_until_it_is_given_one(kubectl: Kubectl) -> None:
    kubectl.apply(job("long", {}))
    until(lambda: (pod := pod_of(kubectl, "long")) and pod["status"]["phase"] == "Running")

    given = [
        f"{key}={value}" for key, value in simulate.as_annotations(exit_code=3, message="enough").items()
    ]
    kubectl("annotate", "pod", "-l", "job-name=long", *given)

    terminated = until(ended(kubectl, "long"))["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["message"]) == (3, "enough")


def test_a_deleted_pod_ends_first_and_may_say_how_far_it_came(kubectl: Kubectl) -> None:
    kubectl.apply(job("flushed", simulate.as_annotations("run", stop_exit_code=75, stop_message="half")))
    until(lambda: (pod := pod_of(kubectl, "flushed")) and pod["status"]["phase"] == "Running")
    # Without a finalizer of ours the pod would be gone as soon as it had ended, and the message with it.
    hold = json.dumps({"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking", "example.com/look"]}})
    name = (pod_of(kubectl, "flushed") or {})["metadata"]["name"]
    kubectl("patch", "pod", name, "--type=merge", "-p", hold)

    kubectl("delete", "job", "flushed", "--cascade=foreground", "--wait=false")

    terminated = until(ended(kubectl, "flushed"))["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["message"]) == (75, "half")
    kubectl("patch", "pod", name, "--type=json", "-p", '[{"op": "remove", "path": "/metadata/finalizers"}]')
    until(lambda: pod_of(kubectl, "flushed") is None)


def test_a_policy_annotates_the_pods_of_a_namespace_which_the_product_does_not_know_of(
    kubectl: Kubectl,
) -> None:
    chosen = simulate.as_annotations(exit_code=42, message='said "so"')
    kubectl.apply(*simulate.policy("outcomes", "default", chosen, {"scripted": "yes"}))

    def one_is_scripted() -> dict[str, Any] | None:
        # A policy takes a moment to be in force: make Jobs until one has it.
        name = f"scripted-{time.monotonic_ns()}"
        kubectl.apply(job(name, {}, scripted="yes"))
        pod = until(lambda: pod_of(kubectl, name))
        return (
            until(ended(kubectl, name))
            if "devcluster/outcome" in pod["metadata"].get("annotations", {})
            else None
        )

    terminated = until(one_is_scripted)["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["message"]) == (42, 'said "so"')


def test_the_audit_log_has_the_bodies_of_jobs_and_the_metadata_of_all_else(
    plane: ControlPlane, kubectl: Kubectl
) -> None:
    kubectl.apply(job("audited", simulate.as_annotations()))
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "quiet"}, "stringData": {"a": "hidden"}}
    )

    def writes(resource: str, name: str) -> list[dict[str, Any]]:
        return [
            event
            for event in plane.audit()
            if event["verb"] == "create"
            and event.get("objectRef", {}).get("resource") == resource
            and event["objectRef"].get("name") == name
        ]

    (of_the_job,) = until(lambda: writes("jobs", "audited"))
    assert of_the_job["requestObject"]["spec"]["backoffLimit"] == 0
    (of_the_secret,) = until(lambda: writes("secrets", "quiet"))
    assert "requestObject" not in of_the_secret


def test_a_service_account_acts_with_its_own_rights_only(plane: ControlPlane) -> None:
    acting = Kubectl(plane.service_account_kubeconfig("default", "default"), "default")
    assert "system:serviceaccount:default:default" in acting("auth", "whoami")
    with pytest.raises(AssertionError, match="forbidden"):
        acting("get", "pods")


def test_objects_outlive_a_crash_of_the_api_server(plane: ControlPlane, kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "kept")
    plane.stop_apiserver(kill=True)
    with pytest.raises(AssertionError, match="refused"):
        kubectl("get", "configmap", "kept")
    plane.start_apiserver()
    assert kubectl("get", "configmap", "kept", "-o", "name").strip() == "configmap/kept"


def test_two_live_side_by_side_and_leave_nothing(plane: ControlPlane, kubectl: Kubectl) -> None:
    places = Places.here()
    with ControlPlane.start() as second:
        assert second.url != plane.url
        other = Kubectl(second.kubeconfig, "default")
        kubectl("create", "configmap", "here")
        assert "here" not in other("get", "configmaps", "-o", "name")
        assert processes.strays(places.binaries, second.folder) != []
    assert processes.strays(places.binaries, second.folder) == []
    assert not second.folder.exists()
    assert second.name not in (places.clusters / ".ports.json").read_text()
    assert not (places.clusters / f".{second.name}.lock").exists()
    assert kubectl("get", "configmap", "here", "-o", "name").strip() == "configmap/here", (
        "the first one is untouched"
    )


def test_one_whose_process_died_is_taken_down_by_the_next_start() -> None:
    program = "from devcluster.api import ControlPlane; print(ControlPlane.start().name)"
    name = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    places = Places.here()
    left = places.run_folder(name)
    assert left.exists()
    with api.ControlPlane.start():
        assert not left.exists()
        assert processes.strays(places.binaries, left) == []
