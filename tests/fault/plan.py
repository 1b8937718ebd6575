"""Plan: one workload, the faults that strike it, and nothing else. A plan file that fails is the reproduction.

Exchanges between the operator and the API server are named by verb and kind ("patch status", "create jobs", "list
pods", "watch jobs"), watch events by their kind ("event jobs"); a fault strikes the nth of its name, counted from 1
over the whole plan, restarts of the operator included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

WRITES = ("create jobs", "patch status", "delete jobs", "create events", "patch events")
LEASE_WRITES = ("create leases", "update leases")
EVENTS = ("event schedules", "event jobs", "event pods")

CRASHES = ("kill-before", "kill-lost", "kill-after")
"""Before the write is sent on; after it took effect, its answer lost; after the operator got the answer."""

WAITS = frozenset({
    "delay", "hang", "hold", "hold-frozen", "freeze", "silent", "api-down", "rights-away", "revoke", "compete", "stale",
    "stale-kill",
})  # fmt: skip
"""What takes as many seconds as its value says."""

_PATH = re.compile(
    r"/namespaces/[^/]+/(?P<plural>gscsyncschedules|jobs|pods|events|leases|configmaps)(/(?P<name>[^/]+)(?P<status>/status)?)?$"
)
_KINDS = {"gscsyncschedules": "schedules"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Fault:
    """`do` at the exchanges or events `nth` .. `nth + times - 1` named `on`."""

    on: str
    do: str
    nth: int = 1
    times: int = 1
    value: Any = None
    replica: int = 0
    """Only exchanges of this replica, when not 0."""

    def strikes(self, on: str, number: int) -> bool:
        return self.on == on and self.nth <= number < self.nth + self.times


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    workload: str
    faults: tuple[Fault, ...] = ()
    replicas: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    """GSC_OPERATOR_* variables, without the prefix, on top of the rig's."""
    start: str = "fork"
    """fork: from a process that has everything imported; exec: a new interpreter (needed for libfaketime)."""
    quiet: float = 2.0
    """So many seconds without a write must be seen at the end."""
    patience: float = 240.0
    alone: bool = False
    """Touches what all namespaces share: no other plan may run meanwhile."""
    servers: str = ""
    """With two API servers, of which the second learns all 1.5 s late. watches: they are watched at the second, all
    else is done at the first; turns: requests go to one and the other in turn; moved: a fault moves the operator."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        raw = json.loads(text)
        return cls(**{**raw, "faults": tuple(Fault(**fault) for fault in raw.get("faults", ()))})

    @classmethod
    def read(cls, file: Path) -> Plan:
        return cls.from_json(file.read_text())

    @property
    def waits(self) -> float:
        """About how long its faults alone take, in seconds."""
        return sum(fault.times * float(fault.value) for fault in self.faults if fault.do in WAITS)

    def named(self, name: str) -> Plan:
        return replace(self, name=name)


def name_exchange(method: str, path: str, query: Mapping[str, str]) -> str:
    """What an exchange is called in plans; '' for what no plan names (discovery)."""
    if path == "/version":
        return "get version"
    if path.endswith("/selfsubjectaccessreviews"):
        return "create reviews"
    found = _PATH.search(path)
    if found is None:
        return ""
    kind = "status" if found["status"] else _KINDS.get(found["plural"], found["plural"])
    if method != "GET":
        return f"{_VERBS.get(method, method.lower())} {kind}"
    if found["name"]:
        return f"get {kind}"
    if query.get("watch") in {"true", "1"}:
        return f"watch {kind}"
    return f"continue {kind}" if query.get("continue") else f"list {kind}"
