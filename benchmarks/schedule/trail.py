"""The API server's audit log as a list of calls: the only clock of this benchmark.

The log has a line per answered request, with the moments it was received and answered, to the microsecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Call:
    verb: str
    resource: str
    """With its subresource: gscsyncschedules/status."""
    namespace: str
    name: str
    user: str
    credential: str
    """Which token it was, so that two replicas of one service account are told apart."""
    agent: str
    code: int
    received: float
    answered: float
    uri: str
    request: dict[str, Any] | None = field(repr=False, compare=False)
    response: dict[str, Any] | None = field(repr=False, compare=False)

    @property
    def writes(self) -> bool:
        return self.verb in WRITES

    @property
    def good(self) -> bool:
        return 200 <= self.code < 300


class Trail:
    """Reads what was added since the last time; bodies of calls nobody asks for are dropped at once."""

    def __init__(self, path: Path, bodies_of: frozenset[str] = frozenset()) -> None:
        self._path = path
        self._offset = 0
        self._bodies_of = bodies_of
        self.calls: list[Call] = []

    def read(self) -> list[Call]:
        """The new ones, which are in `calls` too."""
        fresh: list[Call] = []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):  # half written
                    break
                self._offset += len(line)
                # Most of a control plane's talk is of no interest, and JSON takes its time.
                if b'"verb":"watch"' in line or b'"system:apiserver"' in line:
                    continue
                call = _call(json.loads(line), self._bodies_of)
                if call is not None:
                    fresh.append(call)
        self.calls += fresh
        return fresh

    def of_operator(self) -> Iterator[Call]:
        return (call for call in self.calls if call.user.endswith("-sync-operator"))

    def of_cron_jobs(self) -> Iterator[Call]:
        return (call for call in self.calls if call.agent.endswith("/cronjob-controller"))


def _call(event: dict[str, Any], bodies_of: frozenset[str]) -> Call | None:
    about = event.get("objectRef") or {}
    resource = about.get("resource", "")
    if about.get("subresource"):
        resource += f"/{about['subresource']}"
    user = event["user"]
    bodies = resource in bodies_of
    response = event.get("responseObject") if bodies else None
    return Call(
        verb=event["verb"],
        resource=resource,
        namespace=about.get("namespace", ""),
        name=about.get("name") or ((response or {}).get("metadata") or {}).get("name", ""),
        user=user["username"],
        credential=next(
            iter((user.get("extra") or {}).get("authentication.kubernetes.io/credential-id", ())), ""
        ),
        agent=event.get("userAgent", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=moment(event["requestReceivedTimestamp"]),
        answered=moment(event["stageTimestamp"]),
        uri=event.get("requestURI", ""),
        request=event.get("requestObject") if bodies else None,
        response=response,
    )


def moment(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
