"""Pod: what runs in a Job: one container of the sync image that passes `restricted` and cannot reach the API server.

It gets its work order in its environment and its credentials as files, only the keys named, each Secret optional: a
missing one is reported by the sync for its workspace alone instead of keeping the pod from starting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract.run_spec import ENVIRONMENT_VARIABLE
from contract.run_summary import PATH_VARIABLE
from controller.act.quantity import resources
from controller.act.work_order import (
    CREDENTIAL_FILE,
    MOUNTS,
    OAUTH_KEYS,
    places_of,
    run_spec,
)
from controller.model.job import GRACE_SECONDS
from controller.model.schedule import SecretKey

if TYPE_CHECKING:
    from controller.model.decision import Launch
    from controller.model.schedule import OAuthSecret, Schedule, Spec
    from controller.settings import Settings

USER_ID = 65_532
FIXED_USER = {"runAsUser": USER_ID, "runAsGroup": USER_ID, "fsGroup": USER_ID}
SECRET_MODE = 0o440
"""Readable by the group of the pod alone, which `fsGroup` makes the sync's own."""
TERMINATION_PATH = "/dev/termination-log"
DESTINATION_KEYS = ("uri", "host", "port", "dbname", "user", "password", "sslmode", "ca.crt")
CONTAINER = "sync"
SWITCH_NAME, SWITCH_PATH, SWITCH_VARIABLE = "gsc-sync-switch", f"{MOUNTS}/switch", "GSC_SYNC_SWITCH_PATH"
"""The kill switch of the pod's own namespace; read while the sync runs."""
RESERVED = frozenset({ENVIRONMENT_VARIABLE, PATH_VARIABLE, SWITCH_VARIABLE})
IDENTITY_FOLDER, IDENTITY_FILE = f"{MOUNTS}/identity", "token"
IDENTITY_VARIABLE = "GSC_SYNC_IDENTITY_TOKEN_PATH"
IDENTITY_SECONDS = 3600
"""How long an identity token is good for; the kubelet writes a new one at four fifths of it."""
CA_FOLDER, CA_FILE = f"{MOUNTS}/ca-bundle", "ca.crt"
CA_OF_GOOGLE, CA_OF_POSTGRES = "GSC_SYNC_CA_FILE", "PGSSLROOTCERT"


def pod_spec(launch: Launch, schedule: Schedule, spec: Spec, settings: Settings) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        _secret_volume(place, source.name, _items(source)) for source, place in places_of(spec).items()
    ]
    volumes.append(
        _secret_volume("destination", spec.destination_secret, {key: key for key in DESTINATION_KEYS})
    )
    mounts = [{"name": it["name"], "mountPath": f"{MOUNTS}/{it['name']}", "readOnly": True} for it in volumes]
    volumes.append({"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}})
    switch = {"name": SWITCH_NAME, "optional": True, "items": [{"key": "mode", "path": "mode"}]}
    volumes.append({"name": "switch", "configMap": switch})
    mounts.append({"name": "switch", "mountPath": SWITCH_PATH, "readOnly": True})
    if _has_identity(spec, settings):
        volumes.append(_identity_volume(settings.sync_identity_token_audience))
        mounts.append({"name": "identity", "mountPath": IDENTITY_FOLDER, "readOnly": True})
    if settings.sync_ca_config_map:
        volumes.append(_ca_volume(settings))
        mounts.append({"name": "ca-bundle", "mountPath": CA_FOLDER, "readOnly": True})
    mounts.append({"name": "tmp", "mountPath": "/tmp"})  # noqa: S108 - a volume of the pod's own
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            **(FIXED_USER if settings.sync_run_as_fixed_user else {}),
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
    if settings.sync_affinity:
        pod["affinity"] = dict(settings.sync_affinity)
    if settings.sync_topology_spread_constraints:
        pod["topologySpreadConstraints"] = [dict(each) for each in settings.sync_topology_spread_constraints]
    if settings.sync_priority_class:
        pod["priorityClassName"] = settings.sync_priority_class
    return pod


def _environment(launch: Launch, schedule: Schedule, spec: Spec, settings: Settings) -> list[dict[str, str]]:
    identity = (
        {IDENTITY_VARIABLE: f"{IDENTITY_FOLDER}/{IDENTITY_FILE}"} if _has_identity(spec, settings) else {}
    )
    by_hand = {name: value for name, value in settings.sync_env.items() if name not in RESERVED}
    further = _authorities(settings) | by_hand | identity
    return [
        {
            "name": ENVIRONMENT_VARIABLE,
            "value": _escaped(run_spec(launch, schedule, spec, settings).to_json()),
        },
        {"name": PATH_VARIABLE, "value": TERMINATION_PATH},
        {"name": SWITCH_VARIABLE, "value": SWITCH_PATH},
        *({"name": name, "value": value} for name, value in further.items()),
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


def _has_identity(spec: Spec, settings: Settings) -> bool:
    """Only a credentials file can be an external account, so only with one is there anybody to use the token."""
    files = any(isinstance(workspace.credentials, SecretKey) for workspace in spec.workspaces)
    return files and settings.sync_identity_token_audience != ""


def _identity_volume(audience: str) -> dict[str, Any]:
    """A token that says who the pod is to that audience; the API server does not take it."""
    token = {"audience": audience, "expirationSeconds": IDENTITY_SECONDS, "path": IDENTITY_FILE}
    return {
        "name": "identity",
        "projected": {"defaultMode": SECRET_MODE, "sources": [{"serviceAccountToken": token}]},
    }


def _authorities(settings: Settings) -> dict[str, str]:
    """Where the sync and libpq look for them."""
    if not settings.sync_ca_config_map:
        return {}
    trusting = {CA_OF_GOOGLE: settings.sync_ca_google, CA_OF_POSTGRES: settings.sync_ca_postgres}
    return {name: f"{CA_FOLDER}/{CA_FILE}" for name, trusts in trusting.items() if trusts}


def _ca_volume(settings: Settings) -> dict[str, Any]:
    """Not optional: libpq would go on without verifying where the file is not there."""
    items = [{"key": settings.sync_ca_key, "path": CA_FILE}]
    return {"name": "ca-bundle", "configMap": {"name": settings.sync_ca_config_map, "items": items}}


def _items(source: SecretKey | OAuthSecret) -> dict[str, str]:
    if isinstance(source, SecretKey):
        return {source.key: CREDENTIAL_FILE}
    return {key: key for key in OAUTH_KEYS}
