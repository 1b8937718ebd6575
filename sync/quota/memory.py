"""Budgets in memory: for tests, and for commands that have no database (`plan`, `check`, a dry run).

One lock stands for the transaction, the clock that is handed in for the database's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sync.quota.bucket import Ask, Bucket, Grant, renew
from sync.quota.keeping import may_go
from sync.quota.names import BucketName


class MemoryQuotaTable:
    """Keeps everything until it is dropped."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.buckets: dict[BucketName, Bucket] = {}

    def renew(self, asks: Sequence[Ask]) -> Mapping[BucketName, Grant]:
        grants: dict[BucketName, Grant] = {}
        with self._lock:
            now = self._clock().timestamp()
            for ask in asks:
                bucket = self.buckets.get(ask.name, Bucket(ask.name))
                self.buckets[ask.name], grants[ask.name] = renew(bucket, ask, now)
        return grants

    def prune(self) -> int:
        with self._lock:
            now = self._clock().timestamp()
            gone = [name for name, bucket in self.buckets.items() if may_go(bucket, now)]
            for name in gone:
                del self.buckets[name]
        return len(gone)

    def close(self) -> None:
        return None
