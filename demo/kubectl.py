"""kubectl and helm as this demo needs them: one object that knows the cluster and the namespace."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CommandError(RuntimeError):
    """A command failed; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """`kubeconfig` None means the person's own; `context` '' means its current one."""

    kubectl: Path
    helm: Path
    namespace: str
    kubeconfig: Path | None = None
    context: str = ""

    def environment(self) -> dict[str, str]:
        extra = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
        return {**os.environ, **extra}

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Raises CommandError with the command's own words."""
        context = ["--context", self.context] if self.context else []
        return self._call([str(self.kubectl), *context, "-n", self.namespace, *arguments], stdin, timeout)

    def run_helm(self, *arguments: str, timeout: float = 300) -> str:
        context = ["--kube-context", self.context] if self.context else []
        return self._call([str(self.helm), *context, "-n", self.namespace, *arguments], None, timeout)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def apply(self, manifest: str) -> str:
        return self.run("apply", "-f", "-", stdin=manifest)

    def _call(self, command: list[str], stdin: str | None, timeout: float) -> str:
        try:
            done = subprocess.run(
                command,
                env=self.environment(),
                input=stdin,
                text=True,
                capture_output=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(
                f"{' '.join(command[:6])} ... did not finish within {timeout:.0f} s"
            ) from error
        if done.returncode != 0:
            raise CommandError(f"{' '.join(command[:8])} ...: {(done.stderr or done.stdout).strip()}")
        return done.stdout


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put JSON-quoted values where `${NAME}` stands; YAML reads JSON strings as they are."""
    for name, value in values.items():
        template = template.replace("${" + name + "}", json.dumps(value))
    return template
