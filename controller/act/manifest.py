"""Manifest: a Launch of a Schedule, with the Settings, as the Job to create. Pure: equal input, equal Job.

The Job bears what ties it to its schedule, run and launch, and bounds its time; `pod` makes what runs in it. Nothing in a
schedule can choose an image, a command, a service account or a volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contract.run_spec import Trigger, unix_minutes
from controller.act.pod import CONTAINER, pod_spec
from controller.act.work_order import shards_of
from controller.model import names
from controller.model.job import GRACE_SECONDS
from controller.model.parameters import Parameters, write_parameters

if TYPE_CHECKING:
    from controller.model.decision import Launch
    from controller.model.schedule import Schedule, Spec
    from controller.settings import Settings

KUEUE_LABEL = "kueue.x-k8s.io/queue-name"


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
            "annotations": _begun_with(launch, schedule, spec),
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
            **_division(shards_of(launch, spec)),
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": spec.pending_deadline_seconds + spec.timeout_seconds + GRACE_SECONDS,
            "ttlSecondsAfterFinished": spec.history.max_age_seconds,
            "template": {
                "metadata": {
                    "labels": settings.sync_pod_labels | labels,
                    "annotations": settings.sync_pod_annotations
                    | {"kubectl.kubernetes.io/default-container": CONTAINER},
                },
                "spec": pod_spec(launch, schedule, spec, settings),
            },
        },
    }


def _begun_with(launch: Launch, schedule: Schedule, spec: Spec) -> dict[str, str]:
    """What an edit must not change for a launch that is there, and what an operator must know that finds it."""
    kept = {
        names.ANNOTATION_GENERATION: str(schedule.generation),
        names.ANNOTATION_TIMEOUT: str(spec.timeout_seconds),
        names.ANNOTATION_PENDING: str(spec.pending_deadline_seconds),
    }
    if launch.trigger == Trigger.MANUAL:
        given = Parameters(launch.workspaces, launch.window_days, launch.dry_run)
        kept[names.ANNOTATION_PARAMETERS] = write_parameters(given)
    return kept


def _division(shards: int) -> dict[str, Any]:
    """One pod, or one a shard, all at once; none is made anew by Kubernetes, and no shard ends the others."""
    if shards == 1:
        return {"backoffLimit": 0, "completions": 1, "parallelism": 1}
    return {
        "completionMode": "Indexed",
        "backoffLimitPerIndex": 0,
        "completions": shards,
        "parallelism": shards,
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
