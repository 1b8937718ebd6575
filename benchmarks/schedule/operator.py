"""The operator as a process of its own, with the environment and the rights that the chart renders by default."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.schedule.bodies import Body
from devcluster.api import ControlPlane, clients

ROOT = Path(__file__).parents[2]
RELEASE, NAMESPACE = "gsc", "gsc"
TICKS = os.sysconf("SC_CLK_TCK")


def chart(*options: str) -> list[Body]:
    """All objects of the release; `options` are helm's."""
    text = subprocess.run(
        [clients().helm, "template", RELEASE, ROOT / "helm/gsc-sync-operator", "-n", NAMESPACE, *options],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [body for body in yaml.safe_load_all(text) if body]


def environment(objects: list[Body]) -> dict[str, str]:
    deployment = next(body for body in objects if body["kind"] == "Deployment")
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return {item["name"]: str(item["value"]) for item in variables if "value" in item}


def account(objects: list[Body]) -> str:
    deployment = next(body for body in objects if body["kind"] == "Deployment")
    return str(deployment["spec"]["template"]["spec"]["serviceAccountName"])


class Operator:
    def __init__(self, plane: ControlPlane, objects: list[Body], folder: Path, identity: str) -> None:
        self.identity = identity
        self._folder = folder
        self._kubeconfig = plane.service_account_kubeconfig(NAMESPACE, account(objects))
        self.credential = _credential(self._kubeconfig)
        self._environment = environment(objects)
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self._starts = 0

    def start(self) -> None:
        self._starts += 1
        variables = {
            "PATH": os.environ["PATH"],
            **self._environment,
            "GSC_OPERATOR_KUBECONFIG": str(self._kubeconfig),
            "GSC_OPERATOR_NAMESPACE": NAMESPACE,
            "GSC_OPERATOR_IDENTITY": f"{self.identity}-{self._starts}",
            "GSC_OPERATOR_BIND": "127.0.0.1",
            "GSC_OPERATOR_HEALTH_PORT": str(_free_port()),
            "GSC_OPERATOR_METRICS_PORT": str(_free_port()),
        }
        with self.log.open("wb") as log:
            self.started_at = time.time()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "controller"], cwd=ROOT, env=variables, stdout=log, stderr=log
            )

    @property
    def log(self) -> Path:
        return self._folder / f"{self.identity}-{self._starts}.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> float:
        """As a crash; returns when."""
        assert self._process is not None
        at = time.time()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        return at

    async def stop(self) -> float:
        """As the kubelet does; returns when it was asked."""
        assert self._process is not None
        at = time.time()
        self._process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self._process.wait, 30)
        return at

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> tuple[float, float]:
        """Resident now, and the most there ever was."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        found: dict[str, Any] = dict(line.split(":", 1) for line in lines)
        return tuple(round(int(found[key].split()[0]) / 1024, 1) for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def _credential(kubeconfig: Path) -> str:
    """The token's identity as the audit log names it."""
    token = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"JTI={claims['jti']}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
