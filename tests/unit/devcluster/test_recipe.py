"""A build is named by all that goes into it, so a stale program is never used and a good one never built again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devcluster import recipe
from devcluster.build import needed_go, sources
from devcluster.tools import GO as FETCHED

FILES = {"go.mod": b"module x\n\ngo 1.26.0\n", "main.go": b"package main"}
GO = "go1.26.8 linux/amd64"


def key_of(**changes: object) -> str:
    arguments = {"module": recipe.PAUSE, "files": FILES, "go_version": GO, "flags": "-s -w", **changes}
    return recipe.key(**arguments)  # type: ignore[arg-type]  # the cases below give the right types


def test_the_same_sources_and_go_have_the_same_key_in_any_order() -> None:
    assert key_of() == key_of(files=dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {**FILES, "main.go": b"package main // changed"}},
        {"files": {**FILES, "go.sum": b""}},
        {"files": {"go.mod": FILES["go.mod"] + FILES["main.go"], "main.go": b""}},
        {"go_version": "go1.26.9 linux/amd64"},
        {"go_version": "go1.26.8 linux/arm64"},
        {"flags": "-s"},
        {"module": replace(recipe.PAUSE, targets=((".", "other"),))},
    ],
    ids=["content", "one-more-file", "moved-bytes", "another-go", "another-processor", "flags", "targets"],
)
def test_whatever_changes_the_program_changes_the_key(changes: dict[str, object]) -> None:
    assert key_of(**changes) != key_of()


def test_kubernetes_is_stamped_with_the_version_its_module_requires() -> None:
    flags = recipe.link_flags(recipe.CONTROLPLANE, "require (\n\tk8s.io/kubernetes v1.37.2\n)\n")
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.2" in flags
    assert "-X k8s.io/component-base/version.gitMinor=37" in flags


def test_a_module_that_lost_its_requirement_is_a_defect_that_says_so() -> None:
    with pytest.raises(ValueError, match=r"k8s\.io/kubernetes"):
        recipe.link_flags(recipe.CONTROLPLANE, "module x\n")
    with pytest.raises(ValueError, match="no go line"):
        recipe.go_line("module x\n")


@pytest.mark.parametrize("module", recipe.FOR_CLUSTER, ids=lambda module: module.name)
def test_every_module_in_the_repository_has_what_its_recipe_names(module: recipe.Module) -> None:
    files = sources(module)
    assert recipe.link_flags(module, files["go.mod"].decode()).startswith("-s -w")
    for package in module.packages:
        assert (
            (package == "." and "main.go" in files)
            or f"\t{package}\n".encode() in files["go.mod"]
            or (f"tool {package}\n".encode() in files["go.mod"])
        )


def test_the_go_that_is_fetched_is_new_enough_for_every_module() -> None:
    assert tuple(int(part) for part in FETCHED.version.split(".")) >= needed_go()
