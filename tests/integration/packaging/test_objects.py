"""Everything that chart and manifests render, as a real API server judges it; and what the operator may do then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from controller.act import manifest
from controller.cluster.kube import NEEDS
from controller.model.decision import Launch
from controller.model.parse import parse_schedule
from controller.settings import Settings
from tests.integration.packaging.conftest import Server
from tests.unit.packaging.shared import CHART, CI_VALUES, ROOT, of_kind, only, render

pytestmark = [pytest.mark.needs_cluster]

NAMESPACE = "chart"


@pytest.fixture(scope="module")
def namespaces(server: Server) -> None:
    for name in (NAMESPACE, "seo", "marketing", "gsc-sync"):
        server.kubectl("create", "namespace", name)
        server.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("file", [None, *CI_VALUES], ids=lambda file: file.stem if file else "defaults")
def test_every_object_of_the_chart_is_valid(server: Server, file: Any) -> None:
    objects = render(*(["-f", str(file)] if file else []), namespace=NAMESPACE)
    known = [item for item in objects if item["kind"] not in {"ServiceMonitor", "PrometheusRule"}]
    done = server.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(known)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(known)
    assert "would violate PodSecurity" not in done.stderr


@pytest.mark.usefixtures("namespaces")
def test_every_object_of_the_manifests_is_valid(server: Server) -> None:
    done = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", str(ROOT / "manifests"))
    assert done.returncode == 0, done.stderr
    assert "would violate PodSecurity" not in done.stderr


@pytest.mark.usefixtures("namespaces")
def test_the_operators_pod_is_admitted_where_restricted_is_enforced(server: Server) -> None:
    template = only(render(namespace=NAMESPACE), "Deployment")["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", **template["metadata"]},
        "spec": template["spec"],
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    pod["spec"].pop("serviceAccountName")
    code, answer = server.call("POST", path, pod, dryRun="All")
    assert code == 201, answer["message"]
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    code, answer = server.call("POST", path, pod, dryRun="All")
    assert code == 403
    assert "restricted" in answer["message"]


AUDIENCE = "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c"


AFFINITY = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}}
        ]
    }
}
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "sync"}},
}


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("fixed", [True, False], ids=["fixed user", "user of the cluster"])
def test_a_sync_pod_with_all_that_can_be_in_it_is_admitted_where_restricted_is_enforced(
    server: Server, fixed: bool
) -> None:
    spec = {
        "schedule": "0 4 * * *",
        "workspaces": [
            {"name": "federated", "credentialsSecretRef": {"name": "acme-google"}},
            {"name": "person", "oauthSecretRef": {"name": "acme-oauth"}},
            {"name": "own", "credentials": "Ambient"},
        ],
        "destination": {"secretRef": {"name": "warehouse"}},
    }
    metadata = {"name": "marketing", "namespace": NAMESPACE, "uid": "u", "generation": 1}
    launch = Launch(
        "marketing-1", "29400000", datetime(2026, 11, 26, 4, tzinfo=UTC), "Cron", attempt=1, launch=1
    )
    job = manifest.job(
        launch,
        parse_schedule({"metadata": metadata, "spec": spec}),
        Settings(
            sync_identity_token_audience=AUDIENCE,
            sync_ca_config_map="company-ca",
            sync_affinity=AFFINITY,
            sync_topology_spread_constraints=[SPREAD],
            sync_pod_labels={"team": "data"},
            sync_run_as_fixed_user=fixed,
        ),
    )
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sync", **job["spec"]["template"]["metadata"]},
        "spec": job["spec"]["template"]["spec"],
    }
    code, answer = server.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", pod, dryRun="All")
    assert code == 201, answer["message"]
    assert {volume["name"] for volume in answer["spec"]["volumes"]} == {
        "credentials-0", "credentials-1", "destination", "switch", "identity", "ca-bundle", "tmp",
    }, "and no token for the API server was added"  # fmt: skip


@pytest.mark.usefixtures("namespaces")
def test_an_identity_token_is_no_good_at_the_api_server(server: Server) -> None:
    made = server.kubectl("create", "token", "default", "-n", NAMESPACE, f"--audience={AUDIENCE}")
    assert made.returncode == 0, made.stderr

    def review(**asked: Any) -> dict[str, Any]:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": made.stdout.strip(), **asked},
        }
        return dict(server.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)[1]["status"])

    assert not review().get("authenticated")
    assert review(audiences=[AUDIENCE])["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:default"


@pytest.fixture(scope="module")
def installed(server: Server, namespaces: None) -> Iterator[str]:
    """The release, installed by helm; its operator's user name."""
    done = server.helm("install", "gsc", str(CHART), "--namespace", NAMESPACE, "--take-ownership")
    assert done.returncode == 0, done.stderr
    yield f"system:serviceaccount:{NAMESPACE}:gsc-gsc-sync-operator"
    server.helm("uninstall", "gsc", "--namespace", NAMESPACE, "--wait")


