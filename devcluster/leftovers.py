"""What a node changes on its machine, and how every trace of it is taken away again.

Nothing here touches what is not ours: names are distinctive, mounts and links are recognised by our run folder, and
folders that were there before stay.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devcluster import addresses, processes
from devcluster.run import run, try_run

# Kernel settings that kubelet, kube-proxy and the bridge plugin change.
SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# Folders that the programs make outside the run folder; innermost first.
FOLDERS = (
    "/run/containerd/s",
    "/run/containerd/runc/k8s.io",
    "/run/containerd/runc",
    "/run/containerd",
    "/var/lib/cni/results",
    "/var/lib/cni",
    "/var/log/containers",
    "/var/lib/kubelet/device-plugins",
    "/var/lib/kubelet",
)
DEVICE_SOCKET = Path(
    "/var/lib/kubelet/device-plugins/kubelet.sock"
)  # of every kubelet, whatever its root folder
FORWARD_RULES = (
    ("-i", addresses.POD_BRIDGE, "-m", "comment", "--comment", "gscdev", "-j", "ACCEPT"),
    ("-o", addresses.POD_BRIDGE, "-m", "comment", "--comment", "gscdev", "-j", "ACCEPT"),
)


def before() -> dict[str, str]:
    """Settings as they are now, and which of FOLDERS exist; kept until the node is gone."""
    settings = {}
    for name in SETTINGS:
        try:
            settings[name] = Path("/proc/sys", name).read_text().strip()
        except OSError:
            continue
    return {**settings, "existed": ":".join(folder for folder in FOLDERS if Path(folder).exists())}


def let_pods_through() -> None:
    """Where somebody (Docker, a firewall) drops what is forwarded, let our bridge's packets pass."""
    if _filters_exist() and "-P FORWARD DROP" in run("iptables", "-S", "FORWARD"):
        for rule in FORWARD_RULES:
            run("iptables", "-I", "FORWARD", *rule)


def _filters_exist() -> bool:
    """Asked first, since iptables would make the table by looking at it."""
    names = Path("/proc/net/ip_tables_names")
    old = names.is_file() and "filter" in names.read_text().split()
    return old or nft_table_exists("ip", "filter")


def nft_table_exists(family: str, table: str) -> bool:
    return f"table {family} {table}" in run("nft", "list", "tables").splitlines()


def another_kubelet_listens() -> bool:
    """A socket file may be left over; only one that answers is a kubelet."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(DEVICE_SOCKET))
        except OSError:
            return False
    return True


def kill_containers(folder: Path, binaries: Path) -> None:
    """Shims and all that runs below them; the shims' own parent, containerd, is ended first by the caller."""
    shims = [
        p for p in processes.strays(binaries, folder) if "containerd-shim" in processes.program_file(p.pid)
    ]
    below = processes.descendants(shim.pid for shim in shims)
    processes.kill_all([*below, *shims])


def clean(folder: Path, note: Mapping[str, str]) -> None:
    """After every process has ended: mounts, cgroups, links, tables, settings, files outside the run folder."""
    containers = _container_ids(folder)
    for mount in mounts_below(folder):
        if not try_run("umount", mount):
            run("umount", "--lazy", mount)
    for container in containers:
        _remove_cgroups(f"k8s.io/{container}")
    _remove_cgroups("k8s.io")
    for bridge in (addresses.POD_BRIDGE, addresses.NODE_BRIDGE):
        if Path("/sys/class/net", bridge).exists():
            run("ip", "link", "delete", bridge)
    for family, table in (
        ("ip", addresses.OWN_TABLE),
        ("ip", addresses.PROXY_TABLE),
        ("ip6", addresses.PROXY_TABLE),
    ):
        if nft_table_exists(family, table):
            run("nft", "delete", "table", family, table)
    if _filters_exist():
        for rule in FORWARD_RULES:
            try_run("iptables", "-D", "FORWARD", *rule)
    for name in SETTINGS:
        file = Path("/proc/sys", name)
        if name in note and file.exists() and file.read_text().strip() != note[name]:
            file.write_text(note[name])
    _remove_files(folder, containers, note)


def mounts_below(folder: Path) -> list[str]:
    """Mount points in the run folder, innermost first."""
    points = [_unescaped(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def _unescaped(point: str) -> str:
    return point.encode().decode("unicode_escape") if "\\" in point else point


def file_system(folder: Path) -> str:
    """The type of the file system a folder is on, such as ext4 or overlay."""
    best, kind = "", ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        point = _unescaped(words[4])
        if len(point) >= len(best) and (f"{folder}/").startswith(point.rstrip("/") + "/"):
            best, kind = point, words[words.index("-") + 1]
    return kind


def _container_ids(folder: Path) -> list[str]:
    tasks = folder / "containerd" / "state" / "io.containerd.runtime.v2.task" / "k8s.io"
    return [entry.name for entry in tasks.iterdir()] if tasks.is_dir() else []


def _cgroup_roots() -> Iterator[Path]:
    """One for version 2, one for each controller of version 1."""
    root = Path("/sys/fs/cgroup")
    yield root
    yield from (entry for entry in root.iterdir() if entry.is_dir() and (entry / "cgroup.procs").exists())


def _remove_cgroups(name: str) -> None:
    """A container's groups; a parent that holds another's stays."""
    for root in _cgroup_roots():
        group = root / name
        if not group.is_dir():
            continue
        inner = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
        for each in inner if name != "k8s.io" else [group]:
            try:
                each.rmdir()
            except OSError:
                # Not empty: somebody else's. Nobody of ours is left in it.
                continue


def _remove_files(folder: Path, containers: Sequence[str], note: Mapping[str, str]) -> None:
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{folder}/"):
            link.unlink()
    # Of our network, and of the loopback that containerd gives every sandbox.
    results = Path("/var/lib/cni/results")
    for result in [
        *results.glob(f"{addresses.NETWORK}-*"),
        *(r for c in containers for r in results.glob(f"*-{c}-*")),
    ]:
        result.unlink(missing_ok=True)
    tasks = folder / "containerd" / "state" / "io.containerd.runtime.v2.task" / "k8s.io"
    for file in tasks.glob("*/bootstrap.json"):
        Path(json.loads(file.read_text())["address"].removeprefix("unix://")).unlink(missing_ok=True)
    existed = note.get("existed", "").split(":")
    if note and str(DEVICE_SOCKET.parent) not in existed:
        DEVICE_SOCKET.unlink(missing_ok=True)
    for name in FOLDERS:
        place = Path(name)
        if name not in existed and place.is_dir():
            try:
                place.rmdir()
            except OSError:
                continue  # somebody else has put something into it meanwhile
    shutil.rmtree(folder / "containerd", ignore_errors=True)
