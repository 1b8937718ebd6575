"""What bringing a cluster up will need and do, said before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from devcluster import machine, packages, recipe
from devcluster.build import missing, needed_go
from devcluster.machine import Machine
from devcluster.places import Places
from devcluster.recipe import Module
from devcluster.tools import find_clients, find_go, go_version

BUILD_DISK_GB = 7.0  # sources, Go's build cache, programs


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on this machine."""

    machine: Machine
    missing_packages: tuple[str, ...]
    missing_modules: tuple[Module, ...]
    has_go: bool
    has_clients: bool
    has_apt: bool


@dataclass(frozen=True, slots=True)
class Report:
    """`lines` say what will happen; `problems` say why it cannot, and are empty when it can."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    minutes: float  # of a first build; 0 when everything is cached

    def text(self) -> str:
        return "\n".join(
            [f"  {line}" for line in self.lines] + [f"  PROBLEM: {problem}" for problem in self.problems]
        )


def report(facts: Facts, *, whole: bool) -> Report:
    """Pure: the words for the facts."""
    memory = machine.WHOLE_MEMORY_GB if whole else machine.CONTROL_PLANE_MEMORY_GB
    minutes = sum(module.minutes for module in facts.missing_modules)
    disk = machine.RUN_DISK_GB + (BUILD_DISK_GB if facts.missing_modules else 0)
    problems = machine.problems(facts.machine, whole=whole)
    if facts.missing_modules and machine.RUN_DISK_GB <= facts.machine.free_disk_gb < disk:
        problems.append(
            f"{disk:.0f} GB of free disk are needed for the first build, {facts.machine.free_disk_gb:.1f} are there"
        )
    if facts.missing_packages and not facts.has_apt:
        problems.append(
            f"install these with your package manager first (Debian's names): {' '.join(facts.missing_packages)}"
        )
    if not facts.has_clients and facts.machine.processor != "x86_64":
        problems.append(
            f"the packaged kubectl and helm are for x86-64, this machine is {facts.machine.processor}"
        )
    lines = [
        "root: " + (("needed, and given" if facts.machine.root else "needed") if whole else "not needed"),
        "packages: "
        + (f"to be installed: {' '.join(facts.missing_packages)}" if facts.missing_packages else "all there"),
        f"memory: about {memory:.0f} GB; {facts.machine.free_memory_gb:.1f} GB free",
        f"disk: about {disk:.0f} GB; {facts.machine.free_disk_gb:.1f} GB free",
    ]
    if facts.missing_modules:
        names = ", ".join(module.name for module in facts.missing_modules)
        lines.append(
            f"first build from source ({names}): about {max(1, round(minutes))} minutes on two cores, once"
        )
    else:
        lines.append("programs: built already")
    fetched = [
        what
        for what, there in (
            ("Go", facts.has_go or not facts.missing_modules),
            ("kubectl and helm", facts.has_clients),
        )
        if not there
    ]
    if fetched:
        lines.append(f"fetched into the cache, nothing installed for the system: {', '.join(fetched)}")
    if whole:
        lines.append(
            "network: two bridges (gscdev-*), nftables tables gscdev and kube-proxy, addresses 198.18.0.0/15; all removed by down"
        )
    return Report(tuple(lines), tuple(problems), minutes)


def look(places: Places, modules: Iterable[Module], names: Iterable[str]) -> Facts:
    go = find_go(places, needed_go())
    return Facts(
        machine=machine.look(places),
        missing_packages=tuple(packages.missing(names)),
        missing_modules=tuple(missing(list(modules), places, go_version(go) if go else None)),
        has_go=go is not None,
        has_clients=find_clients(places) is not None,
        has_apt=packages.find("apt-get") is not None,
    )


def preflight(*, whole: bool = True, images: bool = False, places: Places | None = None) -> Report:
    """Look only. `images`: also what building images takes."""
    names = (packages.FOR_NODE if whole else ()) + (packages.FOR_IMAGES if images else ())
    modules = recipe.FOR_CLUSTER if whole else recipe.FOR_CONTROL_PLANE
    return report(look(places or Places.here(), modules, names), whole=whole)
