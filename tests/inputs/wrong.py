"""Schedules that are wrong in some way, made from the schema of the resource itself.

Each field is given each kind of value that does not belong there: other types, one below and one above its bounds, texts that
break its pattern, lists with too many or doubled entries, unknown keys, nothing at all. `one_by_one` goes through them;
`several` puts a few into one object, by chance. Some turn out to be right, such as a zone that only looks odd: who judges is
the API server and the operator, and they should agree.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]
Path = tuple[str | int, ...]
MISSING = object()
"""The field is taken away."""

GOOD: Node = {
    "schedule": "0 4 1 1 *",
    "timeZone": "Europe/Warsaw",
    "suspend": False,
    "runOnCreate": True,
    "concurrencyPolicy": "Forbid",
    "catchUp": {"policy": "Latest", "maxRuns": 10, "maxAgeSeconds": 3600},
    "timeoutSeconds": 600,
    "pendingDeadlineSeconds": 300,
    "retry": {"maxAttempts": 3, "backoff": {"type": "Oban", "baseSeconds": 30, "maxSeconds": 3600}, "maxSnoozes": 50},
    "minSuccessRatio": 0.5,
    "window": {"days": 14, "dataState": "All", "maxCatchUpDays": 60},
    "searchTypes": ["web", "image"],
    "dimensionSets": ["page-query", "totals"],
    "inventory": ["properties"],
    "splitRequestsPerCell": 10,
    "inspectionsPerProperty": 5,
    "shards": 2,
    "workspaces": [
        {
            "name": "acme",
            "credentialsSecretRef": {"name": "acme-google", "key": "credentials.json"},
            "subject": "robot@acme.example",
            "properties": {"include": ["sc-domain:*"], "exclude": ["sc-domain:old.example"]},
        },
        {"name": "globex", "oauthSecretRef": {"name": "globex-oauth"}},
    ],
    "destination": {"secretRef": {"name": "warehouse"}, "schema": "gsc", "retentionMonths": 16},
    "freshnessSeconds": 259200,
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "1Gi"}},
    "history": {"successfulLimit": 3, "failedLimit": 5, "maxAgeSeconds": 86400},
    "queue": "gsc-sync",
    "priority": 1,
    "environments": ["production"],
    "rollout": {"include": ["acme"], "exclude": ["globex"], "percentOfWorkspaces": 50, "percentOfTime": 100},
}  # fmt: skip
"""Every field set, and nothing wrong with it; it runs at once, so a Job is built from it."""

OTHER_KINDS: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**18, "", "x", "1", [], [None], [[]], ["x"], {}, {"x": 1}, {"": {"": {}}},
)  # fmt: skip
ODD_TEXTS = (
    " ", "-", ".", "..", "*", "\x00", "\n", "a\nb", "\u202e", "\ud7ff", "ü", "日本", "A", "$(HOME)", "{{x}}", "../x", "a/b", "%s",
    "'", '"', "\\", "--help", "TZ=UTC 0 0 * * *", "@reboot", "* * * * * *", "60 * * * *", "H H H H H", "0 0 31 2 *", "null",
    "1e3", "1Ei", "-1Mi", "0", "pg_temp", "Local", "Mars/Olympus", "x" * 64, "x" * 300, "x" * 3000,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wrong:
    """A spec and what was changed in it, for the message of a failing test."""

    spec: Any
    changes: tuple[tuple[Path, Any], ...]

    def body(self, name: str = "marketing", namespace: str = "default") -> Node:
        return {
            "apiVersion": "gscsync.io/v1beta1",
            "kind": "GscSyncSchedule",
            "metadata": {"name": name, "namespace": namespace},
            "spec": copy.deepcopy(self.spec),
        }

    def __str__(self) -> str:
        return "; ".join(
            f"{'.'.join(map(str, path)) or 'spec'} = {'(taken away)' if value is MISSING else ascii(value)[:80]}"
            for path, value in self.changes
        )


def one_by_one(schema: Node) -> Iterator[Wrong]:
    """`schema` is that of the spec."""
    for path, node in fields(schema):
        for value in values(node):
            yield _changed(((path, value),))


def several(schema: Node, chance: random.Random) -> Wrong:
    """Two to five fields at once."""
    choices = list(fields(schema))
    picked = sorted(chance.sample(choices, chance.randrange(2, 6)), key=lambda choice: -len(choice[0]))
    return _changed(tuple((path, chance.choice(values(node))) for path, node in picked))


def fields(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every field that `GOOD` has a place for; of a list the first entry."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from fields(child, (*path, name))
    if "items" in node:
        yield from fields(node["items"], (*path, 0))


def values(node: Node) -> list[Any]:
    """What does not belong at a node, and some that may."""
    made: list[Any] = [MISSING, *OTHER_KINDS, *_beyond(node)]
    if node.get("type") == "string" or node.get("x-kubernetes-int-or-string"):
        made += ODD_TEXTS
    return made


def _beyond(node: Node) -> Iterator[Any]:
    """Just outside of the bounds."""
    if "minimum" in node:
        yield node["minimum"] - 1
    if "maximum" in node:
        yield node["maximum"] + 1
    if "maxLength" in node:
        yield "x" * (node["maxLength"] + 1)
    if node.get("type") == "array":
        choices = node["items"].get("enum", [f"entry-{number}" for number in range(node["maxItems"] + 1)])
        yield [choices[0], choices[0]]
        yield choices
        yield [*choices, "x"]
    if node.get("type") == "object":
        yield {"unheardOf": True}


def _changed(changes: tuple[tuple[Path, Any], ...]) -> Wrong:
    spec: Any = copy.deepcopy(GOOD)
    for path, value in changes:
        spec = _with(spec, path, value)
    return Wrong(spec, changes)


def _with(node: Any, path: Path, value: Any) -> Any:
    """`node` with another value at `path`; a place that is gone already stays so."""
    if not path:
        return {} if value is MISSING else value
    step, *rest = path
    if isinstance(step, int) and isinstance(node, list) and len(node) > step:
        if not rest and value is MISSING:
            return [*node[:step], *node[step + 1 :]]
        return [*node[:step], _with(node[step], tuple(rest), value), *node[step + 1 :]]
    if isinstance(step, str) and isinstance(node, dict):
        if not rest and value is MISSING:
            return {key: kept for key, kept in node.items() if key != step}
        return {**node, step: _with(node.get(step), tuple(rest), value)}
    return node
