"""Pure: the command line of every program, from one frozen description of the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster import addresses
from devcluster.processes import Program


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the programs of one cluster have to know."""

    name: str
    folder: Path
    whole: bool  # with a real node
    address: str  # where the API server listens
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    controller_qps: float | None
    controlplane: Path  # the binary that is etcd and every part of Kubernetes
    kwok: Path
    stages: Path
    audit_bodies: bool = True

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.api_port}"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def audit_log(self) -> Path:
        return self.folder / "logs" / "audit.jsonl"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user}.kubeconfig"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


def _part(plan: Plan, part: str, *flags: str) -> Program:
    return Program(part, (str(plan.controlplane), part, *flags), plan.log(part), {})


def etcd(plan: Plan) -> Program:
    client, peer = f"https://127.0.0.1:{plan.etcd_port}", f"https://127.0.0.1:{plan.etcd_peer_port}"
    pki = plan.pki
    return _part(
        plan,
        "etcd",
        "--name=default",
        f"--data-dir={plan.folder}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # Other users of the machine can reach the port; without a certificate of this cluster they get nothing.
        "--client-cert-auth",
        f"--trusted-ca-file={pki}/ca.crt",
        f"--cert-file={pki}/etcd.crt",
        f"--key-file={pki}/etcd.key",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={pki}/ca.crt",
        f"--peer-cert-file={pki}/etcd.crt",
        f"--peer-key-file={pki}/etcd.key",
        # A power cut may take the data: this cluster is made anew then.
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def apiserver(plan: Plan) -> Program:
    pki = plan.pki
    flags = [
        f"--etcd-servers=https://127.0.0.1:{plan.etcd_port}",
        f"--etcd-cafile={pki}/ca.crt",
        f"--etcd-certfile={pki}/etcd-client.crt",
        f"--etcd-keyfile={pki}/etcd-client.key",
        f"--bind-address={plan.address}",
        f"--advertise-address={plan.address}",
        f"--secure-port={plan.api_port}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--token-auth-file={pki}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={addresses.SERVICE_RANGE}",
        f"--service-account-issuer=https://kubernetes.default.svc.{addresses.DOMAIN}",
        f"--service-account-key-file={pki}/serviceaccounts.crt",
        f"--service-account-signing-key-file={pki}/serviceaccounts.key",
        f"--audit-policy-file={plan.folder}/audit-policy.yaml",
        f"--audit-log-path={plan.audit_log}",
        "--audit-log-maxsize=1000",
    ]
    if plan.whole:
        flags += [
            f"--kubelet-certificate-authority={pki}/ca.crt",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet.key",
            "--kubelet-preferred-address-types=InternalIP",
        ]
    else:
        # A loopback address may not be the endpoint of a Service, and nobody needs that one without pods.
        flags += ["--endpoint-reconciler-type=none"]
    return _part(plan, "kube-apiserver", *flags)


def controller_manager(plan: Plan) -> Program:
    flags = [
        f"--kubeconfig={plan.kubeconfig('controller-manager')}",
        f"--root-ca-file={plan.pki}/ca.crt",
        f"--service-account-private-key-file={plan.pki}/serviceaccounts.key",
        f"--cluster-signing-cert-file={plan.pki}/ca.crt",
        f"--cluster-signing-key-file={plan.pki}/ca.key",
        "--leader-elect=false",
        "--secure-port=0",
    ]
    if plan.controller_qps is not None:
        flags += [
            f"--kube-api-qps={plan.controller_qps:g}",
            f"--kube-api-burst={max(1, round(plan.controller_qps * 1.5))}",
        ]
    return _part(plan, "kube-controller-manager", *flags)


def scheduler(plan: Plan) -> Program:
    return _part(
        plan,
        "kube-scheduler",
        f"--kubeconfig={plan.kubeconfig('scheduler')}",
        "--leader-elect=false",
        "--secure-port=0",
    )


def kwok(plan: Plan) -> Program:
    argv = (
        str(plan.kwok),
        f"--kubeconfig={plan.kubeconfig('kwok')}",
        f"--config={plan.stages}/node.yaml",
        f"--config={plan.stages}/pods.yaml",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--node-ip={addresses.SIMULATED_POD_IP}",
    )
    return Program("kwok", argv, plan.log("kwok"), {"KWOK_WORKDIR": f"{plan.folder}/kwok"})


def kubelet(plan: Plan) -> Program:
    return _part(
        plan,
        "kubelet",
        f"--config={plan.folder}/kubelet.yaml",
        f"--kubeconfig={plan.kubeconfig('kubelet')}",
        f"--hostname-override={addresses.NODE_NAME}",
        f"--node-ip={addresses.NODE_IP}",
        f"--root-dir={plan.folder}/kubelet",
        f"--cert-dir={plan.folder}/kubelet-pki",
    )


def proxy(plan: Plan) -> Program:
    return _part(plan, "kube-proxy", f"--config={plan.folder}/proxy.yaml")


def containerd(plan: Plan, binary: Path) -> Program:
    argv = (str(binary), f"--config={plan.folder}/containerd.toml")
    # The shim is looked for on PATH, and so is runc.
    path = f"{binary.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return Program("containerd", argv, plan.log("containerd"), {"PATH": path})


def name_server(plan: Plan, binary: Path) -> Program:
    return Program("coredns", (str(binary), "-conf", f"{plan.folder}/Corefile"), plan.log("coredns"), {})
