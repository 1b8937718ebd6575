"""Manifest: a Launch of a Schedule, with the Settings, as the Job to create. Pure: equal input, equal Job.

The pod gets its work order in its environment and its credentials as files, only the keys named, each volume optional:
a missing Secret is reported by the sync for its workspace alone instead of keeping the pod from starting. Nothing in
a schedule can choose an image, a command, a service account or a volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract import Destination, Limits, PropertyFilter, RunSpec, Trigger, Window, Workspace
from contract.run_spec import ENVIRONMENT_VARIABLE, unix_minutes
from contract.run_summary import PATH_VARIABLE
from controller.act.quantity import resources
from controller.decide import gates
from controller.model import names
from controller.model.schedule import SecretKey

if TYPE_CHECKING:
    from controller.model.decision import Launch
    from controller.model.schedule import OAuthSecret, Schedule, Spec, WorkspaceSpec
    from controller.settings import Settings

GRACE_SECONDS = 30
USER_ID = 65_532
SECRET_MODE = 0o440
"""Readable by the group of the pod alone, which `fsGroup` makes the sync's own."""

MOUNTS = "/var/run/gsc-sync"
TERMINATION_PATH = "/dev/termination-log"
CREDENTIAL_FILE = "credentials"
OAUTH_KEYS = ("client_id", "client_secret", "refresh_token")
DESTINATION_KEYS = ("uri", "host", "port", "dbname", "user", "password", "sslmode", "ca.crt")
CONTAINER = "sync"
KUEUE_LABEL = "kueue.x-k8s.io/queue-name"
RESERVED = frozenset({ENVIRONMENT_VARIABLE, PATH_VARIABLE})


def job(launch: Launch, schedule: Schedule, settings: Settings) -> dict[str, Any]:
    """Build it; raises ValueError (ContractError, ValidationError) when the schedule makes no valid RunSpec."""
    spec = schedule.spec
    if spec is None:
        raise ValueError(
            f"schedule {schedule.namespace}/{schedule.name} has no valid spec: {schedule.problem}"
        )
    labels = labels_of(launch, schedule, settings)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": launch.job_name,
            "namespace": schedule.namespace,
            "labels": labels | ({KUEUE_LABEL: spec.queue} if settings.kueue else {}),
            "ownerReferences": [
                {
                    "apiVersion": f"{names.GROUP}/{names.VERSION}",
                    "kind": names.KIND,
                    "name": schedule.name,
                    "uid": schedule.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": spec.pending_deadline_seconds + spec.timeout_seconds + GRACE_SECONDS,
            "ttlSecondsAfterFinished": spec.history.max_age_seconds,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"kubectl.kubernetes.io/default-container": CONTAINER},
                },
                "spec": _pod(launch, schedule, spec, settings),
            },
        },
    }


def labels_of(launch: Launch, schedule: Schedule, settings: Settings) -> dict[str, str]:
    return {
        names.LABEL_SCHEDULE: names.label_value(schedule.name),
        names.LABEL_SLOT: str(unix_minutes(launch.slot)),
        names.LABEL_RUN: launch.run_id,
        names.LABEL_ATTEMPT: str(launch.attempt),
        names.LABEL_LAUNCH: str(launch.launch),
        names.LABEL_TRIGGER: launch.trigger,
        "app.kubernetes.io/name": "gsc-sync",
        "app.kubernetes.io/instance": names.label_value(settings.instance),
        "app.kubernetes.io/component": "sync",
        "app.kubernetes.io/part-of": "gsc-sync-operator",
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
    }


def run_spec(launch: Launch, schedule: Schedule, spec: Spec, settings: Settings) -> RunSpec:
    places = _places(spec)
    return RunSpec(
        schedule_uid=schedule.uid,
        namespace=schedule.namespace,
        name=schedule.name,
        run_id=launch.run_id,
        slot=launch.slot,
        attempt=launch.attempt,
        launch=launch.launch,
        trigger=Trigger(launch.trigger),
        timeout_seconds=spec.timeout_seconds,
        window=Window(days=launch.window_days or spec.window_days, data_state=spec.data_state),
        dry_run=launch.dry_run,
        search_types=list(spec.search_types),
        dimension_sets=list(spec.dimension_sets),
        workspaces=[
            Workspace(
                name=workspace.name,
                credentials_path=_path(workspace.credentials, places[workspace.credentials]),
                credentials_hint=f"{_hint(workspace.credentials)} in namespace '{schedule.namespace}'",
                subject=workspace.subject,
                properties=PropertyFilter(include=list(workspace.include), exclude=list(workspace.exclude)),
            )
            for workspace in _workspaces(launch, schedule, spec)
        ],
        destination=Destination(
            path=f"{MOUNTS}/destination",
            hint=f"Secret '{spec.destination_secret}' in namespace '{schedule.namespace}': "
            "key 'uri', or keys 'host', 'port', 'dbname', 'user', 'password'",
            schema_name=spec.destination_schema,
        ),
        limits=Limits(
            min_success_ratio=spec.min_success_ratio,
            concurrency=settings.sync_concurrency,
            requests_per_second_per_property=settings.sync_requests_per_second,
            load_cooldown_seconds=settings.sync_load_cooldown_seconds,
            grace_seconds=GRACE_SECONDS,
        ),
    )


