"""What the packaging tests share: where things are, and helm and kubectl to render them."""

from __future__ import annotations

import copy
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from devcluster.api import clients

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm" / "gsc-sync-operator"
CRD = ROOT / "crds" / "gscsyncschedule.yaml"
CI_VALUES = sorted((CHART / "ci").glob("*.yaml"))


@cache
def crd() -> dict[str, Any]:
    return load_all(CRD.read_text())[0]


def load_all(text: str) -> list[dict[str, Any]]:
    """By the C parser: the definition is long and read often."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def schema() -> dict[str, Any]:
    return crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([clients().helm, *arguments], capture_output=True, text=True, check=False)


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([clients().kubectl, *arguments], capture_output=True, text=True, check=False)


def render(*arguments: str, release: str = "gsc", namespace: str = "data") -> list[dict[str, Any]]:
    """The chart's objects."""
    return copy.deepcopy(_rendered(arguments, release, namespace))


@cache
def _rendered(arguments: tuple[str, ...], release: str, namespace: str) -> list[dict[str, Any]]:
    done = helm("template", release, str(CHART), "--namespace", namespace, *arguments)
    assert done.returncode == 0, done.stderr
    return load_all(done.stdout)


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [item for item in objects if item["kind"] in kinds]


def only(objects: list[dict[str, Any]], kind: str, suffix: str = "") -> dict[str, Any]:
    (found,) = [item for item in of_kind(objects, kind) if item["metadata"]["name"].endswith(suffix)]
    return found
