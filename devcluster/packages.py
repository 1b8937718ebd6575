"""Programs of the operating system: looked for by what they put on the disk, installed with apt where there is one.

`crun` is kept out: on machines with both cgroup versions it fails, and container tools prefer it once it is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from devcluster.errors import DevclusterError

CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FOR_NODE = ("runc", "containernetworking-plugins", "nftables", "conntrack", "iptables", "iproute2")
FOR_IMAGES = ("buildah", "debootstrap")
# Package -> the program that shows it is there.
PROGRAMS = {
    "runc": "runc",
    "containernetworking-plugins": "bridge",
    "nftables": "nft",
    "conntrack": "conntrack",
    "iptables": "iptables",
    "iproute2": "ip",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "ca-certificates": "update-ca-certificates",
}


def find(program: str, cni_folders: Iterable[str] = CNI_FOLDERS) -> str | None:
    """A network plugin is looked for among plugins only: iproute2 has a program named `bridge` too."""
    folders = cni_folders if program == "bridge" else (os.environ.get("PATH", ""), SYSTEM_PATH)
    return shutil.which(program, path=":".join(folders))


def cni_folders() -> list[str]:
    return [folder for folder in CNI_FOLDERS if (Path(folder) / "bridge").is_file()]


def missing(names: Iterable[str], look: Callable[[str], str | None] = find) -> list[str]:
    """Those whose program is not there."""
    return [name for name in names if look(PROGRAMS.get(name, name)) is None]


def install_command(names: Iterable[str], *, crun_is_there: bool) -> list[str]:
    """With runc named and crun refused, buildah's choice between them is made."""
    names = list(names)
    if "buildah" in names and "runc" not in names:
        names.append("runc")
    refused = [] if crun_is_there else ["crun-"]
    return [
        "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300",
        *names, *refused,
    ]  # fmt: skip


def ensure_packages(names: Iterable[str], say: Callable[[str], None]) -> None:
    """Install the missing ones of `names` (Debian's package names). Installing again changes nothing."""
    wanted = missing(names)
    if not wanted:
        return
    listed = " ".join(wanted)
    if find("apt-get") is None:
        raise DevclusterError(f"install these with your package manager first (Debian's names): {listed}")
    if os.geteuid() != 0:
        raise DevclusterError(
            f"these packages are missing and only root can install them: apt-get install {listed}"
        )
    say(f"installing {listed}")
    command = install_command(wanted, crun_is_there=find("crun") is not None)
    first = _apt(command)
    if first.returncode != 0:
        say("refreshing the package lists")
        refreshed = _apt(["apt-get", "update", "--quiet", "-o", "DPkg::Lock::Timeout=300"])
        again = _apt(command)
        if again.returncode != 0:
            raise DevclusterError(
                f"apt-get could not install {listed}:\n{(refreshed.stderr + again.stdout + again.stderr).strip()[-1500:]}"
            )
    if still := missing(wanted):
        raise DevclusterError(
            f"apt-get installed {listed}, but the programs of {' '.join(still)} are not there"
        )


def _apt(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
