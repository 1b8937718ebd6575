"""Where budgets live: a small port with two adapters of equal standing, a table in Postgres and one in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sync.quota.bucket import Ask, Grant
from sync.quota.names import BucketName


class QuotaTable(Protocol):
    """All budgets of all Jobs. Safe to use from many threads; each call happens at once or not at all."""

    def renew(self, asks: Sequence[Ask]) -> Mapping[BucketName, Grant]:
        """Renew some leases in one short transaction; a budget that nobody used before begins here.

        Raises DatabaseError when the table cannot be reached, is too slow, or is refused.
        """

    def prune(self) -> int:
        """Forget budgets that were not used for long and have nothing to tell; how many they were.

        Raises DatabaseError.
        """

    def close(self) -> None: ...
