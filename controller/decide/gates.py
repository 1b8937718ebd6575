"""Gates: who may run here at all. Environments, what the installation allows, and a rollout by workspace and by time.

In a rollout a name that is listed comes first (`exclude` before `include`), then the percentage. The percentage is taken
by a stable hash, so the workspaces of 1 % are among those of 5 %, and a restart moves nobody.
"""

from __future__ import annotations

from datetime import datetime

from contract.run_spec import unix_minutes
from controller.model.names import digest
from controller.model.policy import Site
from controller.model.schedule import Ambient, Schedule, Spec, WorkspaceSpec

_BUCKETS = 10_000


def elsewhere(spec: Spec, site: Site) -> str:
    """Why the schedule is for other installations than this one."""
    if not spec.environments or site.environment in spec.environments:
        return ""
    here = f"'{site.environment}'" if site.environment else "without a name"
    return f"this installation's environment is {here}; `spec.environments` names {', '.join(spec.environments[:5])}"


def forbidden(spec: Spec, site: Site) -> str:
    """What the spec asks for and this installation does not allow, with the next step."""
    wanting = [each.name for each in spec.workspaces if isinstance(each.credentials, Ambient)]
    if site.ambient or not wanting:
        return ""
    return (
        f"`credentials: Ambient` of workspace '{wanting[0]}' is not allowed in this installation; set"
        " `credentialsSecretRef`, or ask the administrator for `sync.ambientCredentials: true` in the chart's values"
    )


def paused(spec: Spec, site: Site) -> str:
    """Why nothing of this schedule runs here until somebody changes its spec."""
    return "`spec.suspend` is true" if spec.suspend else elsewhere(spec, site)


def chosen(schedule: Schedule, spec: Spec) -> tuple[WorkspaceSpec, ...]:
    """The workspaces that the rollout lets run, in the order of the spec."""
    rollout = spec.rollout
    return tuple(
        workspace
        for workspace in spec.workspaces
        if workspace.name not in rollout.exclude
        and (
            workspace.name in rollout.include
            or _within(rollout.percent_of_workspaces, schedule.namespace, schedule.name, workspace.name)
        )
    )


def in_rollout(schedule: Schedule, spec: Spec, slot: datetime) -> str:
    """Why a slot is passed over; '' when it runs."""
    percent = spec.rollout.percent_of_time
    if not _within(percent, schedule.namespace, schedule.name, "slot", str(unix_minutes(slot))):
        return f"outside `rollout.percentOfTime` ({percent} %)"
    if not chosen(schedule, spec):
        return "no workspace is in the rollout"
    return ""


def _within(percent: int, *what: str) -> bool:
    return int(digest("rollout", *what), 16) % _BUCKETS < percent * (_BUCKETS // 100)
