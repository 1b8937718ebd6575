"""From `kubectl apply` to rows in Postgres, on real containers. The stories build on each other, in this order."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from demo import scenario
from demo.stage import RELEASE, Stage
from tests.e2e.conftest import ROOT, eventually

pytestmark = [pytest.mark.needs_node, pytest.mark.timeout(1200)]


def status(stage: Stage, name: str) -> dict[str, Any]:
    return dict(stage.kubectl.get("gscsyncschedule", name).get("status") or {})


def condition(stage: Stage, name: str, kind: str) -> dict[str, Any]:
    return next((c for c in status(stage, name).get("conditions", []) if c["type"] == kind), {})


def runs(stage: Stage, name: str) -> list[dict[str, Any]]:
    return list(status(stage, name).get("history") or [])


def jobs(stage: Stage, name: str) -> list[dict[str, Any]]:
    return list(stage.kubectl.get("jobs", "-l", f"gscsync.io/schedule={name}")["items"])


def test_the_demo_shows_its_three_endings(demo_output: str, stage: Stage) -> None:
    assert "Succeeded" in demo_output
    assert "PartiallySucceeded" in demo_output
    assert runs(stage, "healthy")[0]["outcome"] == "Succeeded"
    assert runs(stage, "partial")[0]["outcome"] == "PartiallySucceeded"
    quota = status(stage, "quota")
    assert quota["history"][0]["outcome"] == "Succeeded"
    assert quota["counters"]["snoozes"] >= 1, "the load-quota refusal must have snoozed the run"
    assert quota["history"][0]["attempts"] == 1, "a snooze gives the attempt back"


def test_the_rows_in_postgres_are_the_data_set(stage: Stage) -> None:
    for expectation in scenario.expected_rows(stage, "healthy"):
        stored = stage.sql(
            "SELECT page, query, country, device, clicks, impressions, position FROM gsc.v_page_query"
            f" WHERE property = '{expectation.property}' AND search_type = 'web' AND day = '{expectation.day}'"
        )
        assert sorted(map(tuple, stored)) == sorted(expectation.rows)


def test_the_list_fits_a_terminal(stage: Stage) -> None:
    text = stage.kubectl.run("get", "gscsyncs")
    header = text.splitlines()[0]
    for column in ("WS", "SCHEDULE", "READY", "RESULT", "SUCCESS", "FAILURES", "RETRIES", "NEXT RUN", "AGE"):
        assert column in header
    assert max(map(len, text.splitlines())) <= 120
    assert "<invalid>" not in text


def test_a_missing_secret_is_retried_and_heals_when_it_appears(stage: Stage) -> None:
    stage.schedules(scenario.schedule("late-secret", credentials="late-google", run_on_create=True))
    eventually(
        "the first attempt fails for the missing Secret",
        lambda: (status(stage, "late-secret").get("currentRun") or {}).get("errors"),
    )
    error = status(stage, "late-secret")["currentRun"]["errors"][0]
    assert "late-google" in error["message"], "the message must name the Secret to add"
    stage.secret("late-google", scenario.credentials(stage, "acme"))
    eventually("the retry succeeds", lambda: runs(stage, "late-secret") and runs(stage, "late-secret")[0])
    last = runs(stage, "late-secret")[0]
    assert (last["outcome"], last["attempts"]) == ("Succeeded", 2)
    assert status(stage, "late-secret")["counters"]["retries"] == 1


def test_run_now_runs_once_per_token(stage: Stage) -> None:
    before = len(jobs(stage, "healthy"))
    annotate = ("annotate", "--overwrite", "gscsync", "healthy", "gscsync.io/run-now=by-hand-1")
    # The first run of the schedule was minutes ago and was not by hand, so this one is not refused.
    stage.kubectl.run(*annotate)
    eventually(
        "a manual run finishes",
        lambda: runs(stage, "healthy")[0]["trigger"] == "Manual" and runs(stage, "healthy")[0],
    )
    stage.kubectl.run(*annotate)
    eventually("the token stays handled", lambda: len(jobs(stage, "healthy")) == before + 1)
    assert runs(stage, "healthy")[0]["rowsWritten"] == 0, "nothing changed, so nothing was written"


def test_the_operator_killed_mid_run_loses_nothing(stage: Stage) -> None:
    scenario.slow_down(stage, milliseconds=400)
    stage.kubectl.run("annotate", "--overwrite", "gscsync", "partial", "gscsync.io/run-now=kill-1")
    run = eventually(
        "the run is running",
        lambda: (
            (status(stage, "partial").get("currentRun") or {}).get("state") == "Running"
            and status(stage, "partial")["currentRun"]
        ),
    )
    stage.kubectl.run(
        "delete", "pod", "-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force"
    )
    scenario.slow_down(stage, milliseconds=0)
    eventually(
        "the run is recorded by the next operator",
        lambda: [r for r in runs(stage, "partial") if r["id"] == run["id"]],
        within=180,
    )
    launches = [
        j["metadata"]["labels"]["gscsync.io/launch"]
        for j in jobs(stage, "partial")
        if j["metadata"]["labels"]["gscsync.io/run"] == run["id"]
    ]
    assert len(launches) == len(set(launches)) == 1
    assert [r["id"] for r in runs(stage, "partial")].count(run["id"]) == 1


def test_both_pods_are_restricted_and_hold_no_token(stage: Stage) -> None:
    for pod in stage.kubectl.get("pods", "-l", "gscsync.io/schedule")["items"]:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not any(
            "serviceaccount" in mount["mountPath"]
            for mount in pod["spec"]["containers"][0].get("volumeMounts", [])
        )
    namespace = stage.kubectl.get("namespace", stage.kubectl.namespace)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_operator_may_not_read_secrets(stage: Stage) -> None:
    account = f"system:serviceaccount:{stage.kubectl.namespace}:{stage.kubectl.get('deployment', '-l', 'app.kubernetes.io/component=operator')['items'][0]['spec']['template']['spec']['serviceAccountName']}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": account,
            "resourceAttributes": {
                "namespace": stage.kubectl.namespace,
                "verb": "get",
                "resource": "secrets",
            },
        },
    }
    answer = json.loads(stage.kubectl.run("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    assert answer["status"]["allowed"] is False


def test_the_three_recoveries_as_a_person_would_watch_them(stage: Stage) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "recover"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "all three recovered" in done.stdout


def test_uninstalling_leaves_nothing_stuck(stage: Stage) -> None:
    stage.kubectl.run_helm("uninstall", RELEASE, "--wait", "--timeout", "120s")
    for schedule in stage.kubectl.get("gscsyncschedules")["items"]:
        assert not schedule["metadata"].get("finalizers")
    start = time.monotonic()
    stage.kubectl.run("delete", "gscsyncschedules", "--all", "--timeout=60s")
    assert time.monotonic() - start < 60
    eventually("the Jobs went with their schedules", lambda: not stage.kubectl.get("jobs")["items"])