def _workspaces(launch: Launch, schedule: Schedule, spec: Spec) -> list[WorkspaceSpec]:
    """Those asked for by name, else those that the rollout lets run."""
    if launch.workspaces:
        return [workspace for workspace in spec.workspaces if workspace.name in launch.workspaces]
    return list(gates.chosen(schedule, spec))


def _path(source: SecretKey | OAuthSecret, place: str) -> str:
    """A file for a key, a directory for an OAuth client."""
    folder = f"{MOUNTS}/{place}"
    return f"{folder}/{CREDENTIAL_FILE}" if isinstance(source, SecretKey) else folder


def _hint(source: SecretKey | OAuthSecret) -> str:
    if isinstance(source, SecretKey):
        return f"Secret '{source.name}' key '{source.key}'"
    return f"Secret '{source.name}' keys {', '.join(repr(key) for key in OAUTH_KEYS)}"


def _items(source: SecretKey | OAuthSecret) -> dict[str, str]:
    if isinstance(source, SecretKey):
        return {source.key: CREDENTIAL_FILE}
    return {key: key for key in OAUTH_KEYS}


def _places(spec: Spec) -> dict[SecretKey | OAuthSecret, str]:
    """One volume for each source, however many workspaces name it."""
    keys = dict.fromkeys(workspace.credentials for workspace in spec.workspaces)
    return {key: f"credentials-{number}" for number, key in enumerate(keys)}


def _pod(launch: Launch, schedule: Schedule, spec: Spec, settings: Settings) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        _secret_volume(place, source.name, _items(source)) for source, place in _places(spec).items()
    ]
    volumes.append(
        _secret_volume("destination", spec.destination_secret, {key: key for key in DESTINATION_KEYS})
    )
    mounts = [{"name": it["name"], "mountPath": f"{MOUNTS}/{it['name']}", "readOnly": True} for it in volumes]
    volumes.append({"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}})
    mounts.append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108 - a volume of the pod's own
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.sync_image,
                "imagePullPolicy": settings.sync_image_pull_policy,
                "command": ["python", "-m", "sync", "run"],
                "env": _environment(launch, schedule, spec, settings),
                "resources": resources(
                    spec.resources, settings.sync_default_resources, settings.sync_max_resources
                ),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "terminationMessagePath": TERMINATION_PATH,
                "terminationMessagePolicy": "File",
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
    if settings.sync_service_account:
        pod["serviceAccountName"] = settings.sync_service_account
    if settings.sync_image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.sync_image_pull_secrets]
    if settings.sync_node_selector:
        pod["nodeSelector"] = dict(settings.sync_node_selector)
    if settings.sync_tolerations:
        pod["tolerations"] = [dict(toleration) for toleration in settings.sync_tolerations]
    return pod


def _environment(launch: Launch, schedule: Schedule, spec: Spec, settings: Settings) -> list[dict[str, str]]:
    further = [
        {"name": name, "value": value} for name, value in settings.sync_env.items() if name not in RESERVED
    ]
    return [
        {
            "name": ENVIRONMENT_VARIABLE,
            "value": _escaped(run_spec(launch, schedule, spec, settings).to_json()),
        },
        {"name": PATH_VARIABLE, "value": TERMINATION_PATH},
        *further,
    ]


def _escaped(value: str) -> str:
    """Keep the kubelet from expanding $(NAME), which a pattern of a schedule may hold; $$ is a plain $."""
    return value.replace("$", "$$")


def _secret_volume(volume: str, secret: str, items: dict[str, str]) -> dict[str, Any]:
    return {
        "name": volume,
        "secret": {
            "secretName": secret,
            "optional": True,
            "defaultMode": SECRET_MODE,
            "items": [{"key": key, "path": path} for key, path in items.items()],
        },
    }
