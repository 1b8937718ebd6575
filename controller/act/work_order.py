"""Work order: what the sync is told of a launch, as the RunSpec of the contract. Pure.

It names the paths at which `pod` mounts the Secrets, and what to tell a person when one is missing; never a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract import Destination, Limits, PropertyFilter, RunSpec, Trigger, Window, Workspace
from controller.decide import gates
from controller.model.job import GRACE_SECONDS
from controller.model.schedule import Ambient, SecretKey

if TYPE_CHECKING:
    from controller.model.decision import Launch
    from controller.model.schedule import OAuthSecret, Schedule, Spec, WorkspaceSpec
    from controller.settings import Settings

MOUNTS = "/var/run/gsc-sync"
CREDENTIAL_FILE = "credentials"
OAUTH_KEYS = ("client_id", "client_secret", "refresh_token")


def run_spec(launch: Launch, schedule: Schedule, spec: Spec, settings: Settings) -> RunSpec:
    places = places_of(spec)
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
        shards=shards_of(launch, spec),
        window=Window(
            days=launch.window_days or spec.window_days,
            data_state=spec.data_state,
            max_catch_up_days=spec.max_catch_up_days,
        ),
        dry_run=launch.dry_run,
        search_types=list(spec.search_types),
        dimension_sets=list(spec.dimension_sets),
        inventory=list(spec.inventory),
        workspaces=[
            _workspace(workspace, schedule.namespace, places)
            for workspace in _workspaces(launch, schedule, spec)
        ],
        destination=Destination(
            path=f"{MOUNTS}/destination",
            hint=f"Secret '{spec.destination_secret}' in namespace '{schedule.namespace}': "
            "key 'uri', or keys 'host', 'port', 'dbname', 'user', 'password'",
            schema_name=spec.destination_schema,
            retention_months=spec.retention_months,
        ),
        limits=Limits(
            min_success_ratio=spec.min_success_ratio,
            concurrency=settings.sync_concurrency,
            requests_per_second_per_property=settings.sync_requests_per_second,
            requests_per_second_per_identity=settings.sync_requests_per_second_per_identity,
            requests_per_minute_per_project=settings.sync_requests_per_minute_per_project,
            load_cooldown_seconds=settings.sync_load_cooldown_seconds,
            split_requests_per_cell=spec.split_requests_per_cell,
            inspections_per_property=spec.inspections_per_property,
            grace_seconds=GRACE_SECONDS,
        ),
    )


def shards_of(launch: Launch, spec: Spec) -> int:
    """Pods that share the launch; a dry run only looks, and one pod is enough for that."""
    return 1 if launch.dry_run else spec.shards


def places_of(spec: Spec) -> dict[SecretKey | OAuthSecret, str]:
    """One volume for each source, however many workspaces name it; the identity of the pod needs none."""
    keys = dict.fromkeys(
        workspace.credentials
        for workspace in spec.workspaces
        if not isinstance(workspace.credentials, Ambient)
    )
    return {key: f"credentials-{number}" for number, key in enumerate(keys)}


def _workspaces(launch: Launch, schedule: Schedule, spec: Spec) -> list[WorkspaceSpec]:
    """Those asked for by name, else those that the rollout lets run."""
    if launch.workspaces:
        return [workspace for workspace in spec.workspaces if workspace.name in launch.workspaces]
    return list(gates.chosen(schedule, spec))


def _workspace(
    workspace: WorkspaceSpec, namespace: str, places: dict[SecretKey | OAuthSecret, str]
) -> Workspace:
    properties = PropertyFilter(include=list(workspace.include), exclude=list(workspace.exclude))
    source = workspace.credentials
    if isinstance(source, Ambient):
        return Workspace(name=workspace.name, credentials="Ambient", properties=properties)
    return Workspace(
        name=workspace.name,
        credentials_path=_path(source, places[source]),
        credentials_hint=f"{_hint(source)} in namespace '{namespace}'",
        subject=workspace.subject,
        properties=properties,
    )


def _path(source: SecretKey | OAuthSecret, place: str) -> str:
    """A file for a key, a directory for an OAuth client."""
    folder = f"{MOUNTS}/{place}"
    return f"{folder}/{CREDENTIAL_FILE}" if isinstance(source, SecretKey) else folder


def _hint(source: SecretKey | OAuthSecret) -> str:
    if isinstance(source, SecretKey):
        return f"Secret '{source.name}' key '{source.key}'"
    return f"Secret '{source.name}' keys {', '.join(repr(key) for key in OAUTH_KEYS)}"
