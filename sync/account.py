"""A Google identity as the run sees it: what it may read, where final data end, and whole cells.

The port between `run` and `google`: nothing of HTTP, tokens or JSON passes it. Every method is safe to call from many
threads, waits and retries by itself, and fails with the errors of `sync.errors` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from contract import Workspace
from contract.dimension_sets import SearchType
from contract.run_spec import DataState
from sync.plan.cells import Cell, FetchedCell
from sync.plan.inspection import Inspection
from sync.plan.inventory import Sitemap
from sync.plan.totals import Totals


@dataclass(frozen=True, slots=True)
class Site:
    """A property that an identity sees, spelled as Google spells it."""

    url: str
    permission: str

    @property
    def readable(self) -> bool:
        """An unverified user sees the name of a property and none of its data."""
        return self.permission != "siteUnverifiedUser"


@dataclass(frozen=True, slots=True)
class Probe:
    """Totals per day of one property and search type: one cheap request instead of many guesses."""

    first_incomplete: date | None
    """Where data begin that Google may still change; None when it did not say."""
    impressions: Mapping[date, float] = field(default_factory=dict)
    clicks: Mapping[date, float] = field(default_factory=dict)

    def totals(self, day: date) -> Totals:
        """A day that the answer does not name had nothing."""
        return Totals(float(self.clicks.get(day, 0)), float(self.impressions.get(day, 0)))

    def shows_rows(self, day: date) -> bool:
        return self.impressions.get(day, 0) > 0


class Account(Protocol):
    """One workspace's identity at Google."""

    def sites(self) -> Sequence[Site]:
        """Everything the identity sees.

        Raises CredentialsError, QuotaError, GoogleUnavailable, BadAnswer or Interrupted.
        """

    def probe(self, property_: str, search_type: SearchType, first: date, last: date) -> Probe:
        """Totals per day, both ends included.

        Raises PropertyError besides those of `sites`.
        """

    def fetch(
        self,
        cell: Cell,
        *,
        final: bool,
        data_state: DataState,
        expect_rows: bool,
        split_requests: int = 0,
        known: bytes = b"",
    ) -> FetchedCell:
        """The whole cell, from all its pages; `expect_rows` says that an empty answer deserves a second question.

        `known` is the digest of the version that is stored: when the answer says the same, its rows stay undecoded.

        A cell at Google's cap is asked for again in parts, for at most `split_requests` more; 0 leaves it cut.

        Raises PropertyError besides those of `sites`.
        """

    def sitemaps(self, property_: str) -> Sequence[Sitemap]:
        """The sitemaps of a property, distinct by path.

        Raises PropertyError besides those of `sites`.
        """

    def inspect(self, property_: str, page: str) -> Inspection:
        """What Google's index says of one page of the property.

        Raises PropertyError besides those of `sites`.
        """


Accounts = Callable[[Workspace], Account]
"""Opens the account of a workspace. Raises CredentialsError when its file is missing or of no use."""
