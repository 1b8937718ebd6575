"""What is said before anything is changed, and why a machine is refused: one sentence that names the other way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from devcluster import machine, packages, recipe
from devcluster.errors import DevclusterError
from devcluster.machine import Machine
from devcluster.preflight import Facts, report

GOOD = Machine(system="linux", processor="x86_64", root=True, free_disk_gb=50, free_memory_gb=8)
READY = Facts(GOOD, missing_packages=(), missing_modules=(), has_go=True, has_clients=True, has_apt=True)


def test_a_machine_that_has_all_is_told_so() -> None:
    said = report(READY, whole=True)
    assert said.problems == ()
    assert said.minutes == 0
    assert "programs: built already" in said.lines
    assert "packages: all there" in said.lines
    assert "fetched" not in said.text()


def test_a_fresh_machine_is_told_what_is_installed_fetched_and_built_and_how_long_it_takes() -> None:
    fresh = Facts(
        GOOD, ("runc", "nftables"), recipe.FOR_CLUSTER, has_go=False, has_clients=False, has_apt=True
    )
    said = report(fresh, whole=True)
    assert said.problems == ()
    assert "packages: to be installed: runc nftables" in said.lines
    assert "Go, kubectl and helm" in said.text()
    assert "controlplane, kwok, containerd, dns, pause" in said.text()
    assert said.minutes == sum(module.minutes for module in recipe.FOR_CLUSTER)


def test_a_control_plane_alone_needs_neither_root_nor_a_network() -> None:
    said = report(replace(READY, machine=replace(GOOD, root=False)), whole=False)
    assert said.problems == ()
    assert "root: not needed" in said.lines
    assert "gscdev" not in said.text()


@pytest.mark.parametrize(
    ("changes", "whole", "words"),
    [
        ({"system": "darwin"}, False, "needs Linux, and this machine is darwin"),
        ({"root": False}, True, "needs root"),
        ({"free_memory_gb": 0.5}, False, "1 GB of free memory are needed, 0.5 are there"),
        ({"free_memory_gb": 1.5}, True, "2 GB of free memory are needed, 1.5 are there"),
        ({"free_disk_gb": 1.0}, True, "2 GB of free disk are needed, 1.0 are there"),
    ],
    ids=["not-linux", "not-root", "memory", "memory-of-a-node", "disk"],
)
def test_a_refusal_is_one_sentence_that_names_ones_own_cluster(
    changes: dict[str, object],
    whole: bool,
    words: str,
) -> None:
    (problem,) = machine.problems(replace(GOOD, **changes), whole=whole)  # type: ignore[arg-type]  # cases give the right types
    assert words in problem
    assert "make demo CONTEXT=name REGISTRY=host/path" in problem
    with pytest.raises(DevclusterError, match="make demo"):
        machine.refuse([problem])


def test_a_first_build_needs_more_disk_than_a_run() -> None:
    small = replace(READY, machine=replace(GOOD, free_disk_gb=5), missing_modules=(recipe.KWOK,))
    assert "first build" in report(small, whole=False).problems[0]
    assert report(replace(small, missing_modules=()), whole=False).problems == ()


def test_packages_are_missing_when_their_program_is() -> None:
    there = {"runc": "/usr/sbin/runc", "bridge": "/opt/cni/bin/bridge"}
    assert packages.missing(packages.FOR_NODE, there.get) == ["nftables", "conntrack", "iptables", "iproute2"]


def test_crun_is_refused_and_never_removed_where_somebody_has_it() -> None:
    fresh = packages.install_command(["buildah"], crun_is_there=False)
    assert fresh[-3:] == ["buildah", "runc", "crun-"]
    assert "crun-" not in packages.install_command(["buildah"], crun_is_there=True)


def test_missing_packages_where_there_is_no_apt_are_a_problem_that_lists_them() -> None:
    other = replace(READY, missing_packages=("runc",), has_apt=False)
    assert "Debian's names): runc" in report(other, whole=True).problems[0]


def test_another_processor_is_told_that_the_clients_are_not_for_it() -> None:
    arm = replace(READY, machine=replace(GOOD, processor="aarch64"), has_clients=False)
    assert "x86-64" in report(arm, whole=False).problems[0]


def test_a_network_plugin_is_not_taken_for_a_program_of_the_same_name(tmp_path: Path) -> None:
    """iproute2 has a program named `bridge`, so it must not be looked for where programs are."""
    assert packages.find("bridge", [str(tmp_path)]) is None
    plugin = tmp_path / "bridge"
    plugin.touch(mode=0o755)
    assert packages.find("bridge", [str(tmp_path)]) == str(plugin)
