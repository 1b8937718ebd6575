"""A real node on this machine: a bridge with the node's address, containerd, kubelet, kube-proxy, name server.

There is one at a time, and /run says whose it is. That note is written before the first change to the machine and
deleted after the last trace is gone, so whatever dies in between, the next command knows what to clear away.
"""

from __future__ import annotations

import contextlib
import json
import platform
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from devcluster import addresses, controlplane, flags, leftovers, manifests, oci, recipe
from devcluster.build import Binaries
from devcluster.errors import OWN_CLUSTER, DevclusterError
from devcluster.flags import Plan
from devcluster.lock import locked
from devcluster.packages import CNI_FOLDERS, cni_folders
from devcluster.run import run, try_run
from devcluster.starter import Starter

HOLDER = Path("/run/gscdev.json")
PAUSE_IMAGE = "localhost/gscdev-pause:1"


@contextlib.contextmanager
def machine_lock(waiting: Callable[[], None]) -> Iterator[None]:
    """Over /run itself, which is always there and needs no cleaning up."""
    with locked(HOLDER.parent, waiting):
        yield


def holder() -> Path | None:
    """The run folder of the cluster that has the machine, living or dead."""
    note = _note()
    return Path(note["folder"]) if note else None


def held_by(folder: Path) -> bool:
    return holder() == folder


def _note() -> dict[str, str] | None:
    try:
        note: dict[str, str] = json.loads(HOLDER.read_text())
    except FileNotFoundError:
        return None
    return note


def refuse_beside_another_kubernetes() -> None:
    """A kubelet's device socket and kube-proxy's table have one name on a machine: two would undo each other's work.

    Called when no cluster of ours has the machine.
    """
    kubelet = leftovers.another_kubelet_listens()
    if kubelet or leftovers.nft_table_exists("ip", addresses.PROXY_TABLE):
        sign = "a kubelet" if kubelet else f"nftables table {addresses.PROXY_TABLE}"
        raise DevclusterError(
            f"another Kubernetes runs on this machine ({sign}): use `up --control-plane` beside it, "
            f"or {OWN_CLUSTER}"
        )


def take_machine(folder: Path) -> None:
    note = {"folder": str(folder), **leftovers.before()}
    fresh = HOLDER.with_suffix(".new")
    fresh.write_text(json.dumps(note))
    fresh.rename(HOLDER)


def release_machine() -> None:
    HOLDER.unlink(missing_ok=True)


def prepare(plan: Plan) -> None:
    """The network, and the configuration files of the node's programs."""
    folder = plan.folder
    run("ip", "link", "add", addresses.NODE_BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{addresses.NODE_IP}/32", "dev", addresses.NODE_BRIDGE)
    run("ip", "link", "set", addresses.NODE_BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    run("nft", "--file", "-", stdin=_masquerade())
    leftovers.let_pods_through()
    for part in ("cni", "kubelet", "pod-logs", "volume-plugins"):
        (folder / part).mkdir()
    behind_stub = Path("/run/systemd/resolve/resolv.conf")
    resolv = manifests.resolv_conf(
        Path("/etc/resolv.conf").read_text(), behind_stub.read_text() if behind_stub.is_file() else None
    )
    (folder / "resolv.conf").write_text(resolv)
    (folder / "kubelet.yaml").write_text(json.dumps(manifests.kubelet(folder)))
    (folder / "proxy.yaml").write_text(json.dumps(manifests.proxy(folder)))
    (folder / "cni" / "10-gscdev.conflist").write_text(json.dumps(manifests.network(folder)))
    (folder / "Corefile").write_text(manifests.corefile(folder))
    snapshotter = "native" if leftovers.file_system(folder) == "overlay" else "overlayfs"
    plugins = cni_folders()
    if not plugins:
        raise DevclusterError(
            f"no network plugins in {', '.join(CNI_FOLDERS)}: install containernetworking-plugins"
        )
    config = manifests.containerd(folder, PAUSE_IMAGE, snapshotter, plugins)
    (folder / "containerd.toml").write_text(config)


def _masquerade() -> str:
    """What a pod sends out of the cluster leaves with the machine's own address."""
    return f"""\
table ip {addresses.OWN_TABLE} {{
    chain out {{
        type nat hook postrouting priority srcnat;
        ip saddr {addresses.POD_RANGE} ip daddr != {addresses.CLUSTER_RANGE} masquerade
    }}
}}
"""


def start(plan: Plan, starter: Starter, binaries: Binaries, say: Callable[[str], None]) -> None:
    """Returns when a pod can run, reach Services and resolve names."""
    server = controlplane.rest(plan.folder, plan.url)
    starter.start(flags.containerd(plan, binaries.file(recipe.CONTAINERD, "containerd")))
    ctr = binaries.file(recipe.CONTAINERD, "ctr")
    starter.wait(
        "containerd answers", lambda: try_run(str(ctr), f"--address={socket_of(plan.folder)}", "version")
    )
    pause = binaries.file(recipe.PAUSE, "pause").read_bytes()
    archive = plan.folder / "pause.tar"
    archive.write_bytes(oci.image_archive(PAUSE_IMAGE, {"pause": pause}, ["/pause"], platform.machine()))
    load_image(ctr, plan.folder, archive)
    for thing in manifests.node_service():
        plural = "services" if thing["kind"] == "Service" else "endpointslices"
        group = "/api/v1" if thing["kind"] == "Service" else "/apis/discovery.k8s.io/v1"
        server.create(f"{group}/namespaces/kube-system/{plural}", thing)
    starter.start(flags.kubelet(plan))
    starter.start(flags.proxy(plan))
    starter.start(flags.name_server(plan, binaries.file(recipe.DNS, "coredns")))
    say("waiting for the node")
    starter.wait(
        "the node is ready", lambda: controlplane.node_is_ready(server, addresses.NODE_NAME), seconds=120
    )
    starter.wait("Services have routes", lambda: leftovers.nft_table_exists("ip", addresses.PROXY_TABLE))
    starter.wait("the name server answers", _name_server_answers)


def _name_server_answers() -> bool:
    try:
        socket.create_connection((addresses.NODE_IP, addresses.DNS_PORT), timeout=1).close()
    except OSError:
        return False
    return True


def socket_of(folder: Path) -> Path:
    return folder / "containerd.sock"


def load_image(ctr: Path, folder: Path, archive: Path) -> str:
    """Import an OCI archive where the kubelet looks; what containerd says about it comes back."""
    return run(
        str(ctr),
        f"--address={socket_of(folder)}",
        "--namespace=k8s.io",
        "images",
        "import",
        str(archive),
        seconds=600,
    )


def stop_containers(folder: Path, binaries: Path) -> None:
    leftovers.kill_containers(folder, binaries)


def refuse_to_delete_mounts(folder: Path) -> None:
    """What is mounted below the run folder may be the user's own data (a hostPath): never delete through it."""
    if mounts := leftovers.mounts_below(folder):
        raise DevclusterError(f"still mounted, so not deleted: {' '.join(mounts)}")


def clean(folder: Path) -> None:
    leftovers.clean(folder, _note() or {})
