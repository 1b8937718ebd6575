"""What is written for the programs: addresses, files and limits agree with each other."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from devcluster import addresses, flags, manifests
from devcluster.flags import Plan
from devcluster.places import STAGES

FOLDER = Path("/state/clusters/x")


def plan(*, whole: bool, qps: float | None = None) -> Plan:
    return Plan(
        name="x",
        folder=FOLDER,
        whole=whole,
        address=addresses.NODE_IP if whole else "127.0.0.1",
        api_port=20443,
        etcd_port=20379,
        etcd_peer_port=20380,
        controller_qps=qps,
        controlplane=Path("/cache/controlplane"),
        kwok=Path("/cache/kwok"),
        stages=STAGES,
    )


def test_the_api_server_listens_where_its_url_says() -> None:
    argv = flags.apiserver(plan(whole=False)).argv
    assert argv[:2] == ("/cache/controlplane", "kube-apiserver")
    assert {"--bind-address=127.0.0.1", "--secure-port=20443"} <= set(argv)
    assert plan(whole=False).url == "https://127.0.0.1:20443"


def test_the_api_server_logs_for_auditors_where_tests_look() -> None:
    argv = flags.apiserver(plan(whole=False)).argv
    assert f"--audit-log-path={plan(whole=False).audit_log}" in argv
    assert f"--audit-policy-file={FOLDER}/audit-policy.yaml" in argv


def test_only_a_cluster_with_a_node_talks_to_a_kubelet() -> None:
    def kubelet_flags(whole: bool) -> list[str]:
        return [flag for flag in flags.apiserver(plan(whole=whole)).argv if flag.startswith("--kubelet")]

    assert kubelet_flags(True) != []
    assert kubelet_flags(False) == []


@pytest.mark.parametrize(
    ("qps", "expected"),
    [
        (None, []),
        (200, ["--kube-api-qps=200", "--kube-api-burst=300"]),
        (0.5, ["--kube-api-qps=0.5", "--kube-api-burst=1"]),
    ],
    ids=["its-own-default", "fast", "slow"],
)
def test_the_controller_managers_rate(qps: float | None, expected: list[str]) -> None:
    argv = flags.controller_manager(plan(whole=False, qps=qps)).argv
    assert [flag for flag in argv if flag.startswith("--kube-api")] == expected


def test_every_program_names_its_run_folder_so_that_a_stray_one_is_known() -> None:
    p = plan(whole=True)
    programs = [
        flags.etcd(p), flags.apiserver(p), flags.controller_manager(p), flags.scheduler(p), flags.kwok(p),
        flags.kubelet(p), flags.proxy(p), flags.containerd(p, Path("/cache/containerd")),
        flags.name_server(p, Path("/cache/coredns")),
    ]  # fmt: skip
    for program in programs:
        assert any(f"{FOLDER}/" in word for word in program.argv), program.name
    assert len({program.name for program in programs}) == len(programs)


def test_bodies_are_audited_for_what_the_product_writes_and_only_there() -> None:
    first, last = manifests.AUDIT_POLICY["rules"]
    assert first["level"] == "RequestResponse"
    assert [group["group"] for group in first["resources"]] == ["gscsync.io", "batch"]
    assert last == {"level": "Metadata"}


def test_the_containerd_configuration_is_toml_and_stays_in_the_run_folder() -> None:
    config = tomllib.loads(
        manifests.containerd(FOLDER, "localhost/p:1", "overlayfs", ["/usr/lib/cni", "/opt/cni/bin"])
    )
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["cni"] == {"bin_dirs": ["/usr/lib/cni", "/opt/cni/bin"], "conf_dir": f"{FOLDER}/cni"}
    assert runtime["netns_mounts_under_state_dir"] is True
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["Root"] == f"{FOLDER}/runc"
    assert config["root"].startswith(str(FOLDER))
    assert config["state"].startswith(str(FOLDER))


def test_pods_get_no_masquerading_by_the_plugin_which_would_leave_rules() -> None:
    (bridge,) = manifests.network(FOLDER)["plugins"]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["dataDir"].startswith(str(FOLDER))


def test_names_are_asked_of_the_service_that_ends_at_the_name_server() -> None:
    service, ends = manifests.node_service()
    assert manifests.kubelet(FOLDER)["clusterDNS"] == [service["spec"]["clusterIP"]]
    assert {port["port"] for port in service["spec"]["ports"]} == {53}
    assert ends["endpoints"][0]["addresses"] == [addresses.NODE_IP]
    assert {port["port"] for port in ends["ports"]} == {addresses.DNS_PORT}
    assert f".:{addresses.DNS_PORT} {{" in manifests.corefile(FOLDER)


@pytest.mark.parametrize(
    ("machine", "systemd", "expected"),
    [
        ("nameserver 10.0.0.2\n", None, "nameserver 10.0.0.2\n"),
        ("nameserver 127.0.0.53\n", "nameserver 10.0.0.2\n", "nameserver 10.0.0.2\n"),
        ("nameserver 10.0.0.2\n", "nameserver 10.0.0.3\n", "nameserver 10.0.0.2\n"),
        ("nameserver 127.0.0.53\n", None, "nameserver 127.0.0.53\n"),
        ("", "nameserver 10.0.0.3\n", ""),
    ],
    ids=["plain", "stub", "not-a-stub", "stub-without-its-file", "empty"],
)
def test_pods_are_never_sent_to_a_resolver_on_the_machines_loopback(
    machine: str, systemd: str | None, expected: str
) -> None:
    assert manifests.resolv_conf(machine, systemd) == expected


def test_a_kubeconfig_needs_no_other_file() -> None:
    config = manifests.kubeconfig("https://a:1", b"PEM", {"token": "t"}, "ns")
    (cluster,) = config["clusters"]
    assert cluster["cluster"] == {"server": "https://a:1", "certificate-authority-data": "UEVN"}
    assert config["contexts"][0]["context"]["namespace"] == "ns"
    assert json.loads(json.dumps(config)) == config


@pytest.mark.parametrize("tainted", [True, False], ids=["beside-a-real-node", "alone"])
def test_the_simulated_node_keeps_real_pods_away_where_there_is_a_real_node(tainted: bool) -> None:
    assert bool(manifests.simulated_node(tainted=tainted)["spec"]) == tainted
