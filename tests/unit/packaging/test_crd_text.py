"""The resource explains itself and bounds everything, field by field."""

from __future__ import annotations

import copy
import dataclasses
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

import jsonschema
import pytest

from contract import Dependency, FailureClass, RunSummary, State, WorkspaceFailure, WorkspaceSuccess
from controller.model.parse import parse_schedule
from controller.model.status import Condition, ConditionType, Status
from controller.model.status_io import write_status
from tests.unit.packaging.shared import CHART, CRD, crd, schema

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)


def walk(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in node:
        yield from walk(node["items"], f"{path}[]")


FIELDS = dict(walk(schema()))


@pytest.mark.parametrize("path", FIELDS)
def test_every_field_says_what_it_is_with_an_example(path: str) -> None:
    text = FIELDS[path].get("description", "")
    assert len(text) > 20
    assert "Example: " in text
    assert path == "" or "efault" in text, "a description names the default, or says that there is none"


@pytest.mark.parametrize(
    "path", [path for path, node in FIELDS.items() if "default" in node and path.startswith(".spec")]
)
def test_a_default_stands_in_the_text_as_it_stands_in_the_schema(path: str) -> None:
    default = FIELDS[path]["default"]
    text = FIELDS[path]["description"]
    if isinstance(default, str):
        assert f"Default: '{default}'" in text
    elif isinstance(default, bool | int):
        assert f"Default: {str(default).lower()}" in text
    else:
        assert "Default: " in text


@pytest.mark.parametrize("path", FIELDS)
def test_every_field_is_bounded(path: str) -> None:
    node = FIELDS[path]
    assert "additionalProperties" not in node, "maps are not bounded by names"
    assert "x-kubernetes-preserve-unknown-fields" not in node
    if node.get("x-kubernetes-int-or-string"):
        assert node["maxLength"] <= 64
        return
    kind = node["type"]
    if kind == "string":
        assert node["maxLength"] <= 2048
    elif kind in {"integer", "number"}:
        assert {"minimum", "maximum"} <= set(node)
    elif kind == "array":
        assert node["maxItems"] <= 100
        assert node["x-kubernetes-list-type"] in {"set", "map", "atomic"}
    else:
        assert kind in {"object", "boolean"}


def test_rules_say_what_is_allowed() -> None:
    messages = [
        rule["message"] for node in FIELDS.values() for rule in node.get("x-kubernetes-validations", [])
    ]
    assert len(messages) >= 15
    assert all("must" in message and "should" not in message for message in messages)


def test_fields_of_later_releases_are_absent() -> None:
    spec = FIELDS[".spec"]["properties"]
    assert set(spec) == {
        "schedule", "timeZone", "suspend", "runOnCreate", "concurrencyPolicy", "catchUp", "timeoutSeconds",
        "pendingDeadlineSeconds", "retry", "minSuccessRatio", "window", "searchTypes", "dimensionSets", "workspaces",
        "destination", "freshnessSeconds", "resources", "history", "queue", "priority",
        "environments", "rollout", "shards", "splitRequestsPerCell", "inventory", "inspectionsPerProperty",
    }  # fmt: skip
    words = " ".join(path.lower() for path in FIELDS if path.startswith(".spec"))
    for dangerous in (
        "image",
        "command",
        "podtemplate",
        "serviceaccount",
        "volume",
        "namespace",
        "securitycontext",
    ):
        assert dangerous not in words.replace(".searchtypes", "")


def test_names_are_the_promised_ones() -> None:
    spec = crd()["spec"]
    names = spec["names"]
    assert spec["group"] == "gscsync.io"
    assert (names["kind"], names["plural"]) == ("GscSyncSchedule", "gscsyncschedules")
    assert names["shortNames"] == ["gscsync", "gscsyncs"]
    assert names["categories"] == ["gsc"]
    assert [version["name"] for version in spec["versions"]] == ["v1beta1"]
    assert spec["versions"][0]["subresources"] == {"status": {}}


def test_columns_point_at_fields_that_exist() -> None:
    for column in crd()["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].split("[?")[0]
        assert path in FIELDS or path.startswith(".metadata."), column["name"]
        if column["type"] == "date":
            assert "next" not in column["name"].lower(), "an instant to come would be shown as <invalid>"


def test_the_charts_copy_is_equal() -> None:
    assert (CHART / "files" / CRD.name).read_bytes() == CRD.read_bytes()


def test_it_is_small_enough_for_client_side_apply() -> None:
    assert CRD.stat().st_size < 200_000


def example(hint: Any, path: str = "") -> Any:
    """A value with everything set, of any record of the model."""
    if isinstance(hint, types.UnionType):
        hint = next(choice for choice in get_args(hint) if choice is not type(None))
    if get_origin(hint) is tuple:
        return tuple(example(get_args(hint)[0]) for _ in range(2))
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(
            **{field.name: example(hints[field.name], field.name) for field in dataclasses.fields(hint)}
        )
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return list(hint)[-1]
    if path == "status":
        return "True"
    return {datetime: NOW, date: NOW.date(), int: 7, bool: True, str: f"{path or 'text'}-text"}[hint]


def strict(node: dict[str, Any]) -> dict[str, Any]:
    """The schema as the API server reads it with strict validation: unknown fields are errors."""
    node = copy.deepcopy(node)
    for _, part in walk(node):
        if part.get("type") == "object":
            part["additionalProperties"] = False
    return node


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


SUMMARY = RunSummary(
    state=State.PARTIALLY_SUCCEEDED,
    run_id="29412960",
    successes=[WorkspaceSuccess(workspace="acme")],
    failures=[
        WorkspaceFailure(
            workspace="globex", failure_class=FailureClass.CREDENTIALS_REVOKED, message="revoked"
        )
    ],
    newest_final_day=date(2026, 11, 24),
    error_class=FailureClass.UNEXPECTED,
    message="one of two workspaces failed",
    tripped_circuits=list(Dependency),
    open_circuits=[Dependency.GOOGLE_API],
)


def schedule() -> Any:
    return parse_schedule(
        {
            "metadata": {"name": "marketing", "namespace": "seo", "uid": "u", "generation": 3},
            "spec": {
                "schedule": "0 4 * * *",
                "workspaces": [{"name": "acme", "credentialsSecretRef": {"name": "acme-google"}}],
                "destination": {"secretRef": {"name": "warehouse"}},
            },
        }
    )


FULL = dataclasses.replace(
    example(Status),
    last_summary=SUMMARY.to_json(),
    conditions=tuple(dataclasses.replace(example(Condition), type=kind) for kind in ConditionType),
)


@pytest.mark.parametrize(
    "status", [pytest.param(Status(), id="fresh"), pytest.param(FULL, id="everything-set")]
)
def test_every_status_the_operator_writes_fits_the_schema(status: Status) -> None:
    written = without_nulls(write_status(status, schedule()))
    jsonschema.Draft202012Validator(strict(schema()["properties"]["status"])).validate(written)


def test_the_status_schema_has_no_field_that_is_never_written() -> None:
    written = without_nulls(write_status(FULL, schedule()))

    def paths(value: Any, path: str) -> Iterator[str]:
        yield path
        if isinstance(value, dict):
            for key, item in value.items():
                yield from paths(item, f"{path}.{key}")
        elif isinstance(value, list):
            for item in value:
                yield from paths(item, f"{path}[]")

    assert {path for path in FIELDS if path.startswith(".status")} - set(paths(written, ".status")) == set()
