"""The composition root: from an order and settings to a launch whose parts are real.

The only place that knows both halves, Google and Postgres. The store is imported when it is wanted: `plan` works on a
machine without a database.
"""

from __future__ import annotations

import logging
import random
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from contract import ContractError, RunSpec
from contract.run_spec import ENVIRONMENT_VARIABLE, INDEX_VARIABLE, MAX_BYTES
from sync.carry import Carrier
from sync.clock import Clock
from sync.errors import ConfigurationError
from sync.events import Events
from sync.google.account import GoogleAccess, TokenGuards
from sync.google.exchange import Addresses
from sync.google.http import RequestsTransport
from sync.google.retry import Policy
from sync.google.skew import SkewWatch
from sync.launch import Launch
from sync.quota.circuit import Rules
from sync.quota.guard import API, DATABASE, TOKENS, Guard
from sync.quota.limiter import Limiter
from sync.quota.memory import MemoryQuotaTable
from sync.quota.names import Scope
from sync.quota.port import QuotaTable
from sync.settings import Settings
from sync.stop import Stop
from sync.store.memory import MemoryStore
from sync.store.port import Store
from sync.switch import Switch
from sync.tally import Tally
from sync.turns import threads

TABLE_RULES = Rules(failures=2, sources=1, first_seconds=2.0, longest_seconds=5.0)
"""Of the breaker before the table of budgets, which is asked every second and not waited for."""

StoreFactory = Callable[[RunSpec, Clock], Store]

_log = logging.getLogger(__name__)


class NoSpecError(Exception):
    """Neither --spec nor the environment gives a RunSpec."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a command works with."""

    spec: RunSpec
    accounts: GoogleAccess
    stop: Stop
    tally: Tally
    events: Events
    clock: Clock
    started: float
    switch: Switch = field(default_factory=Switch)
    shard: int = 0

    def launch(self, store: Store, several: Carrier | None = None) -> Launch:
        return Launch(
            self.spec,
            store,
            self.accounts,
            self.clock,
            self.stop,
            self.tally,
            self.events,
            self.started,
            self.switch,
            self.shard,
            several,
        )


def read_spec(path: Path | None, environment: Mapping[str, str], settings: Settings) -> RunSpec:
    """The order, from the file or the environment, with GSC_SYNC_DAYS laid over it.

    Raises NoSpecError, or ConfigurationError naming what is wrong in it.
    """
    text: str | bytes | None
    if path is not None:
        try:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ConfigurationError(f"The run spec {path} cannot be read: {error.strerror}.") from None
    else:
        text = environment.get(ENVIRONMENT_VARIABLE)
    if not text:
        raise NoSpecError(
            f"give --spec FILE or set {ENVIRONMENT_VARIABLE}; docs/contract.md says what stands in it"
        )
    try:
        spec = RunSpec.from_json(text)
    except ContractError as error:
        raise ConfigurationError(str(error)) from None
    if settings.days is None:
        return spec
    return spec.model_copy(update={"window": spec.window.model_copy(update={"days": settings.days})})


def shard_of(spec: RunSpec, settings: Settings) -> int:
    """Which shard this process is; one that is not divided is the first and only.

    Raises ConfigurationError when the index does not fit the order.
    """
    if spec.shards == 1:
        return 0
    if settings.shard is None or settings.shard >= spec.shards:
        given = "is not set" if settings.shard is None else f"is {settings.shard}"
        raise ConfigurationError(
            f"The order is divided into {spec.shards} shards, and {INDEX_VARIABLE} {given}; it must be 0 to {spec.shards - 1}."
        )
    return settings.shard


