"""Pure: the configuration files of the programs, and the few objects that a cluster begins with."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from devcluster import addresses
from devcluster.pki import Pair

Object = dict[str, Any]

# Everything by its metadata; what the product writes with its bodies, so that tests can read what was written.
AUDIT_POLICY: Object = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "RequestResponse",
            "resources": [
                {"group": "gscsync.io", "resources": ["*"]},
                {"group": "batch", "resources": ["jobs", "jobs/status"]},
            ],
        },
        {"level": "Metadata"},
    ],
}
# Who asked for what and when, and nothing else: bodies cost the API server a good part of its time.
AUDIT_POLICY_WITHOUT_BODIES: Object = {**AUDIT_POLICY, "rules": [{"level": "Metadata"}]}


def kubeconfig(url: str, ca: bytes, user: Object, namespace: str = "default") -> Object:
    """Self-contained, so that it can be copied anywhere on this machine."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "devcluster",
                "cluster": {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()},
            }
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [
            {
                "name": "devcluster",
                "context": {"cluster": "devcluster", "user": "user", "namespace": namespace},
            }
        ],
        "current-context": "devcluster",
    }


def certificate_user(pair: Pair) -> Object:
    return {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }


def kubelet(folder: Path) -> Object:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{folder}/pki/ca.crt"},
        },
        # Whoever shows a certificate of this cluster's authority is the API server or its owner.
        "authorization": {"mode": "AlwaysAllow"},
        "address": addresses.NODE_IP,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 0,
        "tlsCertFile": f"{folder}/pki/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{folder}/pki/kubelet-server.key",
        "clusterDNS": [addresses.DNS_IP],
        "clusterDomain": addresses.DOMAIN,
        "resolvConf": f"{folder}/resolv.conf",
        "podLogsDir": f"{folder}/pod-logs",
        "volumePluginDir": f"{folder}/volume-plugins",
        "staticPodPath": "",
        # A machine that may itself be a container or a small virtual one: both cgroup versions, swap, no systemd.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "protectKernelDefaults": False,
        # Rules of iptables that kube-proxy no longer needs, and that would stay on the machine.
        "makeIPTablesUtilChains": False,
        "localStorageCapacityIsolation": False,
        "featureGates": {"KubeletInUserNamespace": True},
        # Images are loaded, not pulled: one that was collected would not come back.
        "imageMinimumGCAge": "240h",
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        "shutdownGracePeriod": "0s",
    }


def proxy(folder: Path) -> Object:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": addresses.NODE_IP,
        "healthzBindAddress": f"{addresses.NODE_IP}:10256",
        "metricsBindAddress": f"{addresses.NODE_IP}:10249",
        "hostnameOverride": addresses.NODE_NAME,
        "clusterCIDR": addresses.POD_RANGE,
        "nodePortAddresses": [f"{addresses.NODE_IP}/32"],
        "clientConnection": {"kubeconfig": f"{folder}/proxy.kubeconfig"},
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def network(folder: Path) -> Object:
    """CNI: one bridge, addresses noted in the run folder. No masquerading here: that would leave iptables rules."""
    bridge = {
        "type": "bridge",
        "bridge": addresses.POD_BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": f"{folder}/cni-addresses",
            "ranges": [[{"subnet": addresses.POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": addresses.NETWORK, "plugins": [bridge]}


def containerd(folder: Path, pause_image: str, snapshotter: str, plugins: list[str]) -> str:
    folders = ", ".join(f'"{plugin}"' for plugin in plugins)
    return f"""\
version = 3
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/containerd.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{snapshotter}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{pause_image}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  enable_selinux = false
  # Below our own folder, so that `down` knows whose they are.
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [{folders}]
    conf_dir = "{folder}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "runc"
      Root = "{folder}/runc"
      SystemdCgroup = false
"""


def corefile(folder: Path) -> str:
    return f"""\
.:{addresses.DNS_PORT} {{
    bind {addresses.NODE_IP}
    errors
    kubernetes {addresses.DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {folder}/coredns.kubeconfig devcluster
        pods insecure
        ttl 5
        fallthrough in-addr.arpa ip6.arpa
    }}
    forward . {folder}/resolv.conf
    cache 5 {{
        disable success {addresses.DOMAIN}
        disable denial {addresses.DOMAIN}
    }}
}}
"""


def resolv_conf(of_the_machine: str, of_systemd: str | None) -> str:
    """The name servers a pod can reach: a stub on the machine's loopback is replaced by what stands behind it."""
    text = of_the_machine
    servers = [
        words[1] for line in text.splitlines() if len(words := line.split()) > 1 and words[0] == "nameserver"
    ]
    if of_systemd is not None and servers and all(server.startswith("127.") for server in servers):
        return of_systemd
    return text


def node_service() -> list[Object]:
    """The name server as an ordinary Service, whose end is the program on the node."""
    ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
    labels = {
        "kubernetes.io/service-name": "kube-dns",
        "endpointslice.kubernetes.io/managed-by": "devcluster",
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {
                "clusterIP": addresses.DNS_IP,
                "ports": [
                    {"name": name, "port": 53, "protocol": protocol, "targetPort": addresses.DNS_PORT}
                    for name, protocol in ports
                ],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [addresses.NODE_IP], "conditions": {"ready": True}}],
            "ports": [
                {"name": name, "port": addresses.DNS_PORT, "protocol": protocol} for name, protocol in ports
            ],
        },
    ]


def simulated_node(*, tainted: bool) -> Object:
    """Beside a real node it is tainted, so that only pods which tolerate it come to it."""
    taints = [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": addresses.SIMULATED_NODE,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": addresses.SIMULATED_NODE,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {"taints": taints} if tainted else {},
    }
