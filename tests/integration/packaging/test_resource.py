"""What a person can and cannot write, as a real API server answers."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from controller.decide.cron import Cron, CronError
from controller.decide.epoch import cron_of
from controller.model.parse import parse_schedule
from controller.model.policy import Site
from controller.model.status import (
    Condition,
    ConditionType,
    Counters,
    Outcome,
    RunRecord,
    Status,
)
from controller.model.status_io import write_status
from tests.integration.packaging.conftest import API, Server
from tests.unit.packaging.shared import ROOT, schema
from tests.unit.packaging.test_crd_text import FIELDS, FULL

pytestmark = [pytest.mark.needs_cluster]

SECRET = {"credentialsSecretRef": {"name": "acme-google"}}
MISSING = object()


def schedule(changes: dict[str, Any] | None = None, name: str = "marketing") -> dict[str, Any]:
    """A small valid schedule with fields changed by dotted path."""
    body: dict[str, Any] = {
        "apiVersion": "gscsync.io/v1beta1",
        "kind": "GscSyncSchedule",
        "metadata": {"name": name},
        "spec": {
            "schedule": "0 4 * * *",
            "workspaces": [{"name": "acme", **copy.deepcopy(SECRET)}],
            "destination": {"secretRef": {"name": "warehouse"}},
        },
    }
    for path, value in (changes or {}).items():
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        node: Any = body["spec"]
        for parent in parents:
            node = node[parent] if isinstance(parent, int) else node.setdefault(parent, {})
        if value is MISSING:
            del node[last]
        else:
            node[last] = value
    return body


ACCEPTED_CRON = [
    "0 4 * * *", "*/15 * * * *", "0,30 9-17 * * 1-5", "0 0 1 1 *", "59 23 31 12 7", "5 4 * * sun", "0 0 * jan,JUL MON-FRI",
    "0-30/10 * * * *", "00 04 01 01 0", "0  4 * *  *", "0 0 29 2 *", "0 0 29 feb *", "0 0 31 1,2 *", "0 0 30 2 1", "0 0 31 4-5 *",
    "*/15,3 * * * *", "* * * * *", "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually",
]  # fmt: skip


@pytest.mark.parametrize("cron", ACCEPTED_CRON)
def test_schedules_that_are_accepted_are_understood_by_the_operator(server: Server, cron: str) -> None:
    code, answer = server.dry_run(schedule({"schedule": cron}))
    assert code == 201, answer["message"]
    assert Cron.parse(cron, "Etc/UTC").next_after(datetime(2026, 11, 27, tzinfo=UTC))


REFUSED_CRON = {
    "0 0 4 * * *": "exactly five fields",
    "0 4 * *": "exactly five fields",
    "0 4 * * * 2027": "exactly five fields",
    "daily": "exactly five fields",
    " 0 4 * * *": "exactly five fields",
    "TZ=Europe/Warsaw 0 4 * * *": "set `timeZone` instead",
    "CRON_TZ=UTC 0 4 * * *": "set `timeZone` instead",
    "@reboot": "'@hourly', '@daily'",
    "@every 5m": "'@hourly', '@daily'",
    "@DAILY": "'@hourly', '@daily'",
    "60 4 * * *": "field 1, minute",
    "*/0 4 * * *": "field 1, minute",
    "1, 4 * * *": "field 1, minute",
    "1-2-3 4 * * *": "field 1, minute",
    "0 24 * * *": "field 2, hour",
    "0 4 0 * *": "field 3, day of month",
    "0 4 32 * *": "field 3, day of month",
    "0 4 L * *": "field 3, day of month",
    "0 4 * 13 *": "field 4, month",
    "0 4 * JANUARY *": "field 4, month",
    "0 4 * * 8": "field 5, day of week",
    "0 4 * * MON#1": "field 5, day of week",
    "0 4 * * ?": "field 5, day of week",
}
IMPOSSIBLE_DATES = {
    "T6 31 February": "0 0 31 2 *",
    "T6 30 February": "0 0 30 2 *",
    "T6 30 and 31, by name": "0 0 30,31 FEB *",
    "T6 a range": "0 0 30-31 02 *",
    "T6 31 in short months": "0 0 31 4,6,9,11 *",
    "T6 31 November": "0 0 31 Nov *",
}


@pytest.mark.parametrize("cron", REFUSED_CRON)
def test_schedules_that_are_refused_say_what_is_allowed(server: Server, cron: str) -> None:
    code, answer = server.dry_run(schedule({"schedule": cron}))
    assert code == 422
    assert REFUSED_CRON[cron] in answer["message"]


@pytest.mark.parametrize("cron", IMPOSSIBLE_DATES.values(), ids=IMPOSSIBLE_DATES.keys())
def test_a_date_that_never_comes_is_refused(server: Server, cron: str) -> None:
    code, answer = server.dry_run(schedule({"schedule": cron}))
    assert code == 422
    assert "must name a date that exists" in answer["message"]
    if cron != " 0 4 * * *":
        with pytest.raises(CronError):
            Cron.parse(cron, "Etc/UTC")


ACCEPTED = {
    "a zone": {"timeZone": "Europe/Warsaw"},
    "a zone in three parts": {"timeZone": "America/Argentina/Buenos_Aires"},
    "an offset zone": {"timeZone": "Etc/GMT+5"},
    "the bounds, low": {
        "timeoutSeconds": 1, "pendingDeadlineSeconds": 1, "freshnessSeconds": 1, "catchUp.maxAgeSeconds": 1, "window.days": 1,
        "retry.maxAttempts": 1, "retry.maxSnoozes": 0, "minSuccessRatio": 0,
    },
    "the bounds, high": {
        "timeoutSeconds": 86400, "pendingDeadlineSeconds": 86400, "freshnessSeconds": 31536000, "catchUp.maxAgeSeconds": 31536000,
        "window.days": 480, "retry.maxAttempts": 20, "retry.maxSnoozes": 1000, "minSuccessRatio": 1,
    },
    "half of the workspaces": {"minSuccessRatio": 0.5},
    "all search types": {"searchTypes": ["web", "image", "video", "news", "discover", "googleNews"]},
    "settled days": {"window.dataState": "Final"},
    "an OAuth client": {"workspaces": [{"name": "a", "oauthSecretRef": {"name": "a-oauth"}}]},
    "an OAuth client and no subject": {"workspaces": [{"name": "a", "oauthSecretRef": {"name": "a-oauth"}, "subject": None}]},
    "the identity of the pod": {"workspaces": [{"name": "a", "credentials": "Ambient"}]},
    "the identity of the pod beside a Secret": {
        "workspaces": [{"name": "a", "credentials": "Ambient"}, {"name": "b", **SECRET}],
    },
    "a subject": {"workspaces": [{"name": "a", **SECRET, "subject": "seo@acme.com"}]},
    "no subject": {"workspaces.0.subject": None},
    "a hundred workspaces": {"workspaces": [{"name": f"w{n}", **SECRET} for n in range(100)]},
    "the longest names": {
        "workspaces": [{"name": "w" * 63, "credentialsSecretRef": {"name": "s" * 253, "key": "k" * 253}}],
        "destination.schema": "s" * 48,
    },
    "whole cores": {"resources": {"requests": {"cpu": 1}, "limits": {"cpu": "1000m"}}},
    "resources": {"resources": {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "1024Mi", "ephemeral-storage": "1G"}}},
    "only a limit": {"resources": {"limits": {"memory": "1Gi"}}},
    "every slot, side by side": {"concurrencyPolicy": "Allow", "catchUp": {"policy": "All", "maxRuns": 100}},
    "no catch-up, each replacing the last": {"concurrencyPolicy": "Replace", "catchUp.policy": "None"},
    "another back-off": {"retry.backoff": {"type": "Exponential", "baseSeconds": 1, "maxSeconds": 86400}},
    "queue and priority": {"queue": "nightly-2", "priority": 9},
    "environments and a rollout": {
        "environments": ["production"],
        "rollout": {"include": ["acme"], "exclude": ["b"], "percentOfWorkspaces": 0, "percentOfTime": 0},
    },
    "no history": {"history": {"successfulLimit": 0, "failedLimit": 0, "maxAgeSeconds": 60}},
}  # fmt: skip


@pytest.mark.parametrize(
    "cron", ["H 4 * * *", "H/15 * * * *", "H(0-29)/10 H(1-5) H * *", "0 H * H H", "H,30 4 * * *"]
)
def test_a_value_of_the_objects_own_is_accepted(server: Server, cron: str) -> None:
    code, answer = server.dry_run(schedule({"schedule": cron}))
    assert code == 201, answer["message"]
    assert cron_of(parse_schedule(answer), Site())[1] == ""


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(server: Server, changes: dict[str, Any]) -> None:
    code, answer = server.dry_run(schedule(changes))
    assert code == 201, answer["message"]
    assert parse_schedule(answer).problem == "", "the operator takes what the schema takes"


TWO_SOURCES = [{"name": "a", **SECRET, "oauthSecretRef": {"name": "a-oauth"}}]
REFUSED = {
    "a window of no days": ({"window.days": 0}, "greater than or equal to 1"),
    "a window beyond Google's memory": ({"window.days": 481}, "less than or equal to 480"),
    "two credential sources": ({"workspaces": TWO_SOURCES}, "exactly one credential source"),
    "no credential source": ({"workspaces": [{"name": "a"}]}, "exactly one credential source"),
    "a subject for a person's token": (
        {"workspaces": [{"name": "a", "oauthSecretRef": {"name": "o"}, "subject": "x@y.z"}]},
        "only a service account can act",
    ),
    "a Secret beside the identity of the pod": (
        {"workspaces": [{"name": "a", "credentials": "Ambient", **SECRET}]},
        "exactly one credential source",
    ),
    "all three credential sources": (
        {"workspaces": [{**TWO_SOURCES[0], "credentials": "Ambient"}]},
        "exactly one credential source",
    ),
    "a subject for the identity of the pod": (
        {"workspaces": [{"name": "a", "credentials": "Ambient", "subject": "x@y.z"}]},
        "only a service account can act",
    ),
    "an unknown kind of credentials": (
        {"workspaces": [{"name": "a", "credentials": "Default"}]},
        'supported values: "Ambient"',
    ),
    "an unknown key": ({"timezone": "Etc/UTC"}, 'unknown field "spec.timezone"'),
    "an unknown key deep inside": (
        {"workspaces.0.namespace": "other"},
        'unknown field "spec.workspaces[0].namespace"',
    ),
    "an image": ({"image": "evil"}, 'unknown field "spec.image"'),
    "a pod template": ({"template": {"spec": {}}}, 'unknown field "spec.template"'),
    "too many shards": ({"shards": 33}, "less than or equal to 32"),
    "a field of a later release": ({"steps": 1}, 'unknown field "spec.steps"'),
    "an unknown policy": ({"concurrencyPolicy": "Maybe"}, 'supported values: "Forbid", "Replace", "Allow"'),
    "an unknown catch-up": ({"catchUp.policy": "Some"}, 'supported values: "Latest", "All", "None"'),
    "every slot, each replacing the last": (
        {"catchUp.policy": "All", "concurrencyPolicy": "Replace"},
        "`catchUp.policy` must be 'Latest' or 'None'",
    ),
    "an unknown back-off": (
        {"retry.backoff.type": "Linear"},
        'supported values: "Oban", "Exponential", "Fixed"',
    ),
    "priority 10": ({"priority": 10}, "should be less than or equal to 9"),
    "101 percent": ({"rollout.percentOfTime": 101}, "should be less than or equal to 100"),
    "a queue in capitals": ({"queue": "Big"}, "spec.queue"),
    "a history of one second": ({"history.maxAgeSeconds": 1}, "should be greater than or equal to 60"),
    "an H without a range's end": ({"schedule": "H(0-) 4 * * *"}, "`schedule` field 1, minute, must be"),
    "no schedule": ({"schedule": MISSING}, "spec.schedule: Required value"),
    "no destination": ({"destination": MISSING}, "spec.destination: Required value"),
    "no workspaces": ({"workspaces": []}, "should have at least 1 items"),
    "too many workspaces": (
        {"workspaces": [{"name": f"w{n}", **SECRET} for n in range(101)]},
        "must have at most 100 items",
    ),
    "a workspace twice": ({"workspaces": [{"name": "a", **SECRET}] * 2}, "Duplicate value"),
    "a workspace without a name": ({"workspaces": [SECRET]}, "name: Required value"),
    "a workspace with capitals": ({"workspaces.0.name": "Acme"}, "should match"),
    "a Secret in another namespace": ({"destination.secretRef.name": "other/warehouse"}, "should match"),
    "a key that climbs": ({"workspaces.0.credentialsSecretRef.key": ".."}, "must be the name of a key"),
    "a key with a path": ({"workspaces.0.credentialsSecretRef.key": "a/b"}, "should match"),
    "no patterns": ({"workspaces.0.properties.include": []}, "should have at least 1 items"),
    "a pattern twice": ({"workspaces.0.properties.include": ["a", "a"]}, "Duplicate value"),
    "an endless pattern": ({"workspaces.0.properties.include": ["a" * 2049]}, "Too long"),
    "an unknown search type": ({"searchTypes": ["podcasts"]}, "supported values"),
    "a search type twice": ({"searchTypes": ["web", "web"]}, "Duplicate value"),
    "no search type": ({"searchTypes": []}, "should have at least 1 items"),
    "an unknown dimension set": ({"dimensionSets": ["everything"]}, "supported values"),
    "an unknown data state": ({"window.dataState": "Fresh"}, "supported values"),
    "no attempt": ({"retry.maxAttempts": 0}, "greater than or equal to 1"),
    "endless attempts": ({"retry.maxAttempts": 21}, "less than or equal to 20"),
    "no time": ({"timeoutSeconds": 0}, "greater than or equal to 1"),
    "a text for a number": ({"timeoutSeconds": "600"}, "must be of type integer"),
    "a fraction for a number": ({"timeoutSeconds": 1.5}, "must be of type integer"),
    "more than all workspaces": ({"minSuccessRatio": 1.1}, "less than or equal to 1"),
    "a zone that is none": ({"timeZone": "Berlin time"}, "must be an IANA zone name"),
    "the machine's zone": ({"timeZone": "Local"}, "must be an IANA zone name"),
    "a zone with a path": ({"timeZone": "../etc/passwd"}, "must be an IANA zone name"),
    "a schema of Postgres": ({"destination.schema": "pg_catalog"}, "must not be a system schema"),
    "the information schema": ({"destination.schema": "information_schema"}, "must not be a system schema"),
    "a schema with a quote": ({"destination.schema": 'a"; drop'}, "should match"),
    "a host in the resource": ({"destination.host": "evil.example"}, 'unknown field "spec.destination.host"'),
    "another resource": ({"resources.limits": {"nvidia.com/gpu": 1}}, "unknown field"),
    "a quantity that is none": ({"resources.limits": {"memory": "lots"}}, "should match"),
    "a negative quantity": ({"resources.limits": {"memory": "-1Gi"}}, "should match"),
    "cpu upside down": (
        {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "500m"}}},
        "must not be greater than `limits.cpu`",
    ),
    "memory upside down": (
        {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}},
        "must not be greater than `limits.memory`",
    ),
    "disk upside down": (
        {"resources": {"requests": {"ephemeral-storage": "2Gi"}, "limits": {"ephemeral-storage": "1Gi"}}},
        "must not be greater than `limits.ephemeral-storage`",
    ),
}


@pytest.mark.parametrize(("changes", "says"), REFUSED.values(), ids=REFUSED)
def test_refused(server: Server, changes: dict[str, Any], says: str) -> None:
    code, answer = server.dry_run(schedule(changes))
    assert code in {400, 422}
    assert says in answer["message"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("a", 201), ("a" * 52, 201), ("a" * 53, 422), ("with.dots", 201), ("Capital", 422), ("ünicode", 422)],
    ids=["1 character", "52 characters", "53 characters", "dots", "capitals", "other letters"],
)
def test_names(server: Server, name: str, code: int) -> None:
    got, answer = server.dry_run(schedule(name=name))
    assert got == code
    if len(name) == 53:
        assert "`metadata.name` must be at most 52 characters" in answer["message"]


def defaults(node: dict[str, Any]) -> Any:
    """What the schema gives to a field that is not written."""
    made = copy.deepcopy(node.get("default"))
    if isinstance(made, dict):
        for name, child in node.get("properties", {}).items():
            if "default" in child:
                made[name] = defaults(child)
    return made


def test_defaults_are_visible_after_apply(server: Server) -> None:
    _, answer = server.dry_run(schedule())
    spec = answer["spec"]
    for name, node in schema()["properties"]["spec"]["properties"].items():
        if "default" in node:
            assert spec[name] == defaults(node), name
    assert spec["workspaces"][0]["credentialsSecretRef"]["key"] == "credentials.json"
    assert spec["workspaces"][0]["properties"] == {"include": ["*"], "exclude": []}
    assert spec["destination"]["schema"] == "gsc"
    assert spec["retry"] == {
        "maxAttempts": 3,
        "backoff": {"type": "Oban", "baseSeconds": 30, "maxSeconds": 3600},
        "maxSnoozes": 50,
    }
    assert spec["window"] == {"days": 14, "dataState": "All", "maxCatchUpDays": 60}
    assert spec["catchUp"] == {"policy": "Latest", "maxRuns": 10, "maxAgeSeconds": 604800}


def test_the_operators_own_defaults_are_the_same(server: Server) -> None:
    _, written_out = server.dry_run(schedule())
    assert parse_schedule(written_out).spec == parse_schedule(schedule()).spec


def test_a_refusal_by_kubectl_can_be_read_by_a_person(server: Server) -> None:
    done = server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(schedule({"schedule": "0 0 4 * * *"})))
    assert done.returncode == 1
    assert (
        "must have exactly five fields separated by spaces (minute hour day-of-month month day-of-week)"
        in done.stderr
    )
    done = server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(schedule({"windows": {"days": 3}})))
    assert done.returncode == 1
    assert 'unknown field "spec.windows"' in done.stderr


def test_samples_apply_and_a_second_apply_changes_nothing(server: Server) -> None:
    def versions() -> str:
        path = "jsonpath={.items[*].metadata.resourceVersion}"
        return server.kubectl("get", "gscsyncs", "-n", "gsc-sync", "-o", path).stdout

    server.kubectl("create", "namespace", "gsc-sync")
    first = server.kubectl("apply", "-k", str(ROOT / "manifests" / "samples"))
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("created") == 7
    before = versions()
    assert len(before.split()) == 4
    assert server.kubectl("apply", "-k", str(ROOT / "manifests" / "samples")).returncode == 0
    assert versions() == before
    assert server.kubectl("diff", "-k", str(ROOT / "manifests" / "samples")).stdout == ""


def test_a_schedule_with_the_defaults_of_its_workspaces_written_out_is_unchanged_for_kubectl(
    server: Server,
) -> None:
    workspace = {
        "name": "acme",
        "credentialsSecretRef": {"name": "acme-google", "key": "credentials.json"},
        "properties": {"include": ["*"], "exclude": []},
    }
    text = yaml.safe_dump(schedule({"workspaces": [workspace]}, "written-out"))
    assert "created" in server.kubectl("apply", "-f", "-", stdin=text).stdout
    assert "unchanged" in server.kubectl("apply", "-f", "-", stdin=text).stdout


@pytest.mark.parametrize(
    "word",
    ["gscsync", "gscsyncs", "gscsyncschedule", "gscsyncschedules", "gscsyncschedules.gscsync.io", "gsc"],
)
def test_every_name_of_the_resource_works(server: Server, word: str) -> None:
    assert server.kubectl("get", word).returncode == 0


def test_suspended_schedules_can_be_selected(server: Server) -> None:
    server.call("POST", API, schedule({"suspend": True}, "paused"))
    listed = server.kubectl("get", "gscsyncs", "--field-selector", "spec.suspend=true", "-o", "name").stdout
    assert listed.split() == ["gscsyncschedule.gscsync.io/paused"]


def test_explain_has_a_text_for_every_field(server: Server) -> None:
    explained = server.kubectl("explain", "gscsyncschedules", "--recursive").stdout
    names = {path.rsplit(".", 1)[-1].removesuffix("[]") for path in FIELDS if path}
    assert not [name for name in names if not re.search(rf"\b{re.escape(name)}\b", explained)]
    text = server.kubectl("explain", "gscsyncschedules.spec.retry.maxAttempts").stdout
    assert "Default: 3. Example: 5." in " ".join(text.split())


RUN = RunRecord(
    run_id="29412960",
    slot=datetime(2026, 11, 27, 4, tzinfo=UTC),
    trigger="Cron",
    outcome=Outcome.PARTIALLY_SUCCEEDED,
    attempts=2,
    launches=2,
    finished_at=datetime(2026, 11, 27, 4, 1, tzinfo=UTC),
    duration_seconds=60,
    workspaces_ok=9,
    workspaces_total=10,
    rows_written=1_234_567,
)


def put_status(server: Server, name: str, status: Status) -> None:
    body = server.call("GET", f"{API}/{name}")[1]
    code, answer = server.call(
        "PATCH",
        f"{API}/{name}/status",
        {"status": write_status(status, parse_schedule(body))},
        fieldValidation="Strict",
    )
    assert code == 200, answer["message"]


def test_the_fullest_status_is_stored_as_written(server: Server) -> None:
    server.call("POST", API, schedule(name="full"))
    put_status(server, "full", FULL)
    stored = server.call("GET", f"{API}/full")[1]
    assert {path.split(".")[2].removesuffix("[]") for path in FIELDS if path.startswith(".status.")} == set(
        stored["status"]
    )


def test_a_line_for_each_schedule_fits_120_columns(server: Server) -> None:
    now = datetime.now(UTC)
    for name, cron, outcome in (
        ("marketing", "0 4 * * *", Outcome.SUCCEEDED),
        ("partial", "0 */6 * * *", Outcome.PARTIALLY_SUCCEEDED),
        ("quota", "30 5 * * 1-5", Outcome.FAILED),
    ):
        server.call("POST", API, schedule({"schedule": cron}, name))
        status = Status(
            last_run=replace(RUN, outcome=outcome),
            last_success_at=now - timedelta(minutes=3),
            next_slots=(datetime(2026, 11, 28, 4, tzinfo=UTC),),
            consecutive_failures=12,
            counters=Counters(retries=120),
            conditions=(
                Condition(
                    ConditionType.READY, "True", "Scheduled", "next run at 2026-11-28T04:00:00Z", 1, now
                ),
            ),
        )
        put_status(server, name, status)
    table = server.kubectl("get", "gscsyncs", "marketing", "partial", "quota").stdout.splitlines()
    assert table[0].split() == [
        "NAME",
        "WS",
        "SCHEDULE",
        "READY",
        "RESULT",
        "SUCCESS",
        "FAILURES",
        "RETRIES",
        "NEXT",
        "RUN",
        "AGE",
    ]
    assert max(len(line.rstrip()) for line in table) <= 120, "\n".join(table)
    assert "<invalid>" not in "".join(table)
    assert "2026-11-28T04:00" in table[1]
    wide = server.kubectl("get", "gscsyncs", "marketing", "-o", "wide").stdout
    assert {"ZONE", "ACTIVE", "ROWS", "UNTIL", "MESSAGE"} <= set(wide.splitlines()[0].split())
    assert "1234567" in wide


def test_status_is_written_by_its_own_door_alone(server: Server) -> None:
    server.call("POST", API, {**schedule(name="door"), "status": {"active": 7}})
    assert "status" not in server.call("GET", f"{API}/door")[1]
    code, _ = server.call("PATCH", f"{API}/door/status", {"spec": {"suspend": True}, "status": {"active": 1}})
    assert code == 200
    stored = server.call("GET", f"{API}/door")[1]
    assert stored["spec"]["suspend"] is False
    assert stored["status"]["active"] == 1
