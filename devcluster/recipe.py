"""Pure: which Go module gives which programs, how they are linked, and under what key the result is stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

FORMAT = "1"  # to be raised when the way of building changes and not only its sources


@dataclass(frozen=True, slots=True)
class Module:
    """`targets` are packages with the file each becomes; `stamps` are variables set to a version of go.mod."""

    name: str
    targets: tuple[tuple[str, str], ...]
    stamps: tuple[tuple[str, str], ...] = ()
    minutes: float = 1.5  # on two cores with nothing cached, for what is said beforehand

    @property
    def packages(self) -> list[str]:
        return [package for package, _ in self.targets]


CONTROLPLANE = Module(
    "controlplane",
    ((".", "controlplane"),),
    (("k8s.io/component-base/version", "k8s.io/kubernetes"),),
    minutes=10,
)
KWOK = Module("kwok", (("sigs.k8s.io/kwok/cmd/kwok", "kwok"),))
CONTAINERD = Module(
    "containerd",
    tuple(
        (f"github.com/containerd/containerd/v2/cmd/{name}", name)
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    ),
)
DNS = Module("dns", ((".", "coredns"),))
PAUSE = Module("pause", ((".", "pause"),), minutes=0)

FOR_CONTROL_PLANE = (CONTROLPLANE, KWOK)
FOR_CLUSTER = (CONTROLPLANE, KWOK, CONTAINERD, DNS, PAUSE)


def version_of(dependency: str, go_mod: str) -> str:
    """The required version of a module, such as v1.37.2."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(dependency)}\s+(v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"go.mod does not require {dependency}")
    return found[1]


def go_line(go_mod: str) -> tuple[int, ...]:
    """The oldest Go that may build it."""
    found = re.search(r"^go (\d+(?:\.\d+)*)$", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError("go.mod has no go line")
    return tuple(int(part) for part in found[1].split("."))


def link_flags(module: Module, go_mod: str) -> str:
    """Stripped; Kubernetes says its real version, which clients and the kubelet look at."""
    flags = ["-s", "-w"]
    for package, dependency in module.stamps:
        version = version_of(dependency, go_mod)
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags += [f"-X {package}.{name}={value}" for name, value in values.items()]
    return " ".join(flags)


def key(module: Module, files: Mapping[str, bytes], go_version: str, flags: str) -> str:
    """Names a build by all that goes into it: a changed source or another Go is another build."""
    digest = hashlib.sha256()
    parts = [FORMAT.encode(), repr(module.targets).encode(), go_version.encode(), flags.encode()]
    for name in sorted(files):
        parts += [name.encode(), files[name]]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:16]
