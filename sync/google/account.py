"""The real Account: one workspace's identity, asked through the Client.

Builds each query from the table of search types, walks the pages of a cell, and keeps what the whole launch shares -
transport, budgets, breakers, policy - in one GoogleAccess that opens accounts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from contract import FailureClass, Workspace
from contract.dimension_sets import SearchType
from contract.run_spec import DataState
from sync.account import Account, Probe, Site
from sync.clock import Clock
from sync.errors import CredentialsError, PropertyError
from sync.google.answers import Page, PageDecoder
from sync.google.bodies import decode_probe, decode_sites
from sync.google.client import Asks, Client, RequestObserver
from sync.google.credentials import read_credentials
from sync.google.exchange import Addresses
from sync.google.fetch import fetch
from sync.google.inspection import inspection_decoder, inspection_question
from sync.google.minting import AmbientMinter, FileMinter, Minter
from sync.google.queries import Grouping, query_body
from sync.google.question import query_question, sites_question
from sync.google.retry import Policy
from sync.google.sitemaps import decode_sitemaps, sitemaps_question
from sync.google.skew import SkewWatch
from sync.google.tokens import TokenObserver, Tokens
from sync.google.transport import Transport
from sync.plan.cells import Cell, FetchedCell
from sync.plan.inspection import Inspection
from sync.plan.inventory import Sitemap
from sync.quota.guard import Guard
from sync.quota.limiter import Limiter
from sync.quota.names import BucketName, Payer, Scope, bucket, payer_of

C = TypeVar("C", bound=Asks)

PROBE_ROWS = 1000
"""More than the longest window has days."""


class Observer(RequestObserver, TokenObserver, Protocol):
    """Is told of requests and token refreshes."""


_decoder = functools.cache(PageDecoder)
"""Building one costs more than reading a page with it."""


@dataclass(frozen=True, slots=True)
class TokenGuards:
    """A breaker for each place that gives tokens: one that is down must not hold up identities that never ask it."""

    oauth: Guard
    federation: Guard
    metadata: Guard


@dataclass(frozen=True, slots=True)
class GoogleAccess:
    """What all accounts of a launch share; calling it with a workspace opens that workspace's account."""

    namespace: str
    transport: Transport
    metadata_transport: Transport
    """Without a proxy: the metadata server is the machine's own."""
    base_url: str
    inspection_url: str
    addresses: Addresses
    identity_token: Path | None
    """The one file that an external account may name."""
    clock: Clock
    sleep: Callable[[float], None]
    draw: Callable[[], float]
    limiter: Limiter
    api_guard: Guard
    token_guards: TokenGuards
    policy: Policy
    observer: Observer
    skew: SkewWatch

    def __call__(self, workspace: Workspace) -> Account:
        """Raises CredentialsError when the file is missing or of no use: no request is needed to know that."""
        minter, guard, payer = self._identity(workspace)
        tokens = Tokens(
            minter,
            workspace=workspace.name,
            clock=self.clock,
            sleep=self.sleep,
            policy=self.policy,
            draw=self.draw,
            observer=self.observer,
            guard=guard,
        )
        client = partial(
            Client,
            transport=self.transport,
            tokens=tokens,
            clock=self.clock,
            sleep=self.sleep,
            draw=self.draw,
            policy=self.policy,
            observer=self.observer,
            skew=self.skew,
            limiter=self.limiter,
            guard=self.api_guard,
        )
        return GoogleAccount(client(base_url=self.base_url), client(base_url=self.inspection_url), payer)

    def _identity(self, workspace: Workspace) -> tuple[Minter, Guard, Payer]:
        """How its tokens are got, what guards their source, and whose budgets they use."""
        if workspace.credentials == "Ambient":
            ambient = AmbientMinter(self.metadata_transport, self.addresses.metadata_base_url, self.clock.now)
            # Pods of a namespace share a service account, and with it the identity.
            return (
                ambient,
                self.token_guards.metadata,
                Payer(f"ambient identity of namespace {self.namespace}"),
            )
        content = read_credentials(workspace, self.identity_token)
        minter = FileMinter(workspace, self.transport, self.addresses, self.clock.now, self.identity_token)
        external = content["type"] == "external_account"
        guard = self.token_guards.federation if external else self.token_guards.oauth
        return minter, guard, payer_of(content, workspace.subject)


class GoogleAccount(Generic[C]):
    """See `sync.account.Account`."""

    def __init__(self, client: C, inspector: Asks, payer: Payer) -> None:
        """`inspector` is the same client at the address of URL inspection."""
        self.client = client
        self._inspector = inspector
        self.payer = payer

    def sites(self) -> Sequence[Site]:
        try:
            return self.client.ask(sites_question(), decode_sites, self.payer.buckets, len)
        except PropertyError as error:
            # There is no property in this question: what is refused here is the identity.
            raise CredentialsError(
                f"The properties could not be listed: {error}", FailureClass.PERMISSION_DENIED
            ) from error

    def probe(self, property_: str, search_type: SearchType, first: date, last: date) -> Probe:
        query = query_body(search_type, Grouping(("date",), "all"), first, last, 0, PROBE_ROWS)
        question = query_question("searchanalytics.probe", property_, query)
        return self.client.ask(
            question, decode_probe, self._buckets(property_), lambda probe: len(probe.impressions)
        )

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
        buckets = self._buckets(cell.property)

        def ask(grouping: Grouping, start_row: int, row_limit: int) -> Page:
            query = query_body(cell.search_type, grouping, cell.day, cell.day, start_row, row_limit)
            question = query_question("searchanalytics.query", cell.property, query)
            decode = _decoder(grouping.dimensions)
            short = 0 if start_row else row_limit
            return self.client.ask(
                question, lambda body: decode(body, known, short=short), buckets, lambda page: page.received
            )

        gathered = fetch(cell, data_state, ask, expect_rows=expect_rows, split_requests=split_requests)
        return FetchedCell(
            cell=cell,
            rows=gathered.rows,
            final=final and gathered.consistent and not gathered.quarantined,
            saturated=gathered.saturated,
            aggregation=gathered.aggregation,
            pages=gathered.pages,
            requests=gathered.pages,
            duplicates=gathered.duplicates,
            quarantined=gathered.quarantined,
            parts=gathered.parts,
            consistent=gathered.consistent,
            digest=b"" if gathered.quarantined or gathered.parts else gathered.digest,
        )

    def sitemaps(self, property_: str) -> Sequence[Sitemap]:
        return self.client.ask(sitemaps_question(property_), decode_sitemaps, self.payer.buckets, len)

    def inspect(self, property_: str, page: str) -> Inspection:
        question = inspection_question(property_, page)
        # A bucket of its own: when the day's inspections are spent, everything else goes on.
        buckets = (bucket(Scope.PROPERTY, f"inspection {property_}"),)
        return self._inspector.ask(question, inspection_decoder(page), buckets, lambda _: 1)

    def _buckets(self, property_: str) -> tuple[BucketName, ...]:
        return bucket(Scope.PROPERTY, property_), *self.payer.buckets
