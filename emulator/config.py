"""What the emulator pretends to be: accounts, properties, sizes, quotas, habits.

Read once from YAML or JSON (`load`), or built in a test. Strict, so that a typo in a configuration fails at the start
and not as a strange test result. Everything else in the package takes these frozen models as they are.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

SearchType = Literal["web", "image", "video", "news", "discover", "googleNews"]
SEARCH_TYPES: tuple[SearchType, ...] = ("web", "image", "video", "news", "discover", "googleNews")
Permission = Literal["siteOwner", "siteFullUser", "siteRestrictedUser", "siteUnverifiedUser"]
Limit = Annotated[int, Field(ge=1)] | None


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quota(Model):
    """Limits on search analytics calls; a limit that is not given does not exist."""

    per_second: Limit = None
    per_minute: Limit = None
    load_per_10_minutes: Limit = None
    """In load units: days asked for, times 3 when grouped or filtered by both page and query."""
    load_per_day: Limit = None
    per_day: Limit = None


class Property(Model):
    """One property. `rows` counts the page-query-country-device rows of a final day that may be shown."""

    url: str
    rows: dict[SearchType, Annotated[int, Field(ge=0, le=2_000_000)]] = {}
    variation: Annotated[float, Field(ge=0, le=0.9)] = 0
    """Days differ in size by up to this fraction; 0 makes `rows` exact."""
    anonymised: Annotated[float, Field(ge=0, le=2)] = 0.15
    """Rows whose query is withheld, as a fraction of `rows`; they count in totals only."""
    sitemaps: Annotated[int, Field(ge=0, le=50)] = 1
    quota: Quota | None = None


class Account(Model):
    """One identity. `properties` maps a property to the permission this identity has on it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    kind: Literal["service_account", "authorized_user", "external"] = "service_account"
    """`external`: somebody of another identity provider, who comes through a workload identity pool."""
    properties: dict[str, Permission] = {}
    revoked: bool = False
    project: str = "emulator-project"
    scopes: tuple[str, ...] = (
        "https://www.googleapis.com/auth/webmasters.readonly",
        "https://www.googleapis.com/auth/webmasters",
    )
    """What a user consented to; a service account may ask for anything Google offers."""
    impersonates: tuple[str, ...] = ()
    """Names of accounts: of a service account, whose e-mail address may stand as subject (domain-wide delegation); of an
    external one, the service accounts that it may act for."""
    quota: Quota | None = None

    @property
    def email(self) -> str:
        if self.kind == "service_account":
            return f"{self.name}@{self.project}.iam.gserviceaccount.com"
        return f"{self.name}@example.com"

    @property
    def provider(self) -> str:
        """Of an external account: the audience under which its tokens are exchanged."""
        return f"//iam.googleapis.com/projects/1234/locations/global/workloadIdentityPools/emulator/providers/{self.name}"


def documented_quotas(*, new_project: bool = False, per_second: int | None = None) -> dict[str, Quota]:
    """What Google publishes, as members of a Config: 1,200 a minute for a site and for a user, 40,000 for a project.

    New projects often get 60 a minute. `per_second` is the burst limit of a site and of a user, which exists and is
    not published; older documentation had 50.
    """
    site = Quota(per_minute=1200, per_second=per_second)
    inspection = Quota(per_minute=600, per_day=2000)
    project = Quota(per_minute=60 if new_project else 40_000, per_day=30_000_000)
    return {
        "property_quota": site,
        "account_quota": site,
        "project_quota": project,
        "inspection_quota": inspection,
    }


