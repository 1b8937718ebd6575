"""Pure: the objects that are measured. A CronJob gets the very Job that the operator makes of the schedule beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.act import manifest
from controller.model.decision import Launch
from controller.model.parse import parse_schedule
from controller.settings import Settings

Body = dict[str, Any]

NEVER = "0 0 29 2 *"
"""For the schedules that only exist."""


def once(slot: datetime) -> str:
    """Cron for one instant of this year."""
    return f"{slot.minute} {slot.hour} {slot.day} {slot.month} *"


def schedule(name: str, namespace: str, cron: str, **spec: Any) -> Body:
    return {
        "apiVersion": "gscsync.io/v1beta1",
        "kind": "GscSyncSchedule",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "schedule": cron,
            "timeZone": "Etc/UTC",
            "workspaces": [
                {
                    "name": workspace,
                    "credentialsSecretRef": {"name": f"{workspace}-google", "key": "credentials.json"},
                    "properties": {"include": [f"sc-domain:{workspace}.example"]},
                }
                for workspace in ("acme", "globex")
            ],
            "destination": {"secretRef": {"name": "warehouse"}},
            **spec,
        },
    }


def old_job(name: str, namespace: str) -> Body:
    """A Job of a schedule that is not measured. Suspended, it makes no pod."""
    of = schedule(name, namespace, NEVER)
    of["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    made = parse_schedule(of)
    slot = datetime(2026, 1, 1, tzinfo=UTC)
    body = manifest.job(Launch(f"{name}-1", "1", slot, "Cron", attempt=1, launch=1), made, Settings())
    del body["metadata"]["ownerReferences"]
    body["spec"]["suspend"] = True
    return body


def cron_job(name: str, namespace: str, cron: str, **spec: Any) -> Body:
    """Same Job, same pod, same history limits, same policy; its labels name no schedule of ours."""
    body = schedule(name, namespace, cron, **spec)
    body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    made = parse_schedule(body)
    slot = datetime(2026, 1, 1, tzinfo=UTC)
    launch = Launch(f"{name}-1", "1", slot, "Cron", attempt=1, launch=1)
    job = manifest.job(launch, made, Settings())["spec"]
    del job["template"]["metadata"]["labels"]
    history = spec.get("history") or {}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "schedule": cron,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": history.get("successfulLimit", 3),
            "failedJobsHistoryLimit": history.get("failedLimit", 5),
            "jobTemplate": {"spec": job},
        },
    }
