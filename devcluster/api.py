"""The interface for tests and for the demo.

    with ControlPlane.start() as cp:                 # simulated pods; any user; 4 s; several side by side
        cp.kubeconfig, cp.url, cp.ca_file, cp.client_cert, cp.client_key, cp.admin_token, cp.audit_log
        cp.service_account_kubeconfig("ns", "name")  # by a TokenRequest
        cp.stop_apiserver(); cp.start_apiserver(); cp.restart_apiserver()

    cluster = Cluster.up()                           # a real node; root; one per machine
    cluster.load_image(Path("image.tar"))
    cluster.down()

A ControlPlane belongs to the process that started it: when that dies, the next `start` of anybody takes it down.
A Cluster stays until it is taken down. Failures that a person can understand are DevclusterError.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import yaml

from devcluster import cluster, controlplane, manifests, node, processes, recipe, second, simulate, tools
from devcluster.build import ensure_binaries
from devcluster.cluster import Wish
from devcluster.errors import DevclusterError
from devcluster.packages import ensure_packages
from devcluster.pki import write_secret
from devcluster.places import Places
from devcluster.ports import PortRegistry
from devcluster.preflight import Report, preflight
from devcluster.processes import Process, start_ticks
from devcluster.record import Record, read
from devcluster.starter import tail
from devcluster.tools import Clients

__all__ = [
    "Cluster", "ControlPlane", "DevclusterError", "Report", "clients", "ensure_packages", "preflight", "simulate",
]  # fmt: skip


def quiet(_: str) -> None:
    """Says nothing; what a test wants."""


def clients(say: Callable[[str], None] = quiet) -> Clients:
    """The pinned kubectl and helm (`.kubectl`, `.helm`: paths), fetched at the first use."""
    return tools.ensure_clients(Places.here(), say)


class _Running:
    """What a control plane and a whole cluster have in common."""

    def __init__(self, record: Record, places: Places) -> None:
        self.name = record.name
        self.url = record.url
        self.folder = places.run_folder(record.name)
        self.kubeconfig = self.folder / "admin.kubeconfig"
        self.audit_log = self.folder / "logs" / "audit.jsonl"
        self.ca_file = self.folder / "pki" / "ca.crt"
        self.client_cert = self.folder / "pki" / "admin.crt"
        self.client_key = self.folder / "pki" / "admin.key"
        self.admin_token = (self.folder / "pki" / "admin.token").read_text()
        self._places = places

    def log(self, program: str, lines: int = 40) -> str:
        """The last lines of a program's log, such as "kube-apiserver"."""
        return tail(self.folder / "logs" / f"{program}.log", lines)

    def audit(self) -> Iterator[dict[str, Any]]:
        """The audit log's events so far; bodies for gscsync.io and for Jobs, metadata for all else."""
        with self.audit_log.open() as lines:
            for line in lines:
                if line.endswith("\n"):  # the last one may be half written
                    yield json.loads(line)

    def stop_apiserver(self, *, kill: bool = False) -> None:
        """End the API server: SIGTERM, and after 3 s SIGKILL (it would wait a minute for watches); or as a crash."""
        started = (read(self.folder) or _gone(self.name)).find("kube-apiserver")
        assert started is not None
        processes.stop(started.process, 0 if kill else 3)

    def start_apiserver(self, seconds: float = 60) -> None:
        """Start it again on the same port, and wait until it is ready."""
        started = (read(self.folder) or _gone(self.name)).find("kube-apiserver")
        assert started is not None
        if not started.process.alive():
            cluster.restart_program("kube-apiserver", self.folder)
        server = controlplane.rest(self.folder, self.url)
        end = time.monotonic() + seconds
        while not server.ready():
            if time.monotonic() > end:
                raise DevclusterError(
                    f"the API server is not ready after {seconds:.0f} s:\n{self.log('kube-apiserver')}"
                )
            time.sleep(0.03)

    def restart_apiserver(self, *, kill: bool = False) -> None:
        self.stop_apiserver(kill=kill)
        self.start_apiserver()

    def service_account_token(self, namespace: str, name: str, seconds: int = 3600) -> str:
        """A token of an existing service account; the server gives none below 600 seconds."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        answer = controlplane.rest(self.folder, self.url).call("POST", path, body)
        return str(answer["status"]["token"])

    def service_account_kubeconfig(self, namespace: str, name: str, seconds: int = 3600) -> Path:
        """A kubeconfig (in the run folder) that acts as an existing service account."""
        token = self.service_account_token(namespace, name, seconds)
        config = manifests.kubeconfig(self.url, self.ca_file.read_bytes(), {"token": token}, namespace)
        file = self.folder / f"sa-{namespace}-{name}-{secrets.token_hex(4)}.kubeconfig"
        write_secret(file, yaml.safe_dump(config).encode())
        return file


def _gone(name: str) -> Record:
    raise DevclusterError(f"{name} is not up")


class ControlPlane(_Running):
    """etcd, API server, controller manager, scheduler, and a simulated node (see simulate.py)."""

    @classmethod
    def start(
        cls,
        name: str | None = None,
        *,
        controller_qps: float | None = 200,
        audit_bodies: bool = True,
        say: Callable[[str], None] = quiet,
        places: Places | None = None,
    ) -> Self:
        """Start one. `controller_qps` None keeps the controller manager's own 20 per second, as in production."""
        places = places or Places.here()
        cluster.sweep(places, say)
        me = os.getpid()
        owner = Process(me, start_ticks(me) or 0)
        wish = Wish(
            name=name or f"t{me}-{secrets.token_hex(3)}",
            whole=False,
            controller_qps=controller_qps,
            owner=owner,
            audit_bodies=audit_bodies,
        )
        return cls(cluster.up(wish, places, say), places)

    @property
    def etcd_port(self) -> int:
        """Of etcd on 127.0.0.1; it asks for the certificate that the API servers have."""
        return second.etcd_port(self.folder)

    def start_second_apiserver(self, etcd_port: int) -> tuple[str, Path]:
        """Another API server on the same etcd, which it finds at `etcd_port`: its URL and its audit log."""
        (port,) = PortRegistry(self._places.clusters).take(self.name, 1)
        return second.start(self.folder, port, etcd_port)

    def stop(self) -> None:
        """Take it down and leave nothing. A second time is no error."""
        cluster.down(self.name, self._places, quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Cluster(_Running):
    """A whole cluster with a real node."""

    @classmethod
    def up(
        cls,
        name: str = "default",
        *,
        controller_qps: float | None = None,
        simulated: bool = False,
        say: Callable[[str], None] = quiet,
        places: Places | None = None,
    ) -> Self:
        """Bring it up, or find it up. `simulated`: also a tainted node for simulated pods."""
        places = places or Places.here()
        wish = Wish(name=name, whole=True, controller_qps=controller_qps, simulated=simulated)
        return cls(cluster.up(wish, places, say), places)

    @classmethod
    def find(cls, name: str = "default", *, places: Places | None = None) -> Self | None:
        """The cluster when it is up, else None; changes nothing."""
        places = places or Places.here()
        folder = places.run_folder(name)
        record = read(folder)
        return cls(record, places) if record is not None and cluster.is_up(record, folder) else None

    def load_image(self, *archives: Path) -> None:
        """Load OCI archives; pods then name the image as it is named in the archive."""
        ctr = ensure_binaries([recipe.CONTAINERD], self._places, quiet).file(recipe.CONTAINERD, "ctr")
        for archive in archives:
            node.load_image(ctr, self.folder, archive)

    def down(self) -> None:
        """Take it down and leave nothing. A second time is no error."""
        cluster.down(self.name, self._places, quiet)


@contextmanager
def whole_cluster(name: str = "default", say: Callable[[str], None] = quiet) -> Iterator[Cluster]:
    """Up on entering, down on leaving unless it was up before."""
    before = Cluster.find(name)
    found = before or Cluster.up(name, say=say)
    try:
        yield found
    finally:
        if before is None:
            found.down()
