"""Fault rules: which calls they match and how often they act."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from emulator.calls import Call, parse_call
from emulator.control import RULES
from emulator.faults import Script

PATH = "/webmasters/v3/sites/sc-domain%3Aa.example/searchAnalytics/query"


def call(account: str = "robot", **body: Any) -> Call:
    given = {"startDate": "2026-03-10", "endDate": "2026-03-12"} | body
    return parse_call("POST", PATH, json.dumps(given).encode(), account)


def script(*rules: dict[str, Any]) -> Script:
    made = Script(1)
    made.replace(RULES.validate_python(list(rules)))
    return made


def rule(kind: str = "rate-403", **match: Any) -> dict[str, Any]:
    return {"match": match, "fault": {"kind": kind}}


@pytest.mark.parametrize(
    ("match", "agrees"),
    [
        ({}, True),
        ({"operation": "query"}, True),
        ({"operation": "token"}, False),
        ({"property": "sc-domain:a.example"}, True),
        ({"property": "sc-domain:b.example"}, False),
        ({"account": "robot"}, True),
        ({"account": "person"}, False),
        ({"type": "googleNews"}, True),
        ({"type": "web"}, False),
        ({"day": "2026-03-11"}, True),
        ({"day": "2026-03-13"}, False),
        ({"start_row": 25000}, True),
        ({"start_row": 0}, False),
        ({"grouped_by": "page"}, True),
        ({"grouped_by": "date"}, False),
    ],
    ids=str,
)
def test_a_rule_matches_when_all_its_members_agree(match: dict[str, Any], agrees: bool) -> None:
    given = call(type="googleNews", startRow=25000, dimensions=["page", "country"])
    assert (script(rule(**match)).take(given) is not None) is agrees


@pytest.mark.parametrize(
    ("match", "acts"),
    [
        ({}, [1, 1, 1, 1]),
        ({"times": 2}, [1, 1, 0, 0]),
        ({"nth": 2}, [0, 1, 1, 1]),
        ({"nth": 2, "times": 1}, [0, 1, 0, 0]),
        ({"probability": 0}, [0, 0, 0, 0]),
    ],
    ids=str,
)
def test_nth_and_times_count_matches(match: dict[str, Any], acts: list[int]) -> None:
    made = script(rule(**match))
    assert [int(made.take(call()) is not None) for _ in range(4)] == acts


def test_the_first_rule_that_acts_decides_and_the_others_still_count() -> None:
    made = script(rule("rate-403", times=1), rule("load-403", nth=2))
    taken = [made.take(call()) for _ in range(2)]
    assert [fault.kind for fault in taken if fault] == ["rate-403", "load-403"]
    assert [entry["matched"] for entry in made.describe()] == [2, 2]


def test_rules_can_be_added_and_replaced() -> None:
    made = script(rule(operation="token"))
    made.add(RULES.validate_python([rule("load-403")]))
    fault = made.take(call())
    assert fault is not None
    assert fault.kind == "load-403"
    made.replace([])
    assert made.take(call()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        rule("no-such-kind"),
        rule(operation="fly"),
        rule(nth=0),
        {"fault": {"kind": "status", "statuss": 500}},
        {},
    ],
    ids=str,
)
def test_a_wrong_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        script(wrong)


@pytest.mark.parametrize(
    ("method", "path", "operation", "site"),
    [
        ("GET", "/webmasters/v3/sites", "sites.list", ""),
        ("GET", "/sites?alt=json", "sites.list", ""),
        ("GET", "/webmasters/v3/sites/https%3A%2F%2Fa.example%2F", "sites.get", "https://a.example/"),
        (
            "GET",
            "/webmasters/v3/sites/https%3A%2F%2Fa.example%2Fx%2520y%2F",
            "sites.get",
            "https://a.example/x%20y/",
        ),
        ("GET", "/webmasters/v3/sites/sc-domain:a.example/sitemaps", "sitemaps.list", "sc-domain:a.example"),
        ("POST", PATH, "query", "sc-domain:a.example"),
        ("POST", "/token", "token", ""),
        ("GET", "/token", "", ""),
        ("DELETE", "/webmasters/v3/sites/sc-domain%3Aa.example", "", "sc-domain:a.example"),
        ("GET", "/webmasters/v3/sites/https://a.example/", "", "https:"),
        ("GET", "/elsewhere", "", ""),
    ],
)
def test_a_property_is_one_encoded_segment(method: str, path: str, operation: str, site: str) -> None:
    parsed = parse_call(method, path, b"")
    assert (parsed.operation, parsed.site) == (operation, site)


def test_a_broken_body_still_makes_a_call() -> None:
    parsed = parse_call("POST", PATH, b"{")
    assert (parsed.operation, parsed.valid_json, parsed.day, parsed.start_row) == ("query", False, "", 0)
