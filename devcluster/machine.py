"""This machine: what it is and has, and in one sentence why a cluster cannot run on it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import OWN_CLUSTER, DevclusterError
from devcluster.places import Places

WHOLE_MEMORY_GB, CONTROL_PLANE_MEMORY_GB = 2.0, 1.0
RUN_DISK_GB = 2.0


@dataclass(frozen=True, slots=True)
class Machine:
    system: str  # as sys.platform
    processor: str
    root: bool
    free_disk_gb: float  # where the cache and the run folders are
    free_memory_gb: float


def look(places: Places) -> Machine:
    return Machine(
        system=sys.platform,
        processor=platform.machine(),
        root=os.geteuid() == 0,
        free_disk_gb=min(free_gb(places.cache), free_gb(places.state)),
        free_memory_gb=free_memory_gb(),
    )


def free_gb(folder: Path) -> float:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e9


def free_memory_gb() -> float:
    """What the kernel says could be given to new programs; a container's own limit is not looked at."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1e6


def problems(machine: Machine, *, whole: bool) -> list[str]:
    """Why it cannot run here, one sentence each; empty when it can."""
    if machine.system != "linux":
        return [f"the cluster needs Linux, and this machine is {machine.system}; {OWN_CLUSTER}"]
    found = []
    if whole and not machine.root:
        found.append(
            f"a whole cluster needs root (network, mounts, cgroups), and this is not root; {OWN_CLUSTER}"
        )
    memory = WHOLE_MEMORY_GB if whole else CONTROL_PLANE_MEMORY_GB
    if machine.free_memory_gb < memory:
        found.append(
            f"{memory:.0f} GB of free memory are needed, {machine.free_memory_gb:.1f} are there; {OWN_CLUSTER}"
        )
    if machine.free_disk_gb < RUN_DISK_GB:
        found.append(
            f"{RUN_DISK_GB:.0f} GB of free disk are needed, {machine.free_disk_gb:.1f} are there; {OWN_CLUSTER}"
        )
    return found


def refuse(found: Sequence[str]) -> None:
    if found:
        raise DevclusterError("\n".join(found))
