"""etcd, API server, controller manager, scheduler and, for simulated pods, kwok: prepared, then started.

The whole cluster begins the same way and goes on in node.py.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from pathlib import Path

import yaml

from devcluster import addresses, flags, manifests
from devcluster.flags import Plan
from devcluster.pki import Authority, Pair, signing_pair, write_secret
from devcluster.rest import RefusedError, Rest
from devcluster.starter import Starter

MASTERS = "system:masters"
# File name -> who its bearer is. Names are told apart in the audit log.
CLIENTS = {
    "admin": ("admin", MASTERS),
    "controller-manager": ("system:kube-controller-manager", MASTERS),
    "scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", MASTERS),
}
NODE_CLIENTS = {
    "kubelet": (f"system:node:{addresses.NODE_NAME}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
    "coredns": ("coredns", MASTERS),
}


def rest(folder: Path, url: str) -> Rest:
    return Rest(url, folder / "pki" / "ca.crt", folder / "pki" / "admin.crt", folder / "pki" / "admin.key")


def prepare(plan: Plan, now: dt.datetime) -> None:
    """Write keys, certificates and configuration into the (new, private) run folder."""
    for part in ("pki", "logs", "kwok"):
        (plan.folder / part).mkdir()
    authority = Authority.create(f"devcluster {plan.name}", now)
    ca = authority.pair
    ca.write(plan.pki, "ca")
    signing_pair().write(plan.pki, "serviceaccounts")
    local = ["127.0.0.1", addresses.SERVICE_IP, *([addresses.NODE_IP] if plan.whole else [])]
    service = [
        f"kubernetes{end}" for end in ("", ".default", ".default.svc", f".default.svc.{addresses.DOMAIN}")
    ]
    authority.issue("etcd", now, hosts=["localhost"], addresses=["127.0.0.1"]).write(plan.pki, "etcd")
    authority.issue("etcd-client", now).write(plan.pki, "etcd-client")
    authority.issue("kube-apiserver", now, hosts=["localhost", *service], addresses=local).write(
        plan.pki, "apiserver"
    )
    if plan.whole:
        authority.issue("apiserver-kubelet", now).write(plan.pki, "apiserver-kubelet")
        server = authority.issue("kubelet", now, hosts=[addresses.NODE_NAME], addresses=[addresses.NODE_IP])
        server.write(plan.pki, "kubelet-server")
    for file, (user, group) in {**CLIENTS, **(NODE_CLIENTS if plan.whole else {})}.items():
        pair = authority.issue(user, now, groups=[group] if group else [])
        _write_kubeconfig(plan, file, ca, pair)
        if file == "admin":
            pair.write(plan.pki, "admin")
    token = secrets.token_urlsafe(32)
    write_secret(plan.pki / "admin.token", token.encode())
    write_secret(plan.pki / "tokens.csv", f'{token},admin,admin,"{MASTERS}"\n'.encode())
    policy = manifests.AUDIT_POLICY if plan.audit_bodies else manifests.AUDIT_POLICY_WITHOUT_BODIES
    (plan.folder / "audit-policy.yaml").write_text(yaml.safe_dump(policy))


def _write_kubeconfig(plan: Plan, file: str, ca: Pair, pair: Pair) -> None:
    config = manifests.kubeconfig(plan.url, ca.certificate, manifests.certificate_user(pair))
    # JSON is YAML, and writing it takes a hundredth of the time.
    write_secret(plan.kubeconfig(file), json.dumps(config, indent=1).encode())


def start(plan: Plan, starter: Starter, *, simulated: bool) -> None:
    """Returns when objects can be created and pods will run."""
    server = rest(plan.folder, plan.url)
    starter.start(flags.etcd(plan))
    starter.start(flags.apiserver(plan))
    starter.wait("the API server is ready", server.ready)
    starter.start(flags.controller_manager(plan))
    starter.start(flags.scheduler(plan))
    if simulated:
        server.create("/api/v1/nodes", manifests.simulated_node(tainted=plan.whole))
        starter.start(flags.kwok(plan))
        starter.wait("the simulated node is ready", lambda: node_is_ready(server, addresses.SIMULATED_NODE))
    starter.wait("pods can be created", lambda: pods_can_be_created(server))


def node_is_ready(server: Rest, name: str) -> bool:
    """Ready, and the controller manager has taken its first taint away."""
    try:
        node = server.call("GET", f"/api/v1/nodes/{name}")
    except RefusedError as error:
        if error.code == 404:
            return False
        raise
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", [])
    )
    taints = [taint["key"] for taint in node["spec"].get("taints", [])]
    return ready and "node.kubernetes.io/not-ready" not in taints


def pods_can_be_created(server: Rest) -> bool:
    """The controller manager has made the default service account, without which no pod is admitted."""
    return server.exists("/api/v1/namespaces/default/serviceaccounts/default")