def allowed(
    server: Server, user: str, namespace: str, verb: str, group: str, resource: str, subresource: str = ""
) -> bool:
    attributes = {
        "namespace": namespace,
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }
    return bool(
        server.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)[1]["status"][
            "allowed"
        ]
    )


def test_the_operator_may_do_what_it_needs_in_its_namespace_alone(server: Server, installed: str) -> None:
    for group, resource, subresource, verbs in NEEDS:
        for verb in verbs:
            assert allowed(server, installed, NAMESPACE, verb, group, resource, subresource), (verb, resource)
            assert not allowed(server, installed, "seo", verb, group, resource, subresource), (verb, resource)


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "patch", "delete"])
def test_the_operator_may_not_touch_secrets_or_specs(server: Server, installed: str, verb: str) -> None:
    assert not allowed(server, installed, NAMESPACE, verb, "", "secrets")
    assert not allowed(server, installed, NAMESPACE, "create", "", "pods", "exec")
    assert not allowed(server, installed, NAMESPACE, "impersonate", "", "serviceaccounts")
    if verb in {"create", "update", "patch", "delete"}:
        assert not allowed(server, installed, NAMESPACE, verb, "gscsync.io", "gscsyncschedules")


def test_a_second_upgrade_changes_nothing(server: Server, installed: str) -> None:
    def generations() -> str:
        listed = server.kubectl(
            "get", "deployment,service,role,rolebinding,networkpolicy", "-n", NAMESPACE, "-o", "json"
        ).stdout
        return json.dumps(
            [
                (i["kind"], i["metadata"]["name"], i["metadata"].get("generation"))
                for i in json.loads(listed)["items"]
            ]
        )

    before = generations()
    done = server.helm("upgrade", "gsc", str(CHART), "--namespace", NAMESPACE)
    assert done.returncode == 0, done.stderr
    assert generations() == before


def test_the_release_can_be_removed_and_schedules_stay(server: Server) -> None:
    server.kubectl("create", "namespace", "short")
    done = server.helm("install", "brief", str(CHART), "--namespace", "short", "--take-ownership")
    assert done.returncode == 0, done.stderr
    sample = server.kubectl("apply", "-n", "short", "-f", str(ROOT / "manifests" / "samples" / "daily.yaml"))
    assert sample.returncode == 0, sample.stderr
    assert server.helm("uninstall", "brief", "--namespace", "short", "--wait").returncode == 0
    assert "daily" in server.kubectl("get", "gscsyncs", "-n", "short", "-o", "name").stdout
    gone = server.kubectl("delete", "gscsync", "daily", "-n", "short", "--timeout=20s")
    assert gone.returncode == 0, "no finalizer holds it"


def test_everybody_with_view_may_read_schedules_when_asked_for(server: Server) -> None:
    roles = of_kind(render("--set", "rbac.aggregateClusterRoles=true", namespace=NAMESPACE), "ClusterRole")
    assert len(roles) == 2
    done = server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(roles))
    assert done.returncode == 0, done.stderr
