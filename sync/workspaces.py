"""All workspaces of a launch: found side by side, their properties worked on side by side, each failing alone.

One pool of `limits.concurrency` threads serves the properties of all workspaces in turn (the first of each, then the
second of each ...), so that neither a large workspace nor a slow one makes the others wait. The thread that calls
waits and tells the progress.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

from contract import Workspace
from sync.account import Account, Accounts
from sync.ahead import Ahead
from sync.errors import (
    BadAnswer,
    CredentialsError,
    GoogleUnavailable,
    Interrupted,
    PropertyError,
    QuotaError,
    SyncError,
)
from sync.launch import Done, Halt, Launch
from sync.outcomes import Ending, PropertyOutcome, WorkspaceOutcome, conclude
from sync.plan.choice import Chosen, choose
from sync.plan.shards import share_of
from sync.property_sync import PropertySync
from sync.stop import Stop, StopReason

TICK_SECONDS = 0.25
ABANDON_SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What a workspace's identity gives: its account and properties, or the error that stands in the way."""

    workspace: Workspace
    account: Account | None = None
    chosen: Chosen = field(default_factory=lambda: Chosen(()))
    error: SyncError | None = None
    halt: Halt = field(default_factory=Halt)


def find(workspace: Workspace, accounts: Accounts, stop: Stop) -> Found:
    """Open the account and choose its properties. Never raises what concerns one workspace only."""
    try:
        stop.check()
        account = accounts(workspace)
        chosen = choose(account.sites(), workspace.properties)
    except (CredentialsError, QuotaError, GoogleUnavailable, BadAnswer, PropertyError, Interrupted) as error:
        return Found(workspace, error=error)
    if chosen.unverified:
        _log.warning(
            "workspace %s: not verified, so skipped: %s", workspace.name, ", ".join(chosen.unverified[:20])
        )
    if not chosen.properties and not chosen.missing:
        _log.warning(
            "workspace %s matches no property; check include, exclude and the identity's access",
            workspace.name,
        )
    return Found(workspace, account, chosen)


def sync_workspaces(launch: Launch, done: Done, tick: Callable[[], None]) -> list[WorkspaceOutcome]:
    """Sync everything, as far as the launch lasts.

    Raises what concerns everybody: DatabaseError, Superseded, and whatever nobody foresaw.
    """
    done_of = {name: frozenset(cells) for name, cells in groupby(sorted(done), lambda cell: cell.property)}
    found: dict[str, Found] = {}
    outcomes: dict[str, list[PropertyOutcome]] = {workspace.name: [] for workspace in launch.spec.workspaces}
    tasks = _Tasks(launch.spec.limits.concurrency)
    ahead = Ahead(launch.spec.limits.concurrency)

    def seek(workspace: Workspace) -> None:
        place = find(workspace, launch.accounts, launch.stop)
        place = replace(place, chosen=share_of(place.chosen, launch.shard, launch.spec.shards))
        found[workspace.name] = place
        launch.tally.found(len(place.chosen.properties))
        for turn, name in enumerate(place.chosen.properties):
            tasks.add(turn, partial(work, place, name))

    def work(place: Found, name: str) -> None:
        assert place.account is not None
        mine = done_of.get(name, frozenset())
        sync = PropertySync(name, place.workspace.name, place.account, launch, place.halt, mine, ahead)
        outcomes[place.workspace.name].append(sync.sync())

    for workspace in launch.spec.workspaces:
        tasks.add(-1, partial(seek, workspace))
    try:
        tasks.run(tick)
    except BaseException:
        launch.stop.request(StopReason.FATAL)
        tasks.abandon()
        raise
    finally:
        ahead.close()
    return [_outcome(found[workspace.name], outcomes[workspace.name]) for workspace in launch.spec.workspaces]


class _Tasks:
    """Runs tasks on a bounded number of threads, lowest turn first; tasks may add tasks."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._pool = ThreadPoolExecutor(places, thread_name_prefix="sync")
        self._lock = threading.Lock()
        self._ready: list[tuple[int, int, Callable[[], None]]] = []
        self._running: set[Future[None]] = set()
        self._number = 0

    def add(self, turn: int, task: Callable[[], None]) -> None:
        with self._lock:
            self._number += 1
            heapq.heappush(self._ready, (turn, self._number, task))

    def run(self, tick: Callable[[], None]) -> None:
        """Until nothing is left; raises the first error of a task."""
        while self._start() or self._running:
            finished, self._running = wait(self._running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
            tick()
        self._pool.shutdown()

    def abandon(self) -> None:
        """Start nothing more; give those under way a moment to notice, and no longer."""
        wait(self._running, timeout=ABANDON_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> bool:
        with self._lock:
            free = min(self._places - len(self._running), len(self._ready))
            for _ in range(free):
                _, _, task = heapq.heappop(self._ready)
                self._running.add(self._pool.submit(task))
            return free > 0


def _outcome(place: Found, properties: Sequence[PropertyOutcome]) -> WorkspaceOutcome:
    missing = [PropertyOutcome(name, Ending.FAILED, error) for name, error in place.chosen.missing]
    error = place.error or place.halt.error
    if isinstance(error, Interrupted):
        return WorkspaceOutcome(place.workspace.name, Ending.UNFINISHED, (), error)
    if isinstance(error, QuotaError):
        if place.error is not None:
            return WorkspaceOutcome(place.workspace.name, Ending.POSTPONED, (), error)
        error = None
    return conclude(place.workspace.name, (*properties, *missing), error)
