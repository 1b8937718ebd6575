"""Fields and manifests in the documentation are those of the resource: names exist, examples pass its schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CRD = yaml.safe_load((ROOT / "crds" / "gscsyncschedule.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
PAGES = sorted({ROOT / "README.md", *ROOT.glob("docs/*.md")} - {ROOT / "docs" / "requirements.md"})
FIELD = re.compile(r"`((?:spec|status)(?:\.[a-zA-Z]+(?:\[\])?)+)(?::[^`]*)?`")
YAML_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLANNED_FIELDS_PAGES = {"design.md"}


def exists(field: str) -> bool:
    here: dict[str, Any] = SCHEMA
    for name in field.replace("[]", "").split("."):
        here = here.get("items", here)
        if name not in here.get("properties", {}):
            return bool(here.get("x-kubernetes-preserve-unknown-fields"))
        here = here["properties"][name]
    return True


def strict(schema: Any) -> Any:
    """As strict validation sees it: a key that the schema does not name is wrong, and null is allowed where it says so."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in made:
        made.setdefault("additionalProperties", False)
    if made.get("nullable") is True and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def resource_schema() -> dict[str, Any]:
    schema: dict[str, Any] = strict(SCHEMA)
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def manifests(page: Path) -> list[dict[str, Any]]:
    documents = [
        document for block in YAML_BLOCK.findall(page.read_text()) for document in yaml.safe_load_all(block)
    ]
    return [d for d in documents if isinstance(d, dict) and d.get("kind") == "GscSyncSchedule"]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in PLANNED_FIELDS_PAGES], ids=lambda page: page.name
)
def test_fields_named_in_prose_exist(page: Path) -> None:
    fields = {match[1] for match in FIELD.finditer(page.read_text())}
    assert sorted(field for field in fields if not exists(field)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_example_schedules_pass_the_schema(page: Path) -> None:
    validator = jsonschema.Draft202012Validator(resource_schema())
    assert [error.message for manifest in manifests(page) for error in validator.iter_errors(manifest)] == []


def test_the_user_guide_has_an_example() -> None:
    assert manifests(ROOT / "docs" / "user-guide.md")


def test_the_check_itself_sees_a_wrong_field_and_a_wrong_manifest() -> None:
    assert not exists("spec.noSuchField")
    assert not exists("spec.workspaces[].noSuchField")
    assert exists("spec.workspaces[].properties.include")
    manifest = manifests(ROOT / "docs" / "user-guide.md")[0]
    wrong = {**manifest, "spec": {**manifest["spec"], "image": "mine"}}
    assert not jsonschema.Draft202012Validator(resource_schema()).is_valid(wrong)
