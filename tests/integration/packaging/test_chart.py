"""The chart: least rights, restricted pods, values that refuse typos, names that the operator understands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.cluster.kube import NEEDS
from controller.model.policy import Site
from controller.settings import PREFIX, Settings, load
from controller.watch.switch import NAME as SWITCH
from tests.unit.packaging.shared import CHART, CI_VALUES, crd, helm, of_kind, only, render

RBAC = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def values(name: str) -> tuple[str, str]:
    return "-f", str(CHART / "ci" / f"{name}-values.yaml")


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", f"from {item.get('valueFrom')}") for item in container["env"]}


@pytest.mark.parametrize("file", [None, *CI_VALUES], ids=lambda file: file.stem if file else "defaults")
def test_it_lints_and_renders(file: Path | None) -> None:
    arguments = ["-f", str(file)] if file else []
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), *arguments).stdout
    objects = render(*arguments)
    assert only(objects, "Deployment")
    for item in objects:
        if item["kind"] not in {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}:
            assert item["metadata"]["namespace"], "an explicit namespace"
        if item["kind"] != "CustomResourceDefinition":
            assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "gsc"


def test_the_operators_rights_are_exactly_these() -> None:
    role = only(render(), "Role", "operator")
    assert role["rules"] == [
        {"apiGroups": ["gscsync.io"], "resources": ["gscsyncschedules"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["gscsync.io"], "resources": ["gscsyncschedules/status"], "verbs": ["patch"]},
        {"apiGroups": ["gscsync.io"], "resources": ["gscsyncschedules/finalizers"], "verbs": ["update"]},
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "verbs": ["get", "list", "watch", "create", "delete"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    ]
    assert only(render(), "Role", "switch")["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [SWITCH], "verbs": ["get"]}
    ]
    lease = only(render(), "Role", "lease")
    assert [rule["verbs"] for rule in lease["rules"]] == [["create"], ["get", "update"]]
    assert lease["rules"][1]["resourceNames"] == [environment(render())["GSC_OPERATOR_LEASE_NAME"]]


def test_the_operator_has_what_it_says_it_needs() -> None:
    granted = {
        (group, resource, verb)
        for rule in only(render(), "Role", "operator")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {
        (group, f"{resource}/{subresource}" if subresource else resource, verb)
        for group, resource, subresource, verbs in NEEDS
        for verb in verbs
    }
    assert needed <= granted
    assert granted - needed == {("gscsync.io", "gscsyncschedules/finalizers", "update")}


@pytest.mark.parametrize("file", [None, *CI_VALUES], ids=lambda file: file.stem if file else "defaults")
def test_no_rule_touches_secrets_or_uses_wildcards(file: Path | None) -> None:
    for role in of_kind(render(*(["-f", str(file)] if file else [])), "Role", "ClusterRole"):
        text = json.dumps(role["rules"])
        for word in ("secrets", "*", "exec", "escalate", "bind", "impersonate", "token"):
            assert f'"{word}"' not in text


def test_namespaced_installs_have_no_cluster_scoped_rights() -> None:
    objects = render("--set", "watchNamespaces={seo,marketing}")
    assert of_kind(objects, "ClusterRole", "ClusterRoleBinding") == []
    roles = [
        role["metadata"]["namespace"]
        for role in of_kind(objects, "Role")
        if not role["metadata"]["name"].endswith(("-lease", "-switch"))
    ]
    assert roles == ["seo", "marketing"]
    accounts = {
        (item["metadata"]["name"], item["metadata"]["namespace"])
        for item in of_kind(objects, "ServiceAccount")
    }
    sync = environment(objects)["GSC_OPERATOR_SYNC_SERVICE_ACCOUNT"]
    assert {(sync, "seo"), (sync, "marketing")} <= accounts


def test_cluster_wide_is_asked_for_and_warned_about() -> None:
    objects = render(*values("cluster-wide"))
    role = only(objects, "ClusterRole")
    assert role["rules"] == only(render(), "Role", "operator")["rules"]
    assert environment(objects)["GSC_OPERATOR_NAMESPACES"] == "*"
    assert environment(objects)["GSC_OPERATOR_SYNC_SERVICE_ACCOUNT"] == "", (
        "no account that other namespaces lack"
    )
    notes = helm("install", "gsc", str(CHART), "--dry-run=client", *values("cluster-wide")).stdout
    assert "WARNING: clusterWide is on" in notes


@pytest.mark.parametrize("file", [None, *CI_VALUES], ids=lambda file: file.stem if file else "defaults")
def test_the_operator_understands_every_setting(file: Path | None) -> None:
    given = environment(render(*(["-f", str(file)] if file else [])))
    names = {name.removeprefix(PREFIX).lower() for name in given if name.startswith(PREFIX)}
    assert names <= set(Settings.model_fields)
    assert set(Settings.model_fields) - names == {"bind", "kubeconfig"}, (
        "every other setting can be set by the chart"
    )
    settings = load({name: value for name, value in given.items() if "from" not in value})
    assert settings.metrics_port == 8080
    assert settings.health_port == 8081


def test_values_reach_the_settings() -> None:
    settings = load(environment(render(*values("all-on"))))
    assert settings.namespaces == ("seo", "marketing")
    assert settings.sync_image_pull_secrets == ("login", "other-login")
    assert settings.sync_env == {"HTTPS_PROXY": "http://proxy.example:3128"}
    assert settings.sync_tolerations == [{"key": "dedicated", "operator": "Exists"}]
    assert list(settings.sync_affinity) == ["nodeAffinity"]
    assert [each["topologyKey"] for each in settings.sync_topology_spread_constraints] == [
        "kubernetes.io/hostname"
    ]
    assert settings.sync_priority_class == "batch-low"
    assert settings.sync_pod_labels == {"team": "data"}
    assert settings.sync_pod_annotations == {"sidecar.istio.io/inject": "false"}
    assert (settings.sync_ca_config_map, settings.sync_ca_key) == ("company-ca", "bundle.pem")
    assert (settings.sync_ca_google, settings.sync_ca_postgres) == (True, False)
    assert settings.sync_run_as_fixed_user is True
    assert settings.log_level == "DEBUG"
    assert settings.site == Site("production", ambient=True)
    assert settings.sync_identity_token_audience.endswith("/providers/c")
    assert settings.environment == "production"


def test_defaults_of_chart_and_operator_agree() -> None:
    ours, theirs = Settings(), load({k: v for k, v in environment(render()).items() if "from" not in v})
    differing = {name for name in Settings.model_fields if getattr(ours, name) != getattr(theirs, name)}
    assert differing == {
        "namespaces", "instance", "lease_name", "sync_image", "sync_service_account", "metrics_port", "health_port",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "operator", "sync"),
    [
        pytest.param([], "gsc-sync-operator:0.1.0", "gsc-sync-operator:0.1.0", id="defaults"),
        pytest.param(["image.tag=v9"], "gsc-sync-operator:v9", "gsc-sync-operator:v9", id="tag"),
        pytest.param(
            ["image.tag=v9", f"image.digest=sha256:{'a' * 64}"],
            f"gsc-sync-operator@sha256:{'a' * 64}",
            f"gsc-sync-operator@sha256:{'a' * 64}",
            id="digest beats tag",
        ),
        pytest.param(
            [f"image.digest=sha256:{'a' * 64}", "sync.image.tag=v7"],
            f"gsc-sync-operator@sha256:{'a' * 64}",
            "gsc-sync-operator:v7",
            id="the sync's own tag beats the operator's digest",
        ),
        pytest.param(
            ["global.imageRegistry=r.example", "image.repository=a/b"],
            "r.example/a/b:0.1.0",
            "r.example/a/b:0.1.0",
            id="registry",
        ),
        pytest.param(
            ["global.imageRegistry=r.example", "image.registry=own.example"],
            "own.example/gsc-sync-operator:0.1.0",
            "own.example/gsc-sync-operator:0.1.0",
            id="own registry beats the global one",
        ),
        pytest.param(
            ["image.repository=localhost/gsc-sync-operator", "image.tag=dev"],
            "localhost/gsc-sync-operator:dev",
            "localhost/gsc-sync-operator:dev",
            id="repository with a host",
        ),
    ],
)
def test_images(settings: list[str], operator: str, sync: str) -> None:
    objects = render(*(part for setting in settings for part in ("--set", setting)))
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == operator
    assert environment(objects)["GSC_OPERATOR_SYNC_IMAGE"] == sync


@pytest.mark.parametrize(
    "wrong",
    [
        "imgae.tag=1", "image.tagg=1", "image.tag=a b", "image.digest=sha256:12", "image.pullPolicy=Sometimes", "image.repository=",
        "replicaCount=-1", "replicaCount=two", "replicaCount=99", "watchNamespaces=seo", "watchNamespaces={Not_A_Name}",
        "watchNamespaces={seo,seo}", "clusterWide=yes", "crds.enable=true", "crds.keep=1", "rbac.create=maybe",
        "serviceAccount.automount=true", "strategy.type=BlueGreen", "operator.logLevel=LOUD", "operator.loglevel=INFO",
        "operator.leaseSeconds=0", "operator.maxInFlight=0", "operator.resyncSeconds=1", "sync.concurrency=0",
        "sync.concurrency=ten", "sync.requestsPerSecond=0", "sync.requestsPerSecondPerIdentity=0", "sync.requestsPerMinutePerProject=few", "sync.loadCooldownSeconds=0", "sync.command=sh",
        "sync.maxResources.gpu=1", "sync.maxResources.memory=lots", "sync.defaultResources.limits.memory=1Q",
        "sync.image.pullPolicy=Sometimes", "sync.volumes=x", "health.port=0", "health.port=70000",
        "health.livenessProbe.httpGet=x", "metrics.port=http", "metrics.service.type=LoadBalancer",
        "metrics.serviceMonitor.interval=often", "networkPolicy.postgresPorts=5432", "networkPolicy.postgresPorts={99999}",
        "networkPolicy.apiServerPorts={}", "podDisruptionBudget.maxUnavailable=0", "tests.enabled=2", "imagePullSecrets=login",
        "nameOverride=Under_score", "fullnameOverride=-x", "extraEnv.BAD-NAME=x", "podLabels.a.b=c", "password=hunter2",
        "database.password=hunter2", "sync.ambientCredentials=maybe", "sync.identityToken.audience=a b",
        "sync.identityToken.audience=https://kubernetes.default.svc", "sync.identityToken.path=/x",
        "runAsFixedUser=maybe", "sync.affinity={a}", "sync.topologySpreadConstraints=a", "sync.priorityClassName=Very_High",
        "sync.podLabels.team=no spaces", "sync.podLabels.bad/key/name=x", "sync.podAnnotations=x", "sync.podAnnotations.a.b=c",
        "sync.caBundle=company-ca", "sync.caBundle.configMap=Not_A_Name", "sync.caBundle.key=../x", "sync.caBundle.secret=x",
        "sync.caBundle.google=no", "networkPolicy.dnsPorts={}", "networkPolicy.dnsPorts={99999}",
    ],
)  # fmt: skip
def test_wrong_values_are_refused_with_the_place(wrong: str) -> None:
    done = helm("template", "gsc", str(CHART), "--set", wrong)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert re.search(r"- at '[^']*'", done.stderr)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param(
            ["operator.leaderElection=false", "replicaCount=2"],
            "Set replicaCount to 1, or leaderElection to true.",
            id="replicas without a lease",
        ),
        pytest.param(
            ["clusterWide=true", "watchNamespaces={seo}"],
            "Set clusterWide to false, or leave watchNamespaces empty.",
            id="all namespaces and some",
        ),
        pytest.param(
            ["metrics.serviceMonitor.enabled=true", "metrics.service.enabled=false"],
            "metrics.serviceMonitor.enabled needs metrics.service.enabled",
            id="a monitor of no service",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_the_way_out(
    settings: list[str], said: str
) -> None:
    done = helm("template", "gsc", str(CHART), *(part for setting in settings for part in ("--set", setting)))
    assert done.returncode != 0
    assert said in done.stderr
    for setting in settings:
        assert render("--set", setting), "each alone is allowed"


def test_umbrella_charts_may_add_global_values_and_enabled() -> None:
    assert render("--set", "global.other.thing=1", "--set", "enabled=true")


def test_it_works_as_a_sub_chart(tmp_path: Path) -> None:
    umbrella = tmp_path / "umbrella"
    (umbrella / "charts").mkdir(parents=True)
    (umbrella / "Chart.yaml").write_text("apiVersion: v2\nname: umbrella\nversion: 1.0.0\n")
    (umbrella / "values.yaml").write_text(
        "global: {imageRegistry: r.example}\ngsc-sync-operator: {enabled: true}\n"
    )
    (umbrella / "charts" / "gsc-sync-operator").symlink_to(CHART)
    done = helm("template", "all", str(umbrella))
    assert done.returncode == 0, done.stderr
    assert "r.example/gsc-sync-operator:0.1.0" in done.stdout


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found = {}
    for key, value in tree.items():
        found[(*path, key)] = value
        if isinstance(value, dict) and value:
            found.update(leaves(value, (*path, key)))
    return found


def test_every_value_has_a_comment() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    opaque = {
        "rollingUpdate",
        "maxSurge",
        "maxUnavailable",
        "requests",
        "limits",
        "cpu",
        "memory",
        "type",
        "drop",
    }
    explained_together = {
        "strategy", "resources", "podSecurityContext", "securityContext", "livenessProbe", "readinessProbe", "defaultResources",
        "maxResources",
    }  # fmt: skip
    stack: list[tuple[int, str]] = []
    bare = []
    for number, line in enumerate(lines):
        match = re.match(r"^( *)([A-Za-z]+):", line)
        if not match:
            continue
        indent, key = len(match[1]), match[2]
        stack = [(depth, name) for depth, name in stack if depth < indent]
        inside = {name for _, name in stack} & explained_together
        groups = {
            "image",
            "service",
            "serviceMonitor",
            "prometheusRule",
            "dashboard",
            "serviceAccount",
            "crds",
            "rbac",
        }
        if not inside and not lines[number - 1].strip().startswith("#") and key not in groups | opaque:
            bare.append(line)
        stack.append((indent, key))
    assert bare == []


def test_every_value_is_in_the_schema_and_every_schema_field_has_a_value() -> None:
    def properties(node: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found = set()
        for key, child in node.get("properties", {}).items():
            found |= {(*path, key)} | properties(child, (*path, key))
        return found

    known = properties(SCHEMA)
    given = set(leaves(VALUES))
    open_objects = {
        "resources",
        "podSecurityContext",
        "securityContext",
        "strategy",
        "defaultResources",
        "maxResources",
    }
    assert {path for path in given - known if not open_objects & set(path)} == set()
    optional = {("enabled",)}
    probes = {"initialDelaySeconds", "successThreshold"}
    missing = {path for path in known - given if path[-1] not in probes and not open_objects & set(path)}
    assert missing == optional


def test_no_value_takes_a_secret() -> None:
    sounding = {
        path
        for path in leaves(VALUES)
        if re.search(r"password|token|credential|secretkey", path[-1], re.IGNORECASE)
    }
    assert sounding == {("sync", "ambientCredentials"), ("sync", "identityToken")}
    assert VALUES["sync"]["ambientCredentials"] is False, "a switch"
    assert VALUES["sync"]["identityToken"] == {"audience": ""}, "a name: the kubelet makes the token"


def test_a_disruption_budget_never_blocks_the_drain_of_a_single_replica() -> None:
    assert of_kind(render(), "PodDisruptionBudget") == []
    assert of_kind(render("--set", "replicaCount=2"), "PodDisruptionBudget")


@pytest.mark.parametrize(
    "setting", ["fullnameOverride", "nameOverride", ""], ids=["full name", "name", "release"]
)
def test_long_names_are_cut(setting: str) -> None:
    override = ["--set", f"{setting}={'n' * 63}"] if setting else []
    objects = render(*override, "--set", "replicaCount=2", release="r" * 53)
    for item in of_kind(
        objects, "Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "Pod", "NetworkPolicy"
    ):
        assert len(item["metadata"]["name"]) <= 63
        assert all(len(str(value)) <= 63 for value in item["metadata"]["labels"].values())


def test_two_releases_do_not_clash() -> None:
    def names(release: str) -> set[tuple[str, str]]:
        return {
            (item["kind"], item["metadata"]["name"])
            for item in render("--set", "crds.enabled=false", release=release)
        }

    assert names("one") & names("two") == set()


def test_rendering_twice_gives_the_same() -> None:
    once, again = (helm("template", "gsc", str(CHART), *values("all-on")).stdout for _ in range(2))
    assert once == again


def test_the_pod_is_restricted_and_gets_its_token_by_an_explicit_volume() -> None:
    pod = only(render(), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"/var/run/secrets/kubernetes.io/serviceaccount", "/tmp"}
    assert {"requests", "limits"} <= set(container["resources"])
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    for account in of_kind(render(), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_where_the_cluster_gives_user_and_group_no_pod_names_one() -> None:
    """The SCC restricted-v2 of OpenShift refuses an id that is not of the namespace's range."""

    def contexts(*more: str) -> list[dict[str, Any]]:
        objects = render(*more)
        deployment, test = only(objects, "Deployment"), only(objects, "Pod", "test")
        return [deployment["spec"]["template"]["spec"]["securityContext"], test["spec"]["securityContext"]]

    fixed = contexts()
    assert [(it["runAsUser"], it["runAsGroup"], it["fsGroup"]) for it in fixed] == [(65532, 65532, 65532)] * 2
    given = contexts(*values("openshift"))
    assert given == [{"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}] * 2
    settings = load(environment(render(*values("openshift"))))
    assert settings.sync_run_as_fixed_user is False


def test_the_ports_of_dns_behind_its_service_can_be_opened() -> None:
    for policy in of_kind(render(*values("openshift")), "NetworkPolicy"):
        assert policy["spec"]["egress"][0]["ports"] == [
            {"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("UDP", "TCP")
        ]


def test_network_policies_open_only_what_is_needed() -> None:
    objects = render("--set", "networkPolicy.postgresPorts={6432}")
    ports = {
        item["metadata"]["labels"]["app.kubernetes.io/component"]: sorted(
            {port["port"] for rule in item["spec"]["egress"] for port in rule["ports"]}
        )
        for item in of_kind(objects, "NetworkPolicy")
    }
    assert ports == {"operator": [53, 443, 6443], "sync": [53, 443, 6432]}
    sync = only(objects, "NetworkPolicy", "sync")["spec"]
    assert "Ingress" in sync["policyTypes"]
    assert "ingress" not in sync, "nobody may connect to a sync"


def test_the_metadata_server_can_be_reached_where_ambient_credentials_are_allowed() -> None:
    rules = only(render("--set", "sync.ambientCredentials=true"), "NetworkPolicy", "sync")["spec"]["egress"]
    assert [
        (rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"]) for rule in rules if "to" in rule
    ] == [
        ("169.254.169.254/32", 80),
        ("169.254.169.252/32", 988),
    ]
    closed = only(render(), "NetworkPolicy", "sync")["spec"]["egress"]
    assert not any("to" in rule for rule in closed)


def test_who_may_read_the_metrics_can_be_restricted_and_helm_test_still_may() -> None:
    def sources(*more: str) -> list[dict[str, Any]] | None:
        objects = render(
            "--set", "networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus", *more
        )
        (rule,) = [
            rule
            for policy in of_kind(objects, "NetworkPolicy")
            for rule in policy["spec"].get("ingress", [])
            if rule["ports"][0]["port"] == 8080
        ]
        for pod in of_kind(objects, "Pod"):
            labels = rule["from"][1]["podSelector"]["matchLabels"].items()
            assert labels <= pod["metadata"]["labels"].items()
        return rule.get("from")

    given = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    both = sources() or []
    assert both[0] == given
    assert both[1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    assert len(both) == 2
    assert sources("--set", "tests.enabled=false") == [given]
    assert sources("--set", "metrics.service.enabled=false") == [given], (
        "without the Service there is no test"
    )
    open_to_all = only(render(), "NetworkPolicy", "sync-operator")["spec"]["ingress"]
    assert all("from" not in rule for rule in open_to_all)


def test_prometheus_keeps_the_namespace_that_a_series_names() -> None:
    (endpoint,) = only(render(*values("all-on")), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True


def test_common_labels_are_on_every_object_and_on_the_operators_pods() -> None:
    objects = render("--set", "commonLabels.team=data,commonLabels.tier=one,podLabels.tier=two")
    assert [item["kind"] for item in objects if item["metadata"]["labels"].get("team") != "data"] == []
    deployment = only(objects, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert (labels["team"], labels["tier"]) == ("data", "two"), "the pod's own beat those of all"
    assert "team" not in deployment["spec"]["selector"]["matchLabels"], "a selector cannot be changed"
    taken = render("--set", r"podLabels.app\.kubernetes\.io/name=else,commonLabels.a=b")
    labels = only(taken, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "gsc-sync-operator", "what the selector needs stays"


@pytest.mark.parametrize(
    ("keep", "annotations"), [("true", {"helm.sh/resource-policy": "keep"}), ("false", None)]
)
def test_the_definition_is_the_one_of_the_repository(keep: str, annotations: dict[str, str] | None) -> None:
    rendered = only(render("--set", f"crds.keep={keep}"), "CustomResourceDefinition")
    assert rendered["metadata"].pop("annotations", None) == annotations
    assert rendered == crd()
    assert of_kind(render("--set", "crds.enabled=false"), "CustomResourceDefinition") == []


def test_the_notes_name_the_next_steps() -> None:
    done = helm("install", "gsc", str(CHART), "--dry-run=client", "--namespace", "data")
    for step in (
        "rollout status deployment/gsc-gsc-sync-operator",
        "kubectl -n data logs deployment/gsc-gsc-sync-operator | grep operator.problem",
        "at port 5432; name others in networkPolicy.postgresPorts",
        "create secret generic warehouse",
        "get gscsyncs -w",
    ):
        assert step in done.stdout
