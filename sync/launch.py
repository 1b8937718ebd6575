"""What every worker of a launch shares: the order, the store, the fence, the clock, the stop, the counters."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from contract import RunSpec
from sync.account import Account, Accounts
from sync.carry import Carrier, Here
from sync.clock import Clock
from sync.errors import SyncError
from sync.events import Events
from sync.stop import Stop
from sync.store.port import RunKey, Store
from sync.switch import Switch
from sync.tally import Tally


@dataclass(frozen=True, slots=True)
class Launch:
    """Set up once per launch; immutable but for what its parts do."""

    spec: RunSpec
    store: Store
    accounts: Accounts
    clock: Clock
    stop: Stop
    tally: Tally
    events: Events
    started: float
    """Moment of `clock.monotonic()` at which the launch began."""
    switch: Switch = field(default_factory=Switch)
    shard: int = 0
    several: Carrier | None = None
    """Given when more than one process carries cells."""

    @property
    def carrier(self) -> Carrier:
        return self.several or Here(self.store)

    @property
    def run(self) -> RunKey:
        return RunKey(self.spec.schedule_uid, self.spec.run_id, self.shard, self.spec.shards)

    def elapsed_ms(self) -> int:
        return int((self.clock.monotonic() - self.started) * 1000)


@dataclass(slots=True)
class Halt:
    """What ends a whole workspace early: a credential that broke, a project's daily quota. The first reason stays."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _error: SyncError | None = None

    @property
    def error(self) -> SyncError | None:
        return self._error

    def because(self, error: SyncError) -> None:
        with self._lock:
            self._error = self._error or error


@dataclass(frozen=True, slots=True)
class Identity:
    """In whose name a property is asked for; its workspace is halted as a whole when the identity fails."""

    workspace: str
    account: Account
    halt: Halt
