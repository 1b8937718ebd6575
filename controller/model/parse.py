"""Parsing: bodies from the API server into the records of this package. Pure, and it never raises for bad content.

The schema refuses most nonsense at `kubectl apply`; what passes it (an older schema, a client without validation) must
not stop the operator. A schedule that cannot be read becomes `spec=None` with a `problem` that says what is allowed;
whether its expression and zone mean something is for `decide.cron` to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from contract.dimension_sets import (
    DIMENSION_SETS,
    INVENTORIES,
    SEARCH_TYPES,
    DimensionSet,
    Inventory,
    SearchType,
    nothing_left,
)
from contract.run_spec import MAX_SHARDS, DataState
from controller.model.names import ANNOTATION_CANCEL, ANNOTATION_RETRY, ANNOTATION_RUN_NOW
from controller.model.parse_job import parse_job, parse_pod
from controller.model.raw import mapping, moment, text, whole
from controller.model.schedule import (
    Ambient,
    Asks,
    Backoff,
    BackoffType,
    CatchUp,
    CatchUpPolicy,
    ConcurrencyPolicy,
    HistoryLimits,
    OAuthSecret,
    RetryPolicy,
    Rollout,
    Schedule,
    SecretKey,
    Spec,
    WorkspaceSpec,
)

__all__ = ["MAX_ASK", "parse_job", "parse_pod", "parse_schedule"]

MAX_ASK = 1024
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class _Problem(Exception):  # noqa: N818 - not an error of the program but a finding about its input
    """What is wrong with a field and what is allowed there."""


def parse_schedule(body: Mapping[str, Any]) -> Schedule:
    """A schedule from its body; `spec` is None and `problem` set when it cannot be served."""
    metadata = mapping(body.get("metadata"))
    spec, problem = None, ""
    try:
        spec = _spec(mapping(body.get("spec")))
    except _Problem as found:
        problem = str(found)
    annotations = mapping(metadata.get("annotations"))
    return Schedule(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        generation=whole(metadata.get("generation")) or 0,
        created_at=moment(metadata.get("creationTimestamp")) or _NEVER,
        deleting=metadata.get("deletionTimestamp") is not None,
        spec=spec,
        problem=problem,
        # One character more than allowed is kept, so that `decide` sees that it was too long.
        asks=Asks(
            *(
                text(annotations.get(name))[: MAX_ASK + 1]
                for name in (ANNOTATION_RUN_NOW, ANNOTATION_CANCEL, ANNOTATION_RETRY)
            )
        ),
    )


def _spec(spec: Mapping[str, Any]) -> Spec:
    window = mapping(spec.get("window"))
    destination = mapping(spec.get("destination"))
    workspaces = tuple(
        _workspace(f"spec.workspaces[{index}]", mapping(item))
        for index, item in enumerate(_items("spec.workspaces", spec.get("workspaces"), 100))
    )
    if not workspaces:
        raise _Problem("`spec.workspaces` must have at least one entry")
    if len({workspace.name for workspace in workspaces}) != len(workspaces):
        raise _Problem("`spec.workspaces` must have distinct names")
    search_types = cast(
        "tuple[SearchType, ...]",
        _choices("spec.searchTypes", spec.get("searchTypes", ["web"]), SEARCH_TYPES),
    )
    dimension_sets = cast(
        "tuple[DimensionSet, ...]",
        _choices("spec.dimensionSets", spec.get("dimensionSets", ["page-query"]), DIMENSION_SETS),
    )
    inventory = spec.get("inventory", [])
    nothing = nothing_left(search_types, dimension_sets)
    if nothing:
        raise _Problem(f"`spec.searchTypes` and `spec.dimensionSets`: {nothing}")
    data_state = _choice("spec.window.dataState", window.get("dataState", "All"), tuple(DataState))
    concurrency = ConcurrencyPolicy(
        _choice("spec.concurrencyPolicy", spec.get("concurrencyPolicy", "Forbid"), tuple(ConcurrencyPolicy))
    )
    catch_up = _catch_up(mapping(spec.get("catchUp")))
    if concurrency is ConcurrencyPolicy.REPLACE and catch_up.policy is CatchUpPolicy.ALL:
        raise _Problem(
            "`spec.catchUp.policy` must be 'Latest' or 'None' with `concurrencyPolicy: Replace`: "
            "each run would take the place of the one before"
        )
    return Spec(
        schedule=_string("spec.schedule", spec.get("schedule"), 256),
        time_zone=_string("spec.timeZone", spec.get("timeZone", "Etc/UTC"), 64),
        suspend=spec.get("suspend") is True,
        run_on_create=spec.get("runOnCreate") is True,
        concurrency=concurrency,
        catch_up=catch_up,
        timeout_seconds=_number("spec.timeoutSeconds", spec.get("timeoutSeconds", 600), 1, 86_400),
        pending_deadline_seconds=_number(
            "spec.pendingDeadlineSeconds", spec.get("pendingDeadlineSeconds", 300), 1, 86_400
        ),
        retry=_retry(mapping(spec.get("retry"))),
        shards=_number("spec.shards", spec.get("shards", 1), 1, MAX_SHARDS),
        inventory=cast(
            "tuple[Inventory, ...]",
            _choices("spec.inventory", inventory, INVENTORIES) if inventory else (),
        ),
        inspections_per_property=_number(
            "spec.inspectionsPerProperty", spec.get("inspectionsPerProperty", 0), 0, 2000
        ),
        split_requests_per_cell=_number(
            "spec.splitRequestsPerCell", spec.get("splitRequestsPerCell", 0), 0, 1000
        ),
        min_success_ratio=_ratio("spec.minSuccessRatio", spec.get("minSuccessRatio", 0)),
        window_days=_number("spec.window.days", window.get("days", 14), 1, 480),
        data_state=DataState(data_state),
        max_catch_up_days=_number("spec.window.maxCatchUpDays", window.get("maxCatchUpDays", 60), 1, 480),
        search_types=search_types,
        dimension_sets=dimension_sets,
        workspaces=workspaces,
        destination_secret=_string(
            "spec.destination.secretRef.name", mapping(destination.get("secretRef")).get("name"), 253
        ),
        destination_schema=_string("spec.destination.schema", destination.get("schema", "gsc"), 48),
        retention_months=_number(
            "spec.destination.retentionMonths", destination.get("retentionMonths", 0), 0, 480
        ),
        freshness_seconds=_number(
            "spec.freshnessSeconds", spec.get("freshnessSeconds", 259_200), 1, 31_622_400
        ),
        resources=_resources(mapping(spec.get("resources"))),
        history=_history(mapping(spec.get("history"))),
        queue=_string("spec.queue", spec.get("queue", "gsc-sync"), 63),
        priority=_number("spec.priority", spec.get("priority", 1), 0, 9),
        environments=_strings("spec.environments", spec.get("environments", [])),
        rollout=_rollout(mapping(spec.get("rollout"))),
    )


def _catch_up(value: Mapping[str, Any]) -> CatchUp:
    return CatchUp(
        policy=CatchUpPolicy(
            _choice("spec.catchUp.policy", value.get("policy", "Latest"), tuple(CatchUpPolicy))
        ),
        max_runs=_number("spec.catchUp.maxRuns", value.get("maxRuns", 10), 1, 100),
        max_age_seconds=_number(
            "spec.catchUp.maxAgeSeconds", value.get("maxAgeSeconds", 604_800), 0, 31_622_400
        ),
    )


def _retry(value: Mapping[str, Any]) -> RetryPolicy:
    backoff, path = mapping(value.get("backoff")), "spec.retry.backoff"
    return RetryPolicy(
        max_attempts=_number("spec.retry.maxAttempts", value.get("maxAttempts", 3), 1, 20),
        max_snoozes=_number("spec.retry.maxSnoozes", value.get("maxSnoozes", 50), 0, 1000),
        backoff=Backoff(
            type=BackoffType(_choice(f"{path}.type", backoff.get("type", "Oban"), tuple(BackoffType))),
            base_seconds=_number(f"{path}.baseSeconds", backoff.get("baseSeconds", 30), 1, 86_400),
            max_seconds=_number(f"{path}.maxSeconds", backoff.get("maxSeconds", 3600), 1, 86_400),
        ),
    )


def _history(value: Mapping[str, Any]) -> HistoryLimits:
    return HistoryLimits(
        successful=_number("spec.history.successfulLimit", value.get("successfulLimit", 3), 0, 100),
        failed=_number("spec.history.failedLimit", value.get("failedLimit", 5), 0, 100),
        max_age_seconds=_number(
            "spec.history.maxAgeSeconds", value.get("maxAgeSeconds", 86_400), 60, 31_622_400
        ),
    )


def _rollout(value: Mapping[str, Any]) -> Rollout:
    path = "spec.rollout"
    return Rollout(
        include=_strings(f"{path}.include", value.get("include", [])),
        exclude=_strings(f"{path}.exclude", value.get("exclude", [])),
        percent_of_workspaces=_number(
            f"{path}.percentOfWorkspaces", value.get("percentOfWorkspaces", 100), 0, 100
        ),
        percent_of_time=_number(f"{path}.percentOfTime", value.get("percentOfTime", 100), 0, 100),
    )


def _workspace(path: str, item: Mapping[str, Any]) -> WorkspaceSpec:
    properties = mapping(item.get("properties"))
    subject = item.get("subject")
    return WorkspaceSpec(
        name=_string(f"{path}.name", item.get("name"), 63),
        credentials=_credentials(path, item),
        subject=None if subject is None else _string(f"{path}.subject", subject, 320),
        include=_strings(f"{path}.properties.include", properties.get("include", ["*"])),
        exclude=_strings(f"{path}.properties.exclude", properties.get("exclude", [])),
    )


def _credentials(path: str, item: Mapping[str, Any]) -> SecretKey | OAuthSecret | Ambient:
    file, oauth = mapping(item.get("credentialsSecretRef")), mapping(item.get("oauthSecretRef"))
    if (own := item.get("credentials")) is not None:
        _choice(f"{path}.credentials", own, ("Ambient",))
        if file or oauth or item.get("subject") is not None:
            raise _Problem(
                f"`{path}.credentials: Ambient` must stand alone: no Secret, which would never be read, and no `subject`, for which"
                " the identity of a pod cannot act"
            )
        return Ambient()
    if oauth and not file:
        return OAuthSecret(_string(f"{path}.oauthSecretRef.name", oauth.get("name"), 253))
    return SecretKey(
        name=_string(f"{path}.credentialsSecretRef.name", file.get("name"), 253),
        key=_string(f"{path}.credentialsSecretRef.key", file.get("key", "credentials.json"), 253),
    )


def _resources(resources: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    return tuple(
        (
            kind,
            tuple(sorted((text(name), str(amount)) for name, amount in mapping(resources.get(kind)).items())),
        )
        for kind in ("requests", "limits")
        if mapping(resources.get(kind))
    )


def _string(path: str, value: object, limit: int) -> str:
    if not isinstance(value, str) or not value or len(value) > limit:
        raise _Problem(f"`{path}` must be a text of 1 to {limit} characters")
    return value


def _number(path: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _Problem(f"`{path}` must be a whole number from {low} to {high}")
    return value


def _ratio(path: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise _Problem(f"`{path}` must be a number from 0 to 1")
    return float(value)


def _items(path: str, value: object, limit: int) -> Sequence[object]:
    if not isinstance(value, list | tuple) or len(value) > limit:
        raise _Problem(f"`{path}` must be a list of at most {limit} entries")
    return value


def _strings(path: str, value: object) -> tuple[str, ...]:
    return tuple(
        _string(f"{path}[{index}]", item, 2048) for index, item in enumerate(_items(path, value, 100))
    )


def _choice(path: str, value: object, allowed: Sequence[str]) -> str:
    return _choices(path, [value], allowed)[0]


def _choices(path: str, value: object, allowed: Sequence[str]) -> tuple[str, ...]:
    chosen = _items(path, value, len(allowed))
    if not chosen or any(item not in allowed for item in chosen):
        quoted = ", ".join(f"'{item}'" for item in allowed)
        raise _Problem(f"`{path}` must be of {quoted}")
    return tuple(dict.fromkeys(cast("Sequence[str]", chosen)))
