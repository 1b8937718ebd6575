"""Audit: what was written, by whom, as the API server itself wrote it down. The oracles believe nothing else."""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

PREFIX = "f-"
"""Of the namespaces of plans; events of others are passed over."""
_MARK = f'"namespace":"{PREFIX}'.encode()

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """One finished request."""

    at: datetime
    user: str
    verb: str
    resource: str
    subresource: str
    name: str
    code: int
    agent: str = ""
    request: Object = field(default_factory=dict)
    response: Object = field(default_factory=dict)

    @property
    def is_write(self) -> bool:
        return self.verb in {"create", "update", "patch", "delete", "deletecollection"}


def parse(event: Object) -> tuple[str, Record]:
    """The namespace and the record of one audit event."""
    ref = event.get("objectRef") or {}
    response: Object = event.get("responseObject") or {}
    return str(ref.get("namespace") or ""), Record(
        at=datetime.fromisoformat(event["stageTimestamp"]),
        user=str((event.get("user") or {}).get("username")),
        verb=str(event.get("verb")),
        resource=str(ref.get("resource") or ""),
        subresource=str(ref.get("subresource") or ""),
        name=str(ref.get("name") or (response.get("metadata") or {}).get("name") or ""),
        code=int((event.get("responseStatus") or {}).get("code") or 0),
        agent=str(event.get("userAgent") or ""),
        request=event.get("requestObject") or {},
        # A refusal or a finished delete is answered by a Status, which is no object of ours.
        response={} if response.get("kind") == "Status" else response,
    )


class Audit:
    """Reads the logs of all API servers as they grow, and sorts them by namespace and time."""

    def __init__(self, file: Path) -> None:
        self._tails = [_Tail(file)]
        self._by_namespace: dict[str, list[Record]] = defaultdict(list)

    def add(self, file: Path) -> None:
        """The log of another API server."""
        self._tails.append(_Tail(file))

    def of(self, namespace: str) -> list[Record]:
        """All of a namespace so far."""
        self._read()
        return sorted(self._by_namespace[namespace], key=lambda record: record.at)

    def forget(self, namespace: str) -> None:
        """What comes later is another plan's."""
        self._read()
        self._by_namespace.pop(namespace, None)

    def close(self) -> None:
        for tail in self._tails:
            tail.close()

    def _read(self) -> None:
        for line in itertools.chain.from_iterable(tail.lines() for tail in self._tails):
            if _MARK not in line or b'"verb":"watch"' in line or b'"verb":"list"' in line:
                continue
            namespace, record = parse(json.loads(line))
            if namespace.startswith(PREFIX):
                self._by_namespace[namespace].append(record)


class _Tail:
    """The lines of one file that grows."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: BinaryIO | None = None
        self._rest = b""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def lines(self) -> Iterator[bytes]:
        while True:
            if self._file is None:
                self._file = self._path.open("rb")
            for line in self._file:
                self._rest += line
                if self._rest.endswith(b"\n"):
                    yield self._rest
                    self._rest = b""
            # A log that grew too large is renamed, and a new one begun.
            if os.fstat(self._file.fileno()).st_ino == self._path.stat().st_ino:
                return
            self._file.close()
            self._file = None
