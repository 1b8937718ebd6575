"""docs/operations.md names every metric of the operator and no other; the alerts in it are whole."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from controller.decide.decide import decide
from controller.model.parse import parse_schedule
from controller.model.schedule import Schedule
from controller.model.status import Status
from controller.observe.metrics import Metrics
from tests.unit.controller.conftest import schedule_body

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text()
FILES = ROOT / "helm" / "gsc-sync-operator" / "files"
RULES = [
    rule for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
PANELS = json.loads((FILES / "dashboard.json").read_text())["panels"]


def exported() -> set[str]:
    registry = CollectorRegistry()
    Metrics(registry)
    return {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}


def test_the_page_names_exactly_the_metrics_there_are() -> None:
    assert set(re.findall(r"`(gsc_sync_\w+)`", PAGE)) == exported()


def test_every_metric_has_a_test_that_looks_at_its_figure() -> None:
    tests = "\n".join(
        path.read_text() for path in (ROOT / "tests" / "unit" / "controller").rglob("test_*.py")
    )
    assert {name for name in exported() if name.removeprefix("gsc_sync_") not in tests} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_whole_and_asks_for_metrics_that_exist(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert set(re.findall(r"gsc_sync_\w+", str(rule["expr"]))) <= exported()


def test_the_page_lists_exactly_the_alerts_there_are() -> None:
    section = PAGE.split("### Alerts and a dashboard")[1].split("\n### ")[0]
    assert re.findall(r"^\| `(GscSync\w+)` \|", section, re.MULTILINE) == [rule["alert"] for rule in RULES]


OF_SERVED_ONES = ["GscSyncNoSuccess", "GscSyncNeverSucceeded", "GscSyncRunFailed", "GscSyncDataOld"]


@pytest.mark.parametrize("name", OF_SERVED_ONES)
def test_a_suspended_schedule_is_not_told_of_since_nobody_expects_anything_of_it(name: str) -> None:
    """It has no next slot; these alerts ask for one, whatever pod tells it."""
    (rule,) = [rule for rule in RULES if rule["alert"] == name]
    asked = re.split(r" (?:and|unless) on\(namespace, schedule\) ", rule["expr"])
    assert len(asked) == 2, "two sides, matched by the schedule and by nothing of the pod"
    assert any("gsc_sync_schedule_next_timestamp_seconds" in side for side in asked)


def schedule(*, suspend: bool) -> Schedule:
    body = schedule_body("suspended" if suspend else "served", suspend=suspend)
    body["metadata"] |= {"uid": body["metadata"]["name"], "resourceVersion": "1", "generation": 1}
    body["metadata"]["creationTimestamp"] = "2026-10-01T00:00:00Z"
    return parse_schedule(body)


def told_of(name: str, registry: CollectorRegistry, now: datetime) -> set[str]:
    """The schedules that an alert of the form `comparison and on(namespace, schedule) series` fires for."""
    (rule,) = [rule for rule in RULES if rule["alert"] == name]
    comparison, _, other = rule["expr"].partition(" and on(namespace, schedule) ")
    (series,) = re.findall(r"gsc_sync_\w+", comparison)

    def values(metric: str) -> dict[str, float]:
        families = (family for family in registry.collect() if family.name == metric)
        return {sample.labels["schedule"]: sample.value for family in families for sample in family.samples}

    def holds(value: float) -> bool:
        text = comparison.replace(series, str(value)).replace("time()", str(now.timestamp()))
        return bool(eval(text, {"__builtins__": {}}))

    true = {schedule for schedule, value in values(series).items() if holds(value)}
    return true & set(values(other)) if other else true


@pytest.mark.parametrize("name", ["GscSyncNoSuccess", "GscSyncRunFailed", "GscSyncDataOld"])
def test_old_data_and_failures_are_told_of_a_schedule_that_is_served_alone(name: str) -> None:
    now = datetime(2026, 11, 27, 4, 30, tzinfo=UTC)
    past = Status(
        consecutive_failures=1,
        newest_final_day=date(2026, 11, 1),
        last_success_at=datetime(2026, 11, 4, tzinfo=UTC),
    )
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for each in (schedule(suspend=False), schedule(suspend=True)):
        metrics.schedule(each, decide(each, past, (), now, jobs_fresh=True).status)
    assert told_of(name, registry, now) == {"served"}


def test_a_schedule_that_never_succeeded_is_told_of_over_restarts_of_the_operator() -> None:
    (rule,) = [rule for rule in RULES if rule["alert"] == "GscSyncNeverSucceeded"]
    wanted, _, known = rule["expr"].partition(" unless on(namespace, schedule) ")
    assert wanted.startswith("max by(namespace, schedule) "), "a new pod has other labels"
    assert known == "gsc_sync_schedule_last_success_timestamp_seconds"
    assert rule["for"] == "2d"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_of_the_dashboard_asks_for_metrics_that_exist(panel: dict[str, list[dict[str, str]]]) -> None:
    for target in panel["targets"]:
        asked = set(re.findall(r"gsc_sync_\w+", target["expr"]))
        assert asked
        assert {re.sub(r"_bucket$", "", name) for name in asked} <= exported()


def test_no_two_panels_lie_on_each_other() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS}
    assert len(places) == len(PANELS) == len({panel["id"] for panel in PANELS})
