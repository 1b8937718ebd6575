"""Puts the pieces on a cluster: namespace, backing services, Secrets, chart. Used by the demo and by the e2e tests.

Everything is applied, so a second call changes nothing; everything lives in one namespace, so deleting it cleans up
(the CRD alone is cluster-wide: demo/definition.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.definition import RELEASE
from demo.kubectl import CommandError, Kubectl, fill

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm" / "gsc-sync-operator"
MANIFESTS = Path(__file__).parent / "manifests"
DATABASE_PASSWORD = "demo-only"  # noqa: S105 - of a database that lives and dies with the demo


@dataclass(frozen=True, slots=True)
class Images:
    """References as the cluster knows them: repository and tag."""

    runtime: str
    demo: str


@dataclass(frozen=True, slots=True)
class Stage:
    kubectl: Kubectl
    images: Images

    @property
    def emulator_url(self) -> str:
        return f"http://search-console.{self.kubectl.namespace}.svc"

    def namespace(self) -> None:
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self.kubectl.apply(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": self.kubectl.namespace, "labels": labels},
                }
            )
        )

    def backing(self, emulator_config: dict[str, Any]) -> None:
        manifest = (MANIFESTS / "backing.yaml").read_text()
        values = {
            "DEMO_IMAGE": self.images.demo,
            "DATABASE_PASSWORD": DATABASE_PASSWORD,
            "EMULATOR_CONFIG": json.dumps(emulator_config),
        }
        self.kubectl.apply(fill(manifest, values))

    def backing_ready(self) -> None:
        for name in ("search-console", "warehouse"):
            self.kubectl.run("rollout", "status", f"deployment/{name}", "--timeout=180s", timeout=200)

    def secret(self, name: str, data: dict[str, str]) -> None:
        self.kubectl.apply(
            json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data})
        )

    def chart(self, *settings: str) -> None:
        """Install or upgrade the release; `settings` are further `--set` values."""
        repository, _, tag = self.images.runtime.rpartition(":")
        values = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
            # The stand-in answers on another port than Google.
            "networkPolicy": {"httpsPorts": [443, 80, 8080]},
            "sync": {
                "extraEnv": {
                    "GSC_SYNC_API_BASE_URL": f"{self.emulator_url}/webmasters/v3",
                    "GSC_SYNC_TOKEN_URL": f"{self.emulator_url}/token",
                },
            },
        }
        extra = [part for setting in settings for part in ("--set", setting)]
        file = ROOT / ".build" / f"values-{self.kubectl.namespace}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(values))
        self.kubectl.run_helm(
            "upgrade",
            "--install",
            RELEASE,
            str(CHART),
            "--create-namespace",
            "--take-ownership",
            "-f",
            str(file),
            *extra,
            "--wait",
            "--timeout",
            "180s",
        )

    def schedules(self, manifest: str) -> None:
        self.kubectl.apply(manifest)

    def rows(self) -> list[dict[str, Any]]:
        """Row counts per property, search type and day, read by a program inside the cluster."""
        answer: list[dict[str, Any]] = json.loads(
            self.kubectl.run("exec", "deployment/warehouse", "--", "python", "-m", "demo.rows")
        )
        return answer

    def sql(self, statement: str) -> list[list[Any]]:
        """Run one statement in the warehouse; rows as JSON values."""
        program = (
            "import json,os,sys,psycopg\n"
            "with psycopg.connect(os.environ['DATABASE_URI']) as c:\n"
            "    print(json.dumps(c.execute(sys.argv[1]).fetchall(), default=str))"
        )
        answer: list[list[Any]] = json.loads(
            self.kubectl.run("exec", "deployment/warehouse", "--", "python", "-c", program, statement)
        )
        return answer

    def remove(self) -> None:
        """Uninstall the release, then the namespace; objects first, while their operator still serves."""
        try:
            self.kubectl.run_helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout", "120s")
        except CommandError:
            # Without the release the namespace still has to go.
            self.kubectl.run(
                "delete",
                "namespace",
                self.kubectl.namespace,
                "--ignore-not-found",
                "--timeout=120s",
                timeout=150,
            )
            raise
        self.kubectl.run(
            "delete", "namespace", self.kubectl.namespace, "--ignore-not-found", "--timeout=120s", timeout=150
        )
