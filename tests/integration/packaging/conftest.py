"""A real API server with the resource installed, and a small client of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from devcluster.api import ControlPlane, clients
from tests.unit.packaging.shared import CRD

API = "/apis/gscsync.io/v1beta1/namespaces/default/gscsyncschedules"


@dataclass
class Server:
    """The API server as an administrator sees it, by HTTP and by kubectl and helm."""

    plane: ControlPlane
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.verify = str(self.plane.ca_file)
        self.session.headers["Authorization"] = f"Bearer {self.plane.admin_token}"
        # The environment of the machine (proxies, other bundles) has no say here.
        self.session.trust_env = False

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = self.session.request(
            method,
            f"{self.plane.url}{path}",
            json=body,
            params=query,
            timeout=20,
            headers={"Content-Type": kind},
        )
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status_code, answer.json() if is_json else {"message": answer.text}

    def dry_run(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Create, but not for real; unknown fields are errors, as with kubectl."""
        return self.call("POST", API, body, dryRun="All", fieldValidation="Strict")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [clients().kubectl, "--kubeconfig", self.plane.kubeconfig, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [clients().helm, "--kubeconfig", self.plane.kubeconfig, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition; its last answer decides."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with ControlPlane.start() as plane:
        server = Server(plane)
        applied = server.kubectl("apply", "-f", str(CRD))
        assert applied.returncode == 0, applied.stderr
        until(lambda: server.call("GET", API)[0] == 200)
        yield server
        server.session.close()
