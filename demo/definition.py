"""The custom resource definition is the whole cluster's: whose it is decides whether the demo may bring or remove it.

With it go all schedules of the cluster, so on a person's own cluster it is touched only when the demo's release made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

CRD = "gscsyncschedules.gscsync.io"
RELEASE = "gsc"

Say = Callable[[str], None]


class TakenError(RuntimeError):
    """The definition belongs to somebody else; the message says to whom, and what to do."""


class Runs(Protocol):
    """The part of Kubectl that is needed here."""

    @property
    def namespace(self) -> str: ...

    def run(self, *arguments: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """The Helm release that a definition names; both empty when Helm did not bring it."""

    release: str
    namespace: str

    def __str__(self) -> str:
        if not self.release:
            return "no Helm release (kubectl brought it)"
        return f"the Helm release {self.release!r} in namespace {self.namespace!r}"


def owner(kubectl: Runs) -> Owner | None:
    """None when the cluster has no definition."""
    found = kubectl.run("get", "crd", CRD, "--ignore-not-found", "-o", "json")
    if not found.strip():
        return None
    annotations = json.loads(found)["metadata"].get("annotations") or {}
    return Owner(
        annotations.get("meta.helm.sh/release-name", ""),
        annotations.get("meta.helm.sh/release-namespace", ""),
    )


def refuse_another(kubectl: Runs) -> None:
    """Raises TakenError when the demo would take over somebody's definition."""
    now = owner(kubectl)
    if now in (None, _ours(kubectl)):
        return
    raise TakenError(
        f"this cluster has the CRD {CRD} already, and it belongs to {now}: the demo would take it over, and with it that "
        "installation's schedules. Give another CONTEXT, or run `make demo` without one for a cluster of its own"
    )


def remove(kubectl: Runs, say: Say) -> None:
    """Delete the definition when it is the demo's and nobody has schedules; say why it stays otherwise."""
    now = owner(kubectl)
    if now is None:
        return
    if now != _ours(kubectl):
        say(f"the CRD stays: it belongs to {now}, not to this demo")
        return
    if left := _schedules(kubectl):
        say(
            f"the CRD stays, since its deletion would delete the schedules that are left: {', '.join(left)}. "
            f"When they are not needed any more: kubectl delete crd {CRD}"
        )
        return
    # Dying before it, a second `down` does it; dying after it, nothing is left.
    kubectl.run("delete", "crd", CRD, "--ignore-not-found")
    say("the CRD is gone, too")


def _ours(kubectl: Runs) -> Owner:
    return Owner(RELEASE, kubectl.namespace)


def _schedules(kubectl: Runs) -> list[str]:
    found = json.loads(kubectl.run("get", CRD, "--all-namespaces", "-o", "json"))["items"]
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in found]