@contextmanager
def parts(
    spec: RunSpec, settings: Settings, clock: Clock, started: float, quotas: QuotaTable | None = None
) -> Iterator[Parts]:
    """Everything but the store; without `quotas` the budgets are this process's own.

    Raises ConfigurationError when the extra certificate authority cannot be read, or the shard is none.
    """
    shard = shard_of(spec, settings)
    stop = Stop(
        clock,
        soft_deadline=started + spec.soft_deadline_seconds,
        hard_deadline=started + spec.timeout_seconds,
        grace=spec.limits.grace_seconds,
    )
    tally = Tally()
    events = Events(tally)
    transport = RequestsTransport(
        abort_at=stop.abort_at,
        ca_file=settings.ca_file,
        connections=threads(spec.limits),
    )
    metadata = RequestsTransport(abort_at=stop.abort_at, connections=1, proxies=False)
    limiter = budgets(spec, quotas or MemoryQuotaTable(clock.now), clock, stop, events)
    accounts = GoogleAccess(
        namespace=spec.namespace,
        transport=transport,
        metadata_transport=metadata,
        base_url=settings.api_base_url,
        inspection_url=settings.inspection_base_url,
        addresses=Addresses(
            token_url=settings.token_url,
            sts_url=settings.sts_url,
            iam_base_url=settings.iam_base_url,
            metadata_base_url=settings.metadata_base_url,
        ),
        identity_token=settings.identity_token_path,
        clock=clock,
        sleep=stop.sleep,
        draw=random.random,
        limiter=limiter,
        api_guard=Guard(API, clock, stop.sleep, events),
        token_guards=TokenGuards(*(Guard(TOKENS, clock, stop.sleep, events) for _ in range(3))),
        policy=Policy(load_cooldown=spec.limits.load_cooldown_seconds),
        observer=events,
        skew=SkewWatch(clock.now),
    )
    try:
        yield Parts(spec, accounts, stop, tally, events, clock, started, Switch(settings.switch_path), shard)
    finally:
        limiter.close()
        transport.close()
        metadata.close()


def budgets(spec: RunSpec, quotas: QuotaTable, clock: Clock, stop: Stop, events: Events) -> Limiter:
    """The limiter of a launch, under a name of its own: two launches of one run must not share a lease.

    A backfill takes only its share of each rate, so that the daily window goes on beside it.
    """
    return Limiter(
        quotas,
        ceilings={
            Scope.PROPERTY: spec.limits.requests_per_second_per_property,
            Scope.IDENTITY: spec.limits.requests_per_second_per_identity,
            Scope.PROJECT: spec.limits.requests_per_minute_per_project / 60,
        },
        holder=f"{spec.namespace}/{spec.name} {spec.run_id}.{spec.launch} {secrets.token_hex(4)}",
        clock=clock,
        sleep=stop.sleep,
        observer=events,
        guard=Guard(DATABASE, clock, stop.sleep, events, TABLE_RULES),
        portion=spec.limits.backfill_share if spec.window.is_backfill else 1.0,
    )


def postgres(spec: RunSpec, clock: Clock) -> Store:
    """The real store."""
    from sync.store.postgres import PostgresStore  # noqa: PLC0415 - `plan` needs no database driver

    return PostgresStore(spec.destination, pool_size=spec.limits.concurrency, clock=clock.now)


def chosen_store(spec: RunSpec, settings: Settings, clock: Clock, real: StoreFactory) -> Store:
    """Where the rows go, by setting."""
    if settings.store == "memory":
        _log.warning("GSC_SYNC_STORE is memory: rows are counted, and forgotten when the launch ends.")
        return MemoryStore(clock.now)
    return real(spec, clock)


def bound_fields(spec: RunSpec) -> dict[str, Any]:
    """What every log line of a launch carries."""
    return {
        "auto_sync": True,
        "schedule": f"{spec.namespace}/{spec.name}",
        "run_id": spec.run_id,
        "attempt": spec.attempt,
        "launch": spec.launch,
        "trigger": spec.trigger.value,
        "host": socket.gethostname(),
        "slot": spec.slot.astimezone(UTC).isoformat(),
    }


def program_version() -> str:
    try:
        return version("gsc-sync-operator")
    except PackageNotFoundError:
        return "unknown"
