"""Pure: what becomes of pods on the simulated node, as annotations, and how pods of a namespace come to have them.

A pod without annotations runs until it is deleted or annotated. The stages in stages/pods.yaml carry it out; the
table of annotations is in README.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

Outcome = Literal["run", "exit", "oom-killed", "evicted", "preempted", "image-missing"]
PREFIX = "devcluster"


def as_annotations(
    outcome: Outcome = "exit",
    *,
    exit_code: int = 0,
    message: str = "",
    reason: str = "",
    start_after: str = "",
    run_for: str = "",
    stop_for: str = "",
    stop_exit_code: int | None = None,
    stop_message: str = "",
) -> dict[str, str]:
    """For metadata.annotations of a pod. Durations are Go's, such as "1.5s"; what is empty is left out."""
    chosen = {
        "outcome": outcome,
        "exit-code": str(exit_code) if outcome == "exit" else "",
        "message": message,
        "reason": reason,
        "start-after": start_after,
        "run-for": run_for,
        "stop-for": stop_for,
        "stop-exit-code": "" if stop_exit_code is None else str(stop_exit_code),
        "stop-message": stop_message,
    }
    return {f"{PREFIX}/{name}": value for name, value in chosen.items() if value}


def policy(
    name: str, namespace: str, chosen: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Objects that annotate every new pod of a namespace (with these labels), so that the product need not know.

    The API server takes about a second until it applies a new policy: wait for the effect, not for the create.
    """
    values = ", ".join(f"{_text(key)}: {_text(value)}" for key, value in sorted(chosen.items()))
    kind = {"apiVersion": "admissionregistration.k8s.io/v1"}
    match: dict[str, Any] = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "resourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        ],
    }
    if labels:
        match["objectSelector"] = {"matchLabels": dict(labels)}
    return [
        {
            **kind,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": match,
                "mutations": [
                    {
                        "patchType": "ApplyConfiguration",
                        "applyConfiguration": {
                            "expression": f"Object{{metadata: Object.metadata{{annotations: {{{values}}}}}}}"
                        },
                    }
                ],
            },
        },
        {
            **kind,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        },
    ]


def _text(value: str) -> str:
    """A CEL string: JSON's escapes are among CEL's, and what is not ASCII stands for itself."""
    return json.dumps(value, ensure_ascii=False)
