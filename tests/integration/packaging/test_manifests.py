"""`kubectl apply -k manifests` installs what the chart installs, without helm."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.packaging.shared import ROOT, crd, kubectl, load_all, of_kind, only, render

HELM_ONLY = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def build(folder: Path) -> list[dict[str, Any]]:
    done = kubectl("kustomize", str(folder))
    assert done.returncode == 0, done.stderr
    return load_all(done.stdout)


def comparable(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    result = {}
    for item in objects:
        if item["kind"] in {"CustomResourceDefinition", "Namespace", "Pod"}:
            continue
        for label in HELM_ONLY:
            item["metadata"]["labels"].pop(label, None)
        result[item["kind"], item["metadata"]["name"]] = item
    return result


def test_it_equals_the_chart_with_default_values() -> None:
    chart = render(release="gsc-sync-operator", namespace="gsc-sync")
    assert comparable(build(ROOT / "manifests")) == comparable(chart)


def test_it_brings_the_definition_and_a_restricted_namespace() -> None:
    objects = build(ROOT / "manifests")
    assert only(objects, "CustomResourceDefinition") == crd()
    labels = only(objects, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_one_image_setting_reaches_operator_and_sync(tmp_path: Path) -> None:
    for folder in ("crds", "manifests"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    file = tmp_path / "manifests" / "kustomization.yaml"
    file.write_text(
        file.read_text().replace("newTag: 0.1.0", "newName: registry.example/team/operator\n    newTag: v9")
    )
    (container,) = only(build(tmp_path / "manifests"), "Deployment")["spec"]["template"]["spec"]["containers"]
    sync = next(item["value"] for item in container["env"] if item["name"] == "GSC_OPERATOR_SYNC_IMAGE")
    assert container["image"] == sync == "registry.example/team/operator:v9"


def test_samples_hold_no_real_secrets() -> None:
    objects = build(ROOT / "manifests" / "samples")
    assert len(of_kind(objects, "GscSyncSchedule")) == 4
    for secret in of_kind(objects, "Secret"):
        text = yaml.safe_dump(secret.get("stringData"))
        assert "replace" in text
        assert "BEGIN" not in text


@pytest.mark.parametrize("name", ["daily", "six-hourly", "warsaw-midnight", "two-workspaces"])
def test_each_sample_can_be_applied_alone(name: str) -> None:
    (document,) = yaml.safe_load_all((ROOT / "manifests" / "samples" / f"{name}.yaml").read_text())
    assert document["kind"] == "GscSyncSchedule"
    assert document["metadata"]["name"] == name
