"""The Job: what the pod gets, what it must never get, and that a schedule cannot change either."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contract import RunSpec
from controller.act import manifest
from controller.act.quantity import amount, capped, resources
from controller.model.decision import Launch
from controller.model.parse import parse_schedule
from controller.settings import Settings
from tests.unit.controller.conftest import schedule_body

SLOT = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
LAUNCH = Launch("marketing-1", "29400000", SLOT, "Cron", attempt=2, launch=3)
SETTINGS = Settings(sync_image="registry.example/sync:1", sync_service_account="sync")


def schedule(**spec):
    body = schedule_body(**spec)
    body["metadata"] |= {
        "uid": "uid-1",
        "resourceVersion": "7",
        "generation": 1,
        "creationTimestamp": "2026-11-01T00:00:00Z",
    }
    return parse_schedule(body)


def pod(job: dict) -> dict:
    return job["spec"]["template"]["spec"]


def environment(job: dict) -> dict[str, str]:
    return {it["name"]: it["value"] for it in pod(job)["containers"][0]["env"]}


def work_order(job: dict) -> RunSpec:
    return RunSpec.from_json(environment(job)["GSC_SYNC_RUN_SPEC"].replace("$$", "$"))


def test_the_job_runs_one_pod_once_and_ends_in_bounded_time() -> None:
    job = manifest.job(LAUNCH, schedule(timeoutSeconds=600, pendingDeadlineSeconds=300), SETTINGS)
    spec = job["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert spec["activeDeadlineSeconds"] == 300 + 600 + 30
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["ttlSecondsAfterFinished"] == 86_400
    assert "podFailurePolicy" not in spec
    assert pod(job)["restartPolicy"] == "Never"
    assert pod(job)["terminationGracePeriodSeconds"] == 30


def test_the_job_belongs_to_its_schedule_and_says_what_it_is() -> None:
    meta = manifest.job(LAUNCH, schedule(), SETTINGS)["metadata"]
    assert meta["ownerReferences"] == [
        {
            "apiVersion": "gscsync.io/v1beta1",
            "kind": "GscSyncSchedule",
            "name": "marketing",
            "uid": "uid-1",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert (meta["name"], meta["namespace"]) == ("marketing-1", "team")
    assert meta["labels"]["gscsync.io/schedule"] == "marketing"
    assert meta["labels"]["gscsync.io/slot"] == str(int(SLOT.timestamp()) // 60)
    assert meta["labels"]["gscsync.io/run"] == "29400000"
    assert meta["labels"]["gscsync.io/attempt"] == "2"
    assert meta["labels"]["gscsync.io/launch"] == "3"
    assert meta["labels"]["gscsync.io/trigger"] == "Cron"
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "gsc-sync-operator"
    assert all(len(value) <= 63 for value in meta["labels"].values())


def test_the_pod_carries_the_jobs_labels_so_that_its_facts_are_watched() -> None:
    job = manifest.job(LAUNCH, schedule(), SETTINGS)
    assert job["spec"]["template"]["metadata"]["labels"] == job["metadata"]["labels"]


def test_the_pod_passes_the_restricted_standard_and_cannot_reach_the_api_server() -> None:
    spec = pod(manifest.job(LAUNCH, schedule(), SETTINGS))
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65_532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] == "sync"
    assert container["command"] == ["python", "-m", "sync", "run"]
    assert container["terminationMessagePolicy"] == "File"
    assert (
        environment({"spec": {"template": {"spec": spec}}})["GSC_SYNC_SUMMARY_PATH"]
        == container["terminationMessagePath"]
    )


def test_the_work_order_says_which_launch_of_what() -> None:
    spec = work_order(
        manifest.job(
            LAUNCH, schedule(window={"days": 3, "dataState": "Final", "maxCatchUpDays": 90}), SETTINGS
        )
    )
    assert (spec.schedule_uid, spec.namespace, spec.name) == ("uid-1", "team", "marketing")
    assert (spec.run_id, spec.slot, spec.attempt, spec.launch, spec.trigger) == (
        "29400000",
        SLOT,
        2,
        3,
        "Cron",
    )
    assert (spec.window.days, spec.window.data_state, spec.window.max_catch_up_days) == (3, "Final", 90)
    assert spec.limits.concurrency == SETTINGS.sync_concurrency
    assert (
        spec.workspaces[0].credentials_hint
        == "Secret 'acme-google' key 'credentials.json' in namespace 'team'"
    )
    assert "Secret 'warehouse'" in spec.destination.hint


def test_the_work_order_says_what_is_synced_and_what_it_may_cost() -> None:
    asked = {
        "searchTypes": ["web", "discover"],
        "dimensionSets": ["page-query", "totals"],
        "splitRequestsPerCell": 60,
        "inventory": ["sitemaps"],
    }
    spec = work_order(manifest.job(LAUNCH, schedule(**asked), SETTINGS))
    assert (spec.search_types, spec.dimension_sets) == (["web", "discover"], ["page-query", "totals"])
    assert (spec.limits.split_requests_per_cell, spec.inventory) == (60, ["sitemaps"])
    assert work_order(manifest.job(LAUNCH, schedule(), SETTINGS)).limits.split_requests_per_cell == 0


def test_each_credential_is_mounted_alone_and_may_be_missing() -> None:
    workspaces = [
        {"name": name, "credentialsSecretRef": {"name": secret, "key": key}}
        for name, secret, key in (("a", "one", "k1"), ("b", "one", "k2"), ("c", "one", "k1"))
    ]
    job = manifest.job(LAUNCH, schedule(workspaces=workspaces), SETTINGS)
    volumes = {it["name"]: it for it in pod(job)["volumes"]}
    secrets = [it["secret"] for it in volumes.values() if "secret" in it]
    assert all(
        secret["optional"] and secret["items"] and secret["defaultMode"] == 0o440 for secret in secrets
    )
    assert [item["key"] for secret in secrets for item in secret["items"]][:2] == ["k1", "k2"]
    assert len(volumes) == 2 + 3, "two keys, the destination, the switch, and room for temporary files"
    paths = [workspace.credentials_path for workspace in work_order(job).workspaces]
    assert paths[0] == paths[2] != paths[1]
    mounts = {it["mountPath"]: it for it in pod(job)["containers"][0]["volumeMounts"]}
    for path in paths:
        mount = mounts[path.rsplit("/", 1)[0]]
        assert mount["readOnly"]
        assert volumes[mount["name"]]["secret"]["items"][0]["path"] == path.rsplit("/", 1)[1]


def test_an_oauth_client_is_a_directory_of_its_three_keys() -> None:
    workspaces = [
        {"name": "a", "oauthSecretRef": {"name": "client"}},
        {"name": "b", "credentialsSecretRef": {"name": "client"}},
    ]
    job = manifest.job(LAUNCH, schedule(workspaces=workspaces), SETTINGS)
    oauth, file = work_order(job).workspaces
    mounts = {it["mountPath"]: it["name"] for it in pod(job)["containers"][0]["volumeMounts"]}
    volumes = {it["name"]: it for it in pod(job)["volumes"]}
    secret = volumes[mounts[oauth.credentials_path]]["secret"]
    assert (secret["secretName"], secret["optional"]) == ("client", True)
    assert [item["path"] for item in secret["items"]] == ["client_id", "client_secret", "refresh_token"]
    assert "'client_id', 'client_secret', 'refresh_token'" in oauth.credentials_hint
    assert file.credentials_path.rsplit("/", 1)[0] != oauth.credentials_path, "one Secret, two sources"


AUDIENCE = "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c"
IDENTITY = Settings(sync_identity_token_audience=AUDIENCE)


def test_an_identity_token_for_one_audience_is_mounted_where_the_installation_says_so() -> None:
    job = manifest.job(LAUNCH, schedule(), IDENTITY)
    volume = next(it for it in pod(job)["volumes"] if it["name"] == "identity")
    assert volume["projected"] == {
        "defaultMode": 0o440,
        "sources": [
            {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}}
        ],
    }
    mount = next(it for it in pod(job)["containers"][0]["volumeMounts"] if it["name"] == "identity")
    assert mount == {"name": "identity", "mountPath": "/var/run/gsc-sync/identity", "readOnly": True}
    assert environment(job)["GSC_SYNC_IDENTITY_TOKEN_PATH"] == "/var/run/gsc-sync/identity/token"
    assert pod(job)["automountServiceAccountToken"] is False, "the API server's token stays away"


def test_without_an_audience_or_somebody_to_use_it_there_is_no_identity_token() -> None:
    oauth = schedule(workspaces=[{"name": "a", "oauthSecretRef": {"name": "client"}}])
    for job in (manifest.job(LAUNCH, schedule(), SETTINGS), manifest.job(LAUNCH, oauth, IDENTITY)):
        assert not any("projected" in volume for volume in pod(job)["volumes"])
        assert "GSC_SYNC_IDENTITY_TOKEN_PATH" not in environment(job)


def test_the_path_of_the_mounted_token_is_not_the_environments_to_say() -> None:
    env = {"GSC_SYNC_IDENTITY_TOKEN_PATH": "/etc/passwd"}
    mounted = manifest.job(LAUNCH, schedule(), Settings(sync_identity_token_audience=AUDIENCE, sync_env=env))
    assert environment(mounted)["GSC_SYNC_IDENTITY_TOKEN_PATH"] == "/var/run/gsc-sync/identity/token"
    names = [it["name"] for it in pod(mounted)["containers"][0]["env"]]
    assert len(names) == len(set(names))


def test_the_identity_of_the_pod_needs_no_secret() -> None:
    workspaces = [
        {"name": "own", "credentials": "Ambient", "properties": {"include": ["sc-domain:acme.com"]}},
        {"name": "key", "credentialsSecretRef": {"name": "one"}},
    ]
    job = manifest.job(LAUNCH, schedule(workspaces=workspaces), SETTINGS)
    own, key = work_order(job).workspaces
    assert (own.credentials, own.credentials_path, own.subject) == ("Ambient", None, None)
    assert own.properties.include == ["sc-domain:acme.com"]
    assert (key.credentials, key.credentials_path) == (None, "/var/run/gsc-sync/credentials-0/credentials")
    assert [it["name"] for it in pod(job)["volumes"] if "secret" in it] == ["credentials-0", "destination"]
    assert pod(job)["automountServiceAccountToken"] is False


def test_the_destination_is_a_directory_of_the_keys_that_matter() -> None:
    job = manifest.job(LAUNCH, schedule(), SETTINGS)
    volume = next(it for it in pod(job)["volumes"] if it["name"] == "destination")
    assert [item["key"] for item in volume["secret"]["items"]] == [
        "uri", "host", "port", "dbname", "user", "password", "sslmode", "ca.crt",
    ]  # fmt: skip
    assert work_order(job).destination.path in {
        it["mountPath"] for it in pod(job)["containers"][0]["volumeMounts"]
    }


def test_patterns_that_look_like_variables_reach_the_sync_unexpanded() -> None:
    workspace = {
        "name": "a",
        "credentialsSecretRef": {"name": "one", "key": "k"},
        "properties": {"include": ["https://$(HOME).example/$$x"]},
    }
    job = manifest.job(LAUNCH, schedule(workspaces=[workspace]), SETTINGS)
    raw = environment(job)["GSC_SYNC_RUN_SPEC"]
    assert "$(" not in raw.replace("$$", "")
    assert work_order(job).workspaces[0].properties.include == ["https://$(HOME).example/$$x"]


def test_the_installation_adds_variables_but_not_the_contracts_own() -> None:
    settings = Settings(sync_env={"HTTPS_PROXY": "http://proxy", "GSC_SYNC_RUN_SPEC": "mine"})
    values = environment(manifest.job(LAUNCH, schedule(), settings))
    assert values["HTTPS_PROXY"] == "http://proxy"
    assert json.loads(values["GSC_SYNC_RUN_SPEC"])["version"] == 1


def test_placement_and_pull_secrets_come_from_the_installation() -> None:
    settings = Settings(
        sync_image_pull_secrets=("pull",),
        sync_node_selector={"pool": "batch"},
        sync_tolerations=[{"key": "batch", "operator": "Exists"}],
    )
    spec = pod(manifest.job(LAUNCH, schedule(), settings))
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert spec["nodeSelector"] == {"pool": "batch"}
    assert spec["tolerations"] == [{"key": "batch", "operator": "Exists"}]
    assert "serviceAccountName" not in spec


def test_where_pods_go_and_who_goes_first_is_the_installations_to_say() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    settings = Settings(
        sync_affinity={"nodeAffinity": {}},
        sync_topology_spread_constraints=[spread],
        sync_priority_class="batch-low",
    )
    spec = pod(manifest.job(LAUNCH, schedule(), settings))
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["topologySpreadConstraints"] == [spread]
    assert spec["priorityClassName"] == "batch-low"
    silent = pod(manifest.job(LAUNCH, schedule(), SETTINGS))
    assert not {"affinity", "topologySpreadConstraints", "priorityClassName"} & set(silent)


def test_labels_and_annotations_of_the_installation_are_on_the_pod_and_never_in_place_of_ours() -> None:
    settings = Settings(
        sync_pod_labels={"team": "data", "gscsync.io/run": "forged"},
        sync_pod_annotations={
            "sidecar.istio.io/inject": "false",
            "kubectl.kubernetes.io/default-container": "other",
        },
    )
    job = manifest.job(LAUNCH, schedule(), settings)
    on_pod = job["spec"]["template"]["metadata"]
    assert on_pod["labels"] == {"team": "data"} | job["metadata"]["labels"]
    assert job["metadata"]["labels"]["gscsync.io/run"] == LAUNCH.run_id
    assert "team" not in job["metadata"]["labels"]
    assert on_pod["annotations"] == {
        "sidecar.istio.io/inject": "false",
        "kubectl.kubernetes.io/default-container": "sync",
    }


def test_where_the_cluster_gives_user_and_group_the_pod_names_none_and_is_still_not_root() -> None:
    spec = pod(manifest.job(LAUNCH, schedule(), Settings(sync_run_as_fixed_user=False)))
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


CA_FILE = "/var/run/gsc-sync/ca-bundle/ca.crt"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({}, {"GSC_SYNC_CA_FILE": CA_FILE, "PGSSLROOTCERT": CA_FILE}, id="both"),
        pytest.param({"sync_ca_google": False}, {"PGSSLROOTCERT": CA_FILE}, id="databases alone"),
        pytest.param({"sync_ca_postgres": False}, {"GSC_SYNC_CA_FILE": CA_FILE}, id="Google alone"),
        pytest.param(
            {"sync_env": {"PGSSLROOTCERT": "/etc/ssl/certs/ca-certificates.crt"}},
            {"GSC_SYNC_CA_FILE": CA_FILE, "PGSSLROOTCERT": "/etc/ssl/certs/ca-certificates.crt"},
            id="what was set by hand counts",
        ),
    ],
)
def test_authorities_of_the_installation_are_mounted_and_named(given: dict, said: dict[str, str]) -> None:
    settings = Settings(sync_ca_config_map="company-ca", sync_ca_key="bundle.pem", **given)
    job = manifest.job(LAUNCH, schedule(), settings)
    volume = next(it for it in pod(job)["volumes"] if it["name"] == "ca-bundle")
    items = [{"key": "bundle.pem", "path": "ca.crt"}]
    assert volume["configMap"] == {"name": "company-ca", "items": items}, "without it nothing starts"
    mount = next(it for it in pod(job)["containers"][0]["volumeMounts"] if it["name"] == "ca-bundle")
    assert mount == {"name": "ca-bundle", "mountPath": "/var/run/gsc-sync/ca-bundle", "readOnly": True}
    names = [it["name"] for it in pod(job)["containers"][0]["env"]]
    assert len(names) == len(set(names))
    authorities = ("GSC_SYNC_CA_FILE", "PGSSLROOTCERT")
    assert {name: value for name, value in environment(job).items() if name in authorities} == said


def test_without_authorities_of_the_installation_nothing_names_one() -> None:
    job = manifest.job(LAUNCH, schedule(), SETTINGS)
    assert not {"GSC_SYNC_CA_FILE", "PGSSLROOTCERT"} & set(environment(job))
    assert "ca-bundle" not in {it["name"] for it in pod(job)["volumes"]}


def test_with_kueue_the_job_names_its_queue_and_its_pod_does_not() -> None:
    job = manifest.job(LAUNCH, schedule(queue="nightly"), Settings(kueue=True))
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "nightly"
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]
    assert "kueue.x-k8s.io/queue-name" not in manifest.job(LAUNCH, schedule(), SETTINGS)["metadata"]["labels"]


def test_only_what_was_asked_for_by_hand_is_in_the_work_order() -> None:
    both = [{"name": name, "credentialsSecretRef": {"name": "one"}} for name in ("a", "b")]
    asked = replace(LAUNCH, workspaces=("b",), window_days=60, dry_run=True)
    spec = work_order(manifest.job(asked, schedule(workspaces=both), SETTINGS))
    assert [workspace.name for workspace in spec.workspaces] == ["b"]
    assert (spec.window.days, spec.dry_run) == (60, True)
    by_rollout = schedule(workspaces=both, rollout={"exclude": ["b"]})
    spec = work_order(manifest.job(LAUNCH, by_rollout, SETTINGS))
    assert [workspace.name for workspace in spec.workspaces] == ["a"]


def test_finished_jobs_go_after_the_age_of_the_history() -> None:
    job = manifest.job(LAUNCH, schedule(history={"maxAgeSeconds": 3600}), SETTINGS)
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600


def test_equal_input_makes_an_equal_job() -> None:
    assert manifest.job(LAUNCH, schedule(), SETTINGS) == manifest.job(LAUNCH, schedule(), SETTINGS)


def test_a_schedule_that_cannot_be_served_makes_no_job() -> None:
    with pytest.raises(ValueError, match="no valid spec"):
        manifest.job(LAUNCH, schedule(workspaces=[]), SETTINGS)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("100m", "0.1"),
        ("1.5Gi", 1_610_612_736),
        ("2M", 2_000_000),
        ("1e3", 1000),
        ("x", None),
        ("-1", None),
    ],
)
def test_quantities(text: str, number: object) -> None:
    assert amount(text) == (None if number is None else Decimal(str(number)))


def test_nothing_exceeds_its_cap_and_requests_never_exceed_limits() -> None:
    asked = (("requests", (("cpu", "8"), ("memory", "1Gi"))), ("limits", (("memory", "64Gi"),)))
    got = resources(
        asked, {"requests": {"cpu": "50m"}, "limits": {"memory": "512Mi"}}, {"cpu": "2", "memory": "2Gi"}
    )
    assert got == {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    assert resources((("requests", (("memory", "1Gi"),)),), {"limits": {"memory": "512Mi"}}, {}) == {
        "requests": {"memory": "512Mi"},
        "limits": {"memory": "512Mi"},
    }
    assert resources((), {}, {}) == {}
    assert capped("odd", "1") == "odd"


def test_a_divided_schedule_makes_an_indexed_job_in_which_no_shard_ends_the_others() -> None:
    job = manifest.job(LAUNCH, schedule(shards=4), SETTINGS)["spec"]
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 4, 4)
    assert job["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in job, "one failure would end the whole Job"
    assert work_order(manifest.job(LAUNCH, schedule(shards=4), SETTINGS)).shards == 4
    plain = manifest.job(LAUNCH, schedule(), SETTINGS)["spec"]
    assert "completionMode" not in plain
    assert plain["backoffLimit"] == 0


def test_a_dry_run_is_not_divided() -> None:
    look = replace(LAUNCH, dry_run=True)
    job = manifest.job(look, schedule(shards=4), SETTINGS)
    assert job["spec"]["completions"] == 1
    assert work_order(job).shards == 1
