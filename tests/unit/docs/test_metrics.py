"""docs/operations.md names every metric of the operator and no other; the alerts in it are whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from controller.observe.metrics import Metrics

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


@pytest.mark.parametrize("name", ["GscSyncNoSuccess", "GscSyncNeverSucceeded"])
def test_a_suspended_schedule_is_not_told_of_as_one_without_success(name: str) -> None:
    """It has no next slot; both alerts ask for one, whatever pod tells it."""
    (rule,) = [rule for rule in RULES if rule["alert"] == name]
    assert "gsc_sync_schedule_next_timestamp_seconds" in rule["expr"]
    assert re.search(r" (?:and|unless) on\(namespace, schedule\) ", rule["expr"])


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
