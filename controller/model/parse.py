"""Parsing: bodies from the API server into the records of this package. Pure, and it never raises for bad content.

The schema refuses most nonsense at `kubectl apply`; what was stored under a laxer one must neither stop the operator nor be
taken for something else. A schedule that cannot be read becomes `spec=None` with a `problem` that says what is allowed
(`fields`); whether its expression and zone mean something is for `decide.cron` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from controller.model.fields import LABEL, SCHEMA, SECRET_KEY, SUBDOMAIN, Fields, Problem
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
_DAY, _YEAR = 86_400, 31_536_000
_RESOURCES = ("cpu", "ephemeral-storage", "memory")


def parse_schedule(body: Mapping[str, Any]) -> Schedule:
    """A schedule from its body; `spec` is None and `problem` set when it cannot be served."""
    metadata = mapping(body.get("metadata"))
    spec, problem = None, ""
    try:
        spec = _spec(Fields("spec", mapping(body.get("spec"))))
    except Problem as found:
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


def _spec(spec: Fields) -> Spec:
    window, destination = spec.inside("window"), spec.inside("destination")
    workspaces = tuple(_workspace(item) for item in spec.objects("workspaces", 100))
    if not workspaces:
        raise Problem("`spec.workspaces` must have at least one entry")
    if len({workspace.name for workspace in workspaces}) != len(workspaces):
        raise Problem("`spec.workspaces` must have distinct names")
    search_types = cast("tuple[SearchType, ...]", spec.choices("searchTypes", SEARCH_TYPES, ("web",)))
    dimension_sets = cast(
        "tuple[DimensionSet, ...]", spec.choices("dimensionSets", DIMENSION_SETS, ("page-query",))
    )
    if nothing := nothing_left(search_types, dimension_sets):
        raise Problem(f"`spec.searchTypes` and `spec.dimensionSets`: {nothing}")
    concurrency = ConcurrencyPolicy(spec.choice("concurrencyPolicy", tuple(ConcurrencyPolicy), "Forbid"))
    catch_up = _catch_up(spec.inside("catchUp"))
    if concurrency is ConcurrencyPolicy.REPLACE and catch_up.policy is CatchUpPolicy.ALL:
        raise Problem(
            "`spec.catchUp.policy` must be 'Latest' or 'None' with `concurrencyPolicy: Replace`: "
            "each run would take the place of the one before"
        )
    return Spec(
        schedule=spec.text("schedule", 256),
        time_zone=spec.text("timeZone", 64, "Etc/UTC"),
        suspend=spec.flag("suspend"),
        run_on_create=spec.flag("runOnCreate"),
        concurrency=concurrency,
        catch_up=catch_up,
        timeout_seconds=spec.whole("timeoutSeconds", 1, _DAY, 600),
        pending_deadline_seconds=spec.whole("pendingDeadlineSeconds", 1, _DAY, 300),
        retry=_retry(spec.inside("retry")),
        shards=spec.whole("shards", 1, MAX_SHARDS, 1),
        inventory=cast("tuple[Inventory, ...]", spec.choices("inventory", INVENTORIES, ())),
        inspections_per_property=spec.whole("inspectionsPerProperty", 0, 2000, 0),
        split_requests_per_cell=spec.whole("splitRequestsPerCell", 0, 1000, 0),
        min_success_ratio=spec.ratio("minSuccessRatio", 0.0),
        window_days=window.whole("days", 1, 480, 14),
        data_state=DataState(window.choice("dataState", tuple(DataState), "All")),
        max_catch_up_days=window.whole("maxCatchUpDays", 1, 480, 60),
        search_types=search_types,
        dimension_sets=dimension_sets,
        workspaces=workspaces,
        destination_secret=destination.inside("secretRef").text("name", 253, pattern=SUBDOMAIN),
        destination_schema=destination.text("schema", 48, "gsc", SCHEMA),
        retention_months=destination.whole("retentionMonths", 0, 480, 0),
        freshness_seconds=spec.whole("freshnessSeconds", 1, _YEAR, 259_200),
        resources=_resources(spec.inside("resources")),
        history=_history(spec.inside("history")),
        queue=spec.text("queue", 63, "gsc-sync", LABEL),
        priority=spec.whole("priority", 0, 9, 1),
        environments=spec.texts("environments", 16, 63),
        rollout=_rollout(spec.inside("rollout")),
    )


def _catch_up(given: Fields) -> CatchUp:
    return CatchUp(
        policy=CatchUpPolicy(given.choice("policy", tuple(CatchUpPolicy), "Latest")),
        max_runs=given.whole("maxRuns", 1, 100, 10),
        max_age_seconds=given.whole("maxAgeSeconds", 1, _YEAR, 604_800),
    )


def _retry(given: Fields) -> RetryPolicy:
    backoff = given.inside("backoff")
    return RetryPolicy(
        max_attempts=given.whole("maxAttempts", 1, 20, 3),
        max_snoozes=given.whole("maxSnoozes", 0, 1000, 50),
        backoff=Backoff(
            type=BackoffType(backoff.choice("type", tuple(BackoffType), "Oban")),
            base_seconds=backoff.whole("baseSeconds", 1, _DAY, 30),
            max_seconds=backoff.whole("maxSeconds", 1, _DAY, 3600),
        ),
    )


def _history(given: Fields) -> HistoryLimits:
    return HistoryLimits(
        successful=given.whole("successfulLimit", 0, 100, 3),
        failed=given.whole("failedLimit", 0, 100, 5),
        max_age_seconds=given.whole("maxAgeSeconds", 60, _YEAR, _DAY),
    )


def _rollout(given: Fields) -> Rollout:
    return Rollout(
        include=given.texts("include", 100, 63),
        exclude=given.texts("exclude", 100, 63),
        percent_of_workspaces=given.whole("percentOfWorkspaces", 0, 100, 100),
        percent_of_time=given.whole("percentOfTime", 0, 100, 100),
    )


def _workspace(given: Fields) -> WorkspaceSpec:
    properties = given.inside("properties")
    return WorkspaceSpec(
        name=given.text("name", 63, pattern=LABEL),
        credentials=_credentials(given),
        subject=given.text("subject", 320) if given.has("subject") else None,
        include=properties.texts("include", 100, 2048, ("*",)),
        exclude=properties.texts("exclude", 100, 2048),
    )


def _credentials(given: Fields) -> SecretKey | OAuthSecret | Ambient:
    file, oauth = given.inside("credentialsSecretRef"), given.inside("oauthSecretRef")
    if given.has("credentials"):
        given.choice("credentials", ("Ambient",))
        if any(map(given.has, ("credentialsSecretRef", "oauthSecretRef", "subject"))):
            raise Problem(
                f"`{given.path}.credentials: Ambient` must stand alone: no Secret, which would never be read, and no `subject`, for"
                " which the identity of a pod cannot act"
            )
        return Ambient()
    if given.has("oauthSecretRef"):
        if given.has("credentialsSecretRef") or given.has("subject"):
            raise Problem(
                f"`{given.path}.oauthSecretRef` must stand alone: a second credential would never be read, and a refresh token cannot"
                " act for a `subject`"
            )
        return OAuthSecret(oauth.text("name", 253, pattern=SUBDOMAIN))
    return SecretKey(
        name=file.text("name", 253, pattern=SUBDOMAIN),
        key=file.text("key", 253, "credentials.json", SECRET_KEY),
    )


def _resources(given: Fields) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    amounts = ((kind, given.inside(kind).quantities(_RESOURCES)) for kind in ("requests", "limits"))
    return tuple((kind, found) for kind, found in amounts if found)