class Config(Model):
    """The whole stand-in."""

    seed: int = 1
    accounts: tuple[Account, ...] = ()
    properties: tuple[Property, ...] = ()
    fresh_days: Annotated[int, Field(ge=0, le=10)] = 3
    """Days younger than this many Pacific days are not final."""
    retention_months: Annotated[int, Field(ge=1, le=480)] = 16
    cap: Annotated[int, Field(ge=1)] = 50_000
    """Rows that are ever shown per property, day and search type."""
    token_seconds: Annotated[int, Field(ge=1)] = 3599
    ambient: str | None = None
    """Name of the service account of which the metadata server gives tokens; without it there is no metadata server."""
    metadata_spelling: Literal["camel", "snake"] = "camel"
    error_style: Literal["classic", "details"] = "classic"
    """`classic` errors carry `errors[]`; `details` ones only `status` and `details[]`, as newer front-ends do."""
    quota_status: Literal[403, 429] = 403
    """How the limits of identities and projects are refused."""
    revision: Annotated[int, Field(ge=0)] = 0
    """How often Google counted anew: from 1 on, every tenth row of every day has other numbers, other ones each time."""
    published_anew: frozenset[date] = frozenset()
    """Days whose settled rows are those that the fresh stage had shown: some vanish, some appear, some change."""
    unknown_members: Literal["refuse", "ignore"] = "refuse"
    """Of a query. A strict stand-in finds slips of the pen; some programs in use send members that nobody documents."""
    zero_rows: bool = False
    """Days without data appear as rows of zeros in answers grouped by date alone, and in totals."""
    gzip: bool = True
    latency_ms: Annotated[float, Field(ge=0)] = 0
    cache_megabytes: Annotated[int, Field(ge=1)] = 512
    check_token_times: bool = True
    """Refuse signed assertions whose times are not near the real clock's."""
    property_quota: Quota = Quota()
    account_quota: Quota = Quota()
    project_quota: Quota = Quota()
    inspection_quota: Quota = Quota()
    """Of URL inspection, for each property."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        urls = [prop.url for prop in self.properties]
        names = [account.name for account in self.accounts]
        for kind, values in (("property", urls), ("account", names)):
            if len(set(values)) != len(values):
                raise ValueError(f"a {kind} is listed twice")
        for account in self.accounts:
            if unknown := set(account.properties) - set(urls):
                raise ValueError(f"account {account.name} names unknown properties: {sorted(unknown)}")
            if unknown := set(account.impersonates) - set(names):
                raise ValueError(f"account {account.name} names unknown accounts: {sorted(unknown)}")
        if self.ambient is not None and self.ambient not in names:
            raise ValueError(f"ambient names the unknown account {self.ambient}")
        return self


def load(path: Path) -> Config:
    """Read a configuration; YAML is a superset of JSON, so one parser serves both."""
    return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def default_config(seed: int = 1) -> Config:
    """Three accounts and six properties that overlap, differ in size, and contain one nobody may read."""
    return Config(
        seed=seed,
        properties=(
            Property(
                url="sc-domain:acme.example", rows={"web": 2000, "image": 150, "news": 40, "discover": 60}
            ),
            Property(url="https://www.acme.example/", rows={"web": 800, "video": 30, "googleNews": 25}),
            Property(url="https://blog.acme.example/", rows={"web": 120}),
            Property(url="sc-domain:globex.example", rows={"web": 500, "discover": 20, "googleNews": 10}),
            Property(url="https://empty.globex.example/"),
            Property(url="https://unverified.globex.example/", rows={"web": 50}),
        ),
        accounts=(
            Account(
                name="acme",
                properties={
                    "sc-domain:acme.example": "siteFullUser",
                    "https://www.acme.example/": "siteOwner",
                    "https://blog.acme.example/": "siteRestrictedUser",
                },
            ),
            Account(
                name="globex",
                kind="authorized_user",
                properties={
                    "sc-domain:globex.example": "siteOwner",
                    "https://empty.globex.example/": "siteFullUser",
                    "https://unverified.globex.example/": "siteUnverifiedUser",
                    "https://blog.acme.example/": "siteRestrictedUser",
                },
            ),
            Account(name="revoked", revoked=True, properties={"sc-domain:acme.example": "siteFullUser"}),
        ),
    )
