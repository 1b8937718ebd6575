"""docs/operations.md names every metric of the operator and no other; the alerts in it are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from controller.observe.metrics import Metrics

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
RULES = [
    rule
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for group in yaml.safe_load(block)["groups"]
    for rule in group["rules"]
]


def exported() -> set[str]:
    registry = CollectorRegistry()
    Metrics(registry)
    return {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}


def test_the_page_names_exactly_the_metrics_there_are() -> None:
    assert set(re.findall(r"`(gsc_sync_\w+)`", PAGE)) == exported()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_whole_and_asks_for_metrics_that_exist(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert set(re.findall(r"gsc_sync_\w+", str(rule["expr"]))) <= exported()
